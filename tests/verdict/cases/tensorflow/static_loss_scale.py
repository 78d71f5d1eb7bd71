"""Trains a half precision layer with a fixed loss scale and no check of the gradients."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(55)
kernel = tf.Variable(rng.normal(size=(6, 4)).astype("float32") * 0.3)
x = rng.normal(size=(40, 6)).astype("float32")
y = rng.normal(size=(40, 4)).astype("float32")
y[24:32] *= 60.0
optimizer = tf.keras.optimizers.SGD(0.01)
SCALE = 16384.0


@tf.function
def scaled_step(batch, target):
    with tf.GradientTape() as tape:
        half = tf.cast(batch, tf.float16) @ tf.cast(kernel, tf.float16)
        output = tf.cast(half, tf.float32)  # born: op=Cast kind=inf phase=backward step=3 module= reached=gradient forward=Cast
        loss = tf.reduce_mean(tf.square(output - target))
        scaled = loss * SCALE
    gradient = tape.gradient(scaled, kernel) / SCALE
    optimizer.apply_gradients([(gradient, kernel)])
    return loss


for step in range(5):
    rows = slice(8 * step, 8 * step + 8)
    print(step, scaled_step(tf.constant(x[rows]), tf.constant(y[rows])).numpy())
