"""Trains an embedding with the batch-hard triplet loss."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(103)
rng = np.random.default_rng(103)
identities = np.repeat(np.arange(6), 4)
pictures = (rng.normal(size=(6, 10))[identities] + 0.4 * rng.normal(size=(24, 10))).astype("float32")
encoder = keras.Sequential([keras.layers.Dense(12, activation="relu"), keras.layers.Dense(5)], name="encoder")
optimizer = keras.optimizers.Adam(3e-3)


def batch_hard(embedded, ids, margin=0.5):
    squares = tf.reduce_sum(tf.square(embedded[:, None] - embedded[None]), axis=-1)
    distances = tf.sqrt(tf.maximum(squares, 1e-9))
    same = ids[:, None] == ids[None]
    farthest = tf.reduce_max(tf.where(same, distances, -np.inf), axis=1)  # benign: op=SelectV2 kind=inf reason="a sentinel that the maximum replaces"
    nearest = tf.reduce_min(tf.where(same, np.inf, distances), axis=1)  # benign: op=SelectV2 kind=inf reason="a sentinel that the minimum replaces"
    return tf.reduce_mean(tf.nn.relu(farthest - nearest + margin))


best = np.inf
for step in range(5):
    chosen = rng.permutation(24)[:16]
    with tf.GradientTape() as tape:
        loss = batch_hard(encoder(pictures[chosen]), tf.constant(identities[chosen]))
    gradients = tape.gradient(loss, encoder.trainable_variables)
    optimizer.apply_gradients(zip(gradients, encoder.trainable_variables))
    best = min(best, float(loss))
    print(f"step {step} loss {loss:.4f} best {best:.4f}")
