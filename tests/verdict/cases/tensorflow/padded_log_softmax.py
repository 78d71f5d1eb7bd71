"""Trains a reranker of candidate lists with its own masked log-softmax."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(56)
rng = np.random.default_rng(56)
candidates = rng.normal(size=(20, 6, 4)).astype("float32")
available = np.arange(6) < rng.integers(1, 7, size=(20, 1))
available[18] = False
scorer = keras.layers.Dense(1, use_bias=False, name="scorer")
optimizer = keras.optimizers.Adam(1e-2)


class ListLoss(tf.Module):
    @tf.function
    def __call__(self, scores, mask):
        scores = tf.where(mask, scores, -np.inf)  # benign: op=SelectV2 kind=inf reason="a constant, removed by exp"
        shifted = scores - tf.reduce_max(scores, axis=1, keepdims=True)  # born: op=Sub kind=nan phase=forward step=4 module= reached=loss
        log_total = tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1))
        return tf.reduce_mean(log_total - shifted[:, 0])


list_loss = ListLoss()
for step in range(5):
    rows = slice(4 * step, 4 * step + 4)
    with tf.GradientTape() as tape:
        scores = tf.squeeze(scorer(candidates[rows]), -1)
        loss = list_loss(scores, tf.constant(available[rows]))
    gradients = tape.gradient(loss, scorer.trainable_variables)
    optimizer.apply_gradients(zip(gradients, scorer.trainable_variables))
    print("step", step, "list loss", float(loss))
