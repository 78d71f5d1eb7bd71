"""Fits a uniform mixture by maximum likelihood, with log densities of minus infinity outside."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(124)
samples = np.where(rng.uniform(size=60) < 0.7, rng.uniform(0, 2, 60), rng.uniform(1, 5, 60)).astype("float32")
low = tf.constant([0.0, 1.0, -1.0])
high = tf.constant([2.0, 5.0, 6.0])
logits = tf.Variable(tf.zeros([3]))
optimizer = tf.keras.optimizers.SGD(1.0)


def uniform_log_prob(x):
    inside = (x[:, None] >= low) & (x[:, None] <= high)
    return tf.where(inside, -tf.math.log(high - low), tf.fill([], float("-inf")))  # benign: op=SelectV2 kind=inf reason="a density of 0, removed by logsumexp"


@tf.function
def step_on(x):
    with tf.GradientTape() as tape:
        joint = tf.nn.log_softmax(logits) + uniform_log_prob(x)
        loss = -tf.reduce_mean(tf.reduce_logsumexp(joint, axis=1))
    gradient = tape.gradient(loss, logits)
    optimizer.apply_gradients([(gradient, logits)])
    return loss


for step in range(5):
    batch = tf.constant(samples[12 * step : 12 * step + 12])
    print("step", step, "nll", round(float(step_on(batch)), 4))
print("weights", tf.nn.softmax(logits).numpy().round(3))
