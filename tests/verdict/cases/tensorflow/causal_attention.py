"""Trains a two-head causal transformer block to continue a sequence."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(101)


class CausalBlock(keras.layers.Layer):
    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.size = heads, width // heads
        self.project = keras.layers.Dense(3 * width, name="project")
        self.out = keras.layers.Dense(width, name="out")
        self.norm = keras.layers.LayerNormalization(name="norm")

    def call(self, x):
        batch, length, width = tf.shape(x)[0], x.shape[1], x.shape[2]
        qkv = tf.reshape(self.project(self.norm(x)), [batch, length, 3, self.heads, self.size])
        q, k, v = tf.unstack(qkv, axis=2)
        scores = tf.einsum("bqhd,bkhd->bhqk", q, k) / self.size**0.5
        future = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
        scores = tf.where(future, scores, float("-inf"))  # benign: op=SelectV2 kind=inf reason="a constant, removed by softmax"
        mixed = tf.einsum("bhqk,bkhd->bqhd", tf.nn.softmax(scores), v)
        return x + self.out(tf.reshape(mixed, [batch, length, width]))


rng = np.random.default_rng(101)
tokens = (rng.integers(0, 11, size=(24, 1)) + np.arange(9)) % 11
model = keras.Sequential(
    [keras.layers.Embedding(11, 16), CausalBlock(16, 2, name="block"), keras.layers.Dense(11)], name="lm"
)
model.compile(
    optimizer=keras.optimizers.Adam(1e-2), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
)
history = model.fit(tokens[:, :-1], tokens[:, 1:], batch_size=8, epochs=2, verbose=0)
print("losses", [round(value, 4) for value in history.history["loss"]])
