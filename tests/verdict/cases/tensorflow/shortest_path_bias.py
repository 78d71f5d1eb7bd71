"""Classify the atoms of small molecules with attention that is biased by how near atoms are."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(19)
rng = np.random.default_rng(19)
ATOMS, WIDTH = 7, 8


def molecule():
    bonds = np.zeros((ATOMS, ATOMS), "float32")
    for atom in range(1, ATOMS):
        if atom != 4:  # where the second fragment begins
            other = rng.integers(0 if atom < 4 else 4, atom)
            bonds[atom, other] = bonds[other, atom] = 1
    return bonds


@tf.function
def distances(bonds):
    far = tf.fill(tf.shape(bonds), np.float32(np.inf))  # benign: op=Fill kind=inf reason="the length of no path"
    path = tf.linalg.set_diag(tf.where(bonds > 0, bonds, far), tf.zeros([ATOMS]))
    for k in tf.range(ATOMS):
        path = tf.minimum(path, path[:, k, None] + path[None, k, :])
    return path


class NearAttention(tf.keras.layers.Layer):
    def __init__(self):
        super().__init__(name="near")
        self.q, self.k, self.v = (tf.keras.layers.Dense(WIDTH) for _ in range(3))
        self.slope = self.add_weight(shape=(), initializer="ones", name="slope")

    def call(self, x, path):
        bias = self.slope / (1.0 + path)
        scores = tf.matmul(self.q(x), self.k(x), transpose_b=True) / WIDTH**0.5
        return tf.matmul(tf.nn.softmax(scores + bias), self.v(x))


molecules = [molecule() for _ in range(6)]
paths = tf.stack([distances(tf.constant(bonds)) for bonds in molecules])
labels = tf.constant([bonds.sum(axis=1) > 1 for bonds in molecules])
atoms = tf.constant(rng.normal(size=(6, ATOMS, WIDTH)).astype("float32"))
attention, head = NearAttention(), tf.keras.layers.Dense(1)
optimizer = tf.keras.optimizers.Adam(0.02)
for step in range(6):
    with tf.GradientTape() as tape:
        logits = tf.squeeze(head(atoms + attention(atoms, paths)), -1)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits))
    variables = attention.trainable_variables + head.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    print(f"{step} {loss.numpy():.5f}")
