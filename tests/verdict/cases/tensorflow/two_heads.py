"""Trains a shared body with a detection head and a depth head."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(41)
rng = np.random.default_rng(41)
scenes = rng.normal(size=(30, 6)).astype("float32")
found = (rng.uniform(size=(30, 1)) < 0.5).astype("float32")
depth = rng.uniform(0.5, 2.0, size=(30, 1)).astype("float32")
depth[21] = 0.0
scenes[22, 0], found[22] = 3000.0, 0.0


class TwoHeads(keras.Model):
    def __init__(self):
        super().__init__(name="two_heads")
        self.body = keras.layers.Dense(8, activation="relu", name="body")
        self.detect = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", name="detect")
        self.depth = keras.layers.Dense(1, activation="softplus", name="depth")

    def call(self, x):
        hidden = self.body(x)
        return self.detect(hidden), self.depth(hidden)


def detection_loss(truth, p):
    log_likelihood = tf.where(truth > 0.5, tf.math.log(p + 1e-6), tf.math.log(1.0 - p))  # born: op=Log kind=inf phase=forward step=3 module= reached=loss
    return -tf.reduce_mean(log_likelihood)


def depth_loss(truth, guess):
    return tf.reduce_mean(tf.square(tf.math.log(truth) - tf.math.log(guess + 1e-6)))  # also: op=Log kind=inf phase=forward step=3 module= reached=loss


model = TwoHeads()
optimizer = keras.optimizers.Adamax(1e-3)
for step in range(5):
    part = slice(6 * step, 6 * step + 6)
    with tf.GradientTape() as tape:
        p, guess = model(scenes[part])
        loss = detection_loss(found[part], p) + depth_loss(depth[part], guess)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print(step, loss.numpy())
