"""Trains a variational autoencoder on toy images with a plain Keras fit."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(13)
rng = np.random.default_rng(13)
images = rng.uniform(0.0, 1.0, size=(48, 36)).astype("float32")
images[40:] *= 255.0


class Sampling(layers.Layer):
    def call(self, inputs):
        mean, log_var = inputs
        kl = 0.5 * tf.reduce_mean(tf.square(mean) + tf.math.exp(log_var) - log_var - 1.0)  # born: op=Exp kind=inf phase=forward step=5 module=vae.code reached=loss
        self.add_loss(kl)
        noise = tf.random.stateless_normal(tf.shape(mean), seed=[1, 2])
        return mean + tf.exp(0.5 * log_var) * noise


inputs = keras.Input((36,))
hidden = layers.Dense(24, activation="relu", name="hidden")(inputs)
mean = layers.Dense(4, name="mean")(hidden)
log_var = layers.Dense(4, name="log_var")(hidden)
code = Sampling(name="code")([mean, log_var])
decoded = layers.Dense(36, activation="sigmoid", name="decoded")(layers.Dense(24, activation="relu")(code))
vae = keras.Model(inputs, decoded, name="vae")
vae.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")

dataset = tf.data.Dataset.from_tensor_slices((images, images)).batch(8)
for epoch in range(1):
    history = vae.fit(dataset, verbose=0)
    print("epoch", epoch, history.history["loss"])
