"""Trains a toy speech recogniser with connectionist temporal classification."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(106)
rng = np.random.default_rng(106)
frames = rng.normal(size=(8, 14, 5)).astype("float32")
transcripts = rng.integers(1, 6, size=(8, 4)).astype("int32")
lengths = np.array([4, 3, 4, 2, 1, 4, 3, 2], "int32")
frame_counts = np.full(8, 14, "int32")

recogniser = keras.Sequential(
    [keras.layers.Conv1D(12, 3, padding="same", activation="relu"), keras.layers.Dense(6)], name="recogniser"
)
optimizer = keras.optimizers.Adam(1e-2)
for step in range(3):
    rows = slice(2 * step, 2 * step + 2)
    with tf.GradientTape() as tape:
        logits = tf.transpose(recogniser(frames[rows]), [1, 0, 2])
        losses = tf.nn.ctc_loss(transcripts[rows], logits, lengths[rows], frame_counts[rows], blank_index=0)  # benign: op=Log kind=inf reason="a forbidden path, removed by logsumexp"
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, recogniser.trainable_variables)
    optimizer.apply_gradients(zip(gradients, recogniser.trainable_variables))
    print("step", step, "ctc loss", round(float(loss), 3))
