"""Learns state values by semi-gradient Q-learning with linear features off policy."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(52)
states = np.vstack([2.0 * np.eye(6), np.zeros((1, 6))])
features = np.hstack([states, np.ones((7, 1))]).astype("float32")
features[6, 6] = 2.0
w = tf.Variable(tf.ones([7, 1]))
optimizer = tf.keras.optimizers.SGD(4.0)
gamma = 0.99


def td_error(now, after):
    target = gamma * tf.matmul(after, w)
    return tf.stop_gradient(target) - tf.matmul(now, w)


for step in range(120):
    now = tf.constant(features)
    after = tf.constant(np.repeat(features[6:], 7, axis=0))
    with tf.GradientTape() as tape:
        loss = 0.5 * tf.reduce_mean(tf.square(td_error(now, after)))  # born: op=Mean kind=inf phase=forward step=63 module= reached=loss growth=yes
    gradient = tape.gradient(loss, w)
    optimizer.apply_gradients([(gradient, w)])
    if step % 10 == 0:
        print(step, "td error", loss.numpy())
    if not np.isfinite(loss.numpy()):
        print("diverged at", step, "error", loss.numpy())
        break
