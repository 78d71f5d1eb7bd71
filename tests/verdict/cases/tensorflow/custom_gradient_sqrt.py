"""Trains a robust regression with a Charbonnier-like error whose gradient is written by hand."""

import numpy as np
import tensorflow as tf


@tf.custom_gradient
def absolute_root(x):
    root = tf.sqrt(tf.abs(x))

    def backward(upstream):
        slope = tf.sign(x) * 0.5 / root  # born: op=RealDiv kind=nan phase=backward step=2 module= reached=gradient
        return upstream * slope

    return root, backward


rng = np.random.default_rng(30)
x = rng.normal(size=(40, 4)).astype("float32")
y = x @ np.array([1.0, 0.0, -1.0, 0.5], "float32")
x[19], y[19] = 0.0, 0.0
w = tf.Variable(tf.zeros([4]))
optimizer = tf.keras.optimizers.SGD(0.05, momentum=0.9)

for step in range(5):
    batch = tf.constant(x[8 * step : 8 * step + 8])
    target = tf.constant(y[8 * step : 8 * step + 8])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(absolute_root(tf.linalg.matvec(batch, w) - target))
    gradients = tape.gradient(loss, [w])
    optimizer.apply_gradients(zip(gradients, [w]))
    print(step, loss.numpy())
