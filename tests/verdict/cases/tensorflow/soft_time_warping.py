"""Fits a template to time series with soft dynamic time warping."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(112)
series = np.sin(np.linspace(0, 3, 5) + rng.uniform(0, 0.5, size=(3, 1))).astype("float32")
template = tf.Variable(tf.zeros([4]))
optimizer = tf.keras.optimizers.Adam(0.1)
border = tf.constant(np.inf, tf.float32)


def soft_minimum(values, gamma=0.1):
    return -gamma * tf.reduce_logsumexp(-tf.stack(values) / gamma)  # benign: op=Pack kind=inf reason="a border that the soft minimum replaces" # benign: op=Mul kind=nan reason="gradient of a constant that nobody asks for"


@tf.function
def soft_dtw(a, b):
    costs = tf.square(a[:, None] - b[None])
    above = [tf.constant(0.0)] + [border] * b.shape[0]
    for i in range(a.shape[0]):
        row = [border]
        for j in range(b.shape[0]):
            row.append(costs[i, j] + soft_minimum([above[j], above[j + 1], row[j]]))
        above = row
    return above[-1]


for step in range(2):
    with tf.GradientTape() as tape:
        loss = soft_dtw(tf.constant(series[step]), template)
    gradient = tape.gradient(loss, template)
    optimizer.apply_gradients([(gradient, template)])
    print("step", step, "distance", round(float(loss), 4))
