"""Trains with a root mean square normalisation written for half precision."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(38)
x = rng.normal(size=(30, 8)).astype("float16")
x[17] *= np.float16(400.0)
y = rng.uniform(0.05, 0.3, size=(30, 8)).astype("float16")
gain = tf.Variable(tf.ones([8], tf.float16), name="gain")
bias = tf.Variable(tf.zeros([8], tf.float16), name="bias")
step_size = tf.constant(0.02, tf.float16)


def rms_norm(rows):
    power = tf.reduce_mean(tf.square(rows), axis=1, keepdims=True)  # born: op=Square kind=inf phase=forward step=2 module= reached=loss
    return rows * tf.math.rsqrt(power) * gain


def shares(rows):
    size = tf.abs(rms_norm(rows))
    return size / tf.reduce_sum(size, axis=1, keepdims=True) + bias


for step in range(5):
    batch = slice(step * 6, step * 6 + 6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(shares(tf.constant(x[batch])) - y[batch]))
    d_gain, d_bias = tape.gradient(loss, [gain, bias])
    gain.assign_sub(step_size * d_gain)
    bias.assign_sub(step_size * d_bias)
    print("step", step, "loss", loss.numpy())
