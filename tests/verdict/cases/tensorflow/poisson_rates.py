"""Trains a Poisson regression of bicycle hires inside a Keras model with its own train_step."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(5)
rng = np.random.default_rng(5)
weather = rng.normal(size=(80, 4)).astype("float32")
hires = rng.poisson(np.exp(weather[:, :1] * 0.4 + 1.0)).astype("float32")
weather[55, 2] = 4000.0


class HireModel(keras.Model):
    def __init__(self):
        super().__init__(name="hires")
        self.hidden = keras.layers.Dense(8, activation="relu", name="hidden")
        self.log_rate = keras.layers.Dense(1, name="log_rate", kernel_initializer="ones")

    def call(self, x):
        return self.log_rate(self.hidden(x))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            log_rate = self(x, training=True)
            loss = tf.reduce_mean(tf.exp(log_rate) - y * log_rate)  # born: op=Exp kind=inf phase=forward step=3 module= reached=loss
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"nll": loss}


model = HireModel()
model.compile(optimizer=keras.optimizers.Adam(1e-3))
for epoch in range(2):
    logs = model.fit(weather, hires, batch_size=16, shuffle=False, verbose=0)
    print("nll", logs.history["nll"])
