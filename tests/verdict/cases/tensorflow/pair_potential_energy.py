"""Fits a pair potential to the energies of small clusters of atoms."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(408)
rng = np.random.default_rng(408)
clusters = rng.uniform(-1.6, 1.6, size=(64, 6, 3)).astype("float32")


def pair_terms(positions):
    """The sums over all pairs of the inverse sixth and third powers of the squared distance."""
    apart = positions[:, None, :] - positions[None, :, :]
    squared = tf.maximum(tf.reduce_sum(tf.square(apart), axis=-1), 0.6 * (1.0 - tf.eye(6)))
    inverse = tf.linalg.set_diag(tf.pow(squared, -3.0), tf.zeros(6))  # benign: op=Pow kind=inf reason="an atom and itself, replaced by set_diag"
    return tf.stack([0.5 * tf.reduce_sum(tf.square(inverse)), 0.5 * tf.reduce_sum(inverse)])


terms = tf.stack([pair_terms(cluster) for cluster in clusters])
energy = terms @ [[1.0], [-2.0]] + rng.normal(0.0, 0.05, size=(64, 1)).astype("float32")
data = tf.data.Dataset.from_tensor_slices((clusters, energy))
data = data.map(lambda positions, target: (pair_terms(positions), target)).batch(16)

model = keras.Sequential([keras.layers.Dense(1, use_bias=False, name="strengths")], name="potential")
model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mean_absolute_error")
history = model.fit(data, epochs=3, verbose=0)
print("loss", [round(value, 4) for value in history.history["loss"]])
