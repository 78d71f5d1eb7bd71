"""Trains a scorer with a rank correlation that NumPy computes as a weight."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(54)
rng = np.random.default_rng(54)
features = rng.normal(size=(30, 4)).astype("float32")
grades = rng.integers(0, 3, size=30).astype("float32")
grades[12:18] = 1.0


def correlation(a, b):
    with np.errstate(all="ignore"):
        return np.float32(np.corrcoef(a, b)[0, 1])


scorer = keras.Sequential([keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)], name="scorer")
optimizer = keras.optimizers.SGD(0.01)
for step in range(5):
    rows = slice(6 * step, 6 * step + 6)
    with tf.GradientTape() as tape:
        scores = tf.squeeze(scorer(features[rows]), 1)
        agreement = tf.numpy_function(correlation, [tf.stop_gradient(scores), grades[rows]], tf.float32)
        loss = (2.0 - agreement) * tf.reduce_mean(tf.square(scores - grades[rows]))  # born: op=Sub kind=nan phase=data step=2 module= reached=loss
    gradients = tape.gradient(loss, scorer.trainable_variables)
    optimizer.apply_gradients(zip(gradients, scorer.trainable_variables))
    print("step", step, "agreement", agreement.numpy(), "loss", loss.numpy())
