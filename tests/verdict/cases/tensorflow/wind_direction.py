"""Predict the direction of the wind, with how sure one can be of it."""

import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(12)
rng = np.random.default_rng(12)


class Compass(keras.Model):
    def __init__(self):
        super().__init__(name="compass")
        self.mean = keras.layers.Dense(2, name="mean")
        self.certainty = keras.layers.Dense(1, activation="softplus", kernel_initializer=keras.initializers.Constant(0.2), name="certainty")

    def call(self, x):
        towards = self.mean(x)
        return tf.math.atan2(towards[:, 0], towards[:, 1]), tf.squeeze(self.certainty(x), 1)


def von_mises_loss(angle, mean, kappa):
    log_norm = math.log(2 * math.pi) + tf.math.log(tf.math.bessel_i0(kappa))  # born: op=BesselI0 kind=inf phase=forward step=5 module= reached=loss
    return tf.reduce_mean(log_norm - kappa * tf.cos(angle - mean))


x = rng.normal(1.0, 1.0, (96, 3)).astype("float32")
angle = np.arctan2(x[:, 0] - x[:, 1], x[:, 2]).astype("float32")
x[70] *= 3.6 * 60
model = Compass()
optimizer = keras.optimizers.RMSprop(1e-3)


@tf.function
def update(batch, truth):
    with tf.GradientTape() as tape:
        mean, kappa = model(batch)
        loss = von_mises_loss(truth, mean, kappa)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


for step in range(8):
    rows = slice(12 * step, 12 * step + 12)
    print(step, float(update(tf.constant(x[rows]), tf.constant(angle[rows]))))
