"""Factorises a matrix of play counts with a learning rate that grows."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(53)
plays = tf.constant(rng.poisson(20.0, size=(8, 7)), tf.float32)
left = tf.Variable(rng.normal(size=(8, 3)).astype("float32"))
right = tf.Variable(rng.normal(size=(3, 7)).astype("float32"))


@tf.function
def update(rate):
    with tf.GradientTape() as tape:
        loss = tf.nn.l2_loss(left @ right - plays)  # born: op=L2Loss kind=inf phase=forward step=16 module= reached=loss growth=yes
    d_left, d_right = tape.gradient(loss, [left, right])
    left.assign_sub(rate * d_left)
    right.assign_sub(rate * d_right)
    return loss


for step in range(24):
    loss = update(tf.constant(0.004 * 1.15**step))
    print(f"{step:2d} {loss.numpy():.4g}")
