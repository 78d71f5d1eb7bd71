"""Fits a Poisson regression of bicycle counts by steepest descent with a backtracking line search."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(409)
weather = rng.normal(size=(100, 4)) * [1.0, 2.0, 1.0, 3.0]
bikes = tf.constant(rng.poisson(np.exp(1.5 + weather @ [0.4, -0.2, 0.1, 0.15])), tf.float32)
weather = tf.constant(np.c_[weather, np.ones(100)], tf.float32)
weights = tf.Variable(tf.zeros([5]))


def negative_log_likelihood(at):
    log_rate = tf.linalg.matvec(weather, at)
    return tf.reduce_mean(tf.exp(log_rate) - bikes * log_rate)  # benign: op=Exp kind=inf reason="a step too far that is not taken"


@tf.function
def descend():
    with tf.GradientTape() as tape:
        loss = negative_log_likelihood(weights)
    gradient = tape.gradient(loss, weights)
    drop = 1e-4 * tf.reduce_sum(tf.square(gradient))

    def too_far(rate, tries):
        return tf.logical_not(negative_log_likelihood(weights - rate * gradient) <= loss - rate * drop)

    def shorter(rate, tries):
        return 0.5 * rate, tries + 1

    rate, tries = tf.while_loop(too_far, shorter, [tf.constant(16.0), tf.constant(0)])
    weights.assign_sub(rate * gradient)
    return loss, tries


for step in range(8):
    loss, tries = descend()
    print(f"step {step}: loss {loss.numpy():.4f} after {tries.numpy()} halvings")
