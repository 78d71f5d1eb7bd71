"""Pools sentence vectors by attention, where some documents have no sentence at all."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(102)
rng = np.random.default_rng(102)
sentences = tf.constant(rng.normal(size=(12, 5, 6)), tf.float32)
counts = tf.constant([5, 3, 0, 2, 4, 0, 1, 5, 3, 2, 0, 4])
labels = tf.constant(rng.integers(0, 2, size=12), tf.float32)
query = tf.Variable(tf.random.normal([6], stddev=0.2))
head = tf.Variable(tf.random.normal([6], stddev=0.2))
empty = tf.Variable(tf.zeros([6]))
optimizer = tf.keras.optimizers.Adam(0.05)


@tf.function
def pooled():
    present = tf.sequence_mask(counts, 5)
    scores = tf.einsum("nsd,d->ns", sentences, query)
    scores = tf.where(present, scores, -np.inf)  # benign: op=SelectV2 kind=inf reason="a constant, removed by softmax"
    weights = tf.nn.softmax(scores, axis=1)  # benign: op=Softmax kind=nan reason="removed by where, forward and backward"
    weights = tf.where(present, weights, 0.0)
    mixed = tf.einsum("ns,nsd->nd", weights, sentences)
    return tf.where(counts[:, None] > 0, mixed, empty)


for step in range(6):
    with tf.GradientTape() as tape:
        logits = tf.linalg.matvec(pooled(), head)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
    variables = [query, head, empty]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    print(step, round(float(loss), 4))
