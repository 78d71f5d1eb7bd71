"""Fits a normalising flow of one linear layer to correlated points."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(19)
mix = np.array([[2.0, 0.3], [0.0, 0.5]])
points = tf.constant(rng.normal(size=(64, 2)) @ mix, tf.float32)
weight = tf.Variable([[1.0, 1.0], [1.0, 1.0]], name="weight")
shift = tf.Variable([0.0, 0.0], name="shift")
optimizer = tf.keras.optimizers.Adam(0.05)


def negative_log_likelihood(x):
    z = x @ weight + shift
    prior = 0.5 * tf.reduce_sum(z * z, axis=1) + np.log(2.0 * np.pi)
    _, log_det = tf.linalg.slogdet(weight)  # born: op=LogMatrixDeterminant kind=inf phase=forward step=0 module= reached=loss
    return tf.reduce_mean(prior) - log_det


for _ in range(5):
    with tf.GradientTape() as tape:
        loss = negative_log_likelihood(points)
    print("nll", loss.numpy())
    try:
        gradients = tape.gradient(loss, [weight, shift])
    except tf.errors.InvalidArgumentError as error:
        print("cannot go on:", error.message.splitlines()[0][:60])
        break
    optimizer.apply_gradients(zip(gradients, [weight, shift]))
