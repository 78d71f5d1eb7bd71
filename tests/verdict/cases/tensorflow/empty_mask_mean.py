"""Trains a tagger on padded sequences, with a loss averaged over the real tokens."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(11)
rng = np.random.default_rng(11)
tokens = rng.integers(1, 30, size=(40, 7))
tags = rng.integers(0, 4, size=(40, 7))
mask = (np.arange(7) < rng.integers(1, 8, size=(40, 1))).astype("float32")
mask[24:32] = 0.0

tagger = keras.Sequential(
    [
        keras.layers.Embedding(30, 8, name="words"),
        keras.layers.Conv1D(8, 3, padding="same", activation="relu", name="window"),
        keras.layers.Dense(4, name="scores"),
    ],
    name="tagger",
)
optimizer = keras.optimizers.AdamW(2e-3)


def masked_loss(labels, logits, keep):
    losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return tf.reduce_sum(losses * keep) / tf.reduce_sum(keep)  # born: op=RealDiv kind=nan phase=forward step=3 module= reached=loss


for step in range(5):
    part = slice(8 * step, 8 * step + 8)
    with tf.GradientTape() as tape:
        logits = tagger(tokens[part])
        loss = masked_loss(tags[part], logits, tf.constant(mask[part]))
    if not np.isfinite(loss):
        raise SystemExit(f"loss is {loss.numpy()} at step {step}")
    gradients = tape.gradient(loss, tagger.trainable_variables)
    optimizer.apply_gradients(zip(gradients, tagger.trainable_variables))
    print(step, loss.numpy())
