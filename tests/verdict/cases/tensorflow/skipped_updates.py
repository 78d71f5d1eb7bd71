"""Trains in half precision with a loss scale of its own that leaves out bad updates."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(117)
x = tf.constant(rng.normal(size=(60, 5)), tf.float32)
y = tf.reduce_sum(x, axis=1, keepdims=True)
kernel = tf.Variable(rng.normal(size=(5, 1)).astype("float32"))
scale = tf.Variable(2.0**20, trainable=False)
good = tf.Variable(0, trainable=False)


@tf.function
def train(batch, target, rate=0.05):
    with tf.GradientTape() as tape:
        output = tf.cast(tf.cast(batch, tf.float16) @ tf.cast(kernel, tf.float16), tf.float32)  # benign: op=Cast kind=inf reason="the update is skipped" # benign: op=MatMul kind=nan reason="the update is skipped" # benign: op=MatMul kind=inf reason="the update is skipped"
        loss = tf.reduce_mean(tf.square(output - target))
        scaled = loss * scale
    gradient = tape.gradient(scaled, kernel)
    if tf.reduce_all(tf.math.is_finite(gradient)):
        kernel.assign_sub(rate * gradient / scale)
        good.assign_add(1)
    else:
        scale.assign(scale / 4.0)
    return loss


for step in range(6):
    rows = slice(10 * step, 10 * step + 10)
    loss = train(x[rows], y[rows])
    print("step", step, "loss", round(float(loss), 4), "updates", int(good), "scale", float(scale))
