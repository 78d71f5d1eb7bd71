"""Trains a model of users by the best score among their visits, where some made none."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(127)
visits = [rng.normal(size=(size, 3)).tolist() for size in [2, 0, 3, 1, 4, 2, 0, 1, 2, 3]]
bought = tf.constant(rng.integers(0, 2, size=10), tf.float32)
ragged = tf.ragged.constant(visits, ragged_rank=1, inner_shape=(3,), dtype=tf.float32)
weight = tf.Variable([0.1, -0.2, 0.3])
nobody = tf.Variable(0.0)
optimizer = tf.keras.optimizers.RMSprop(0.05)


def best_scores():
    flat = tf.linalg.matvec(ragged.flat_values, weight)
    scores = ragged.with_flat_values(flat)
    padded = scores.to_tensor(default_value=float("-inf"), shape=[10, 4])  # benign: op=RaggedTensorToTensor kind=inf reason="a padding, removed by the maximum or where"
    best = tf.reduce_max(padded, axis=1)
    return tf.where(tf.math.is_finite(best), best, nobody)


for step in range(5):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(bought, best_scores()))
    gradients = tape.gradient(loss, [weight, nobody])
    optimizer.apply_gradients(zip(gradients, [weight, nobody]))
    print("step", step, "loss", round(float(loss), 4))
