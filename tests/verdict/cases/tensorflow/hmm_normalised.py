"""Fits the emissions of a hidden Markov model with the scaled forward algorithm."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(29)
readings = np.where(rng.uniform(size=24) < 0.5, 0.0, 3.0) + rng.normal(size=24) * 0.5
readings[17] = 60.0
readings = tf.constant(readings, tf.float32)
means = tf.Variable([0.5, 2.0])
transitions = tf.constant([[0.9, 0.1], [0.2, 0.8]])
optimizer = tf.keras.optimizers.SGD(0.01)


@tf.function
def negative_log_likelihood(sequence):
    alpha = tf.constant([0.5, 0.5])
    norms = tf.TensorArray(tf.float32, size=tf.size(sequence))
    for t in tf.range(tf.size(sequence)):
        emission = tf.exp(-0.5 * tf.square(sequence[t] - means)) / 2.5066
        alpha = tf.linalg.matvec(transitions, alpha, transpose_a=True) * emission
        norm = tf.reduce_sum(alpha)
        alpha = alpha / norm  # born: op=RealDiv kind=nan phase=forward step=0 module= reached=loss iteration=17
        norms = norms.write(t, norm)
    return -tf.reduce_sum(tf.math.log(norms.stack() + 1e-30))


for step in range(2):
    with tf.GradientTape() as tape:
        loss = negative_log_likelihood(readings)
    gradient = tape.gradient(loss, means)
    optimizer.apply_gradients([(gradient, means)])
    print(step, loss.numpy(), means.numpy())
