"""Fits a polynomial of high degree to years that were never rescaled."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(49)
years = np.sort(rng.choice(np.arange(1900, 2020), size=30, replace=False)).astype("float32")
sales = (0.01 * (years - 1900) ** 2 + rng.normal(size=30)).astype("float32")
degrees = tf.range(13, dtype=tf.float32)
coefficients = tf.Variable(tf.zeros([13]))
optimizer = tf.keras.optimizers.Adam(1e-3)


def features(x):
    return tf.pow(x[:, None], degrees)  # born: op=Pow kind=inf phase=forward step=0 module= reached=loss


@tf.function
def fit_step(x, y):
    with tf.GradientTape() as tape:
        curve = tf.linalg.matvec(features(x), coefficients)
        loss = tf.reduce_mean(tf.abs(curve - y))
    gradient = tape.gradient(loss, coefficients)
    optimizer.apply_gradients([(gradient, coefficients)])
    return loss


for step in range(3):
    print("step", step, "loss", fit_step(tf.constant(years), tf.constant(sales)).numpy())
