"""Solves Laplace's equation on a disc with a physics-informed network."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(37)
w1 = tf.Variable(tf.random.normal([1, 10], stddev=0.7))
b1 = tf.Variable(tf.zeros([10]))
w2 = tf.Variable(tf.random.normal([10, 1], stddev=0.3))
variables = [w1, b1, w2]
optimizer = tf.keras.optimizers.Adam(1e-2)
radii = tf.constant(np.linspace(0.0, 1.0, 11)[:, None], tf.float32)


def u(r):
    return tf.tanh(r @ w1 + b1) @ w2


def residual(r):
    with tf.GradientTape() as outer:
        outer.watch(r)
        with tf.GradientTape() as inner:
            inner.watch(r)
            value = u(r)
        u_r = inner.gradient(value, r)
    u_rr = outer.gradient(u_r, r)
    return u_rr + u_r / r  # born: op=RealDiv kind=inf phase=forward step=0 module= reached=loss


for step in range(3):
    with tf.GradientTape() as tape:
        inside = tf.reduce_mean(tf.square(residual(radii)))
        edge = tf.square(u(tf.ones([1, 1])) - 1.0)
        loss = inside + tf.squeeze(edge)
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    print("step", step, "loss", loss.numpy())
