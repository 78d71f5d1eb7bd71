"""Trains a mixture of experts whose router keeps the best two."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(114)


class Experts(keras.layers.Layer):
    def __init__(self, count, units, **kwargs):
        super().__init__(**kwargs)
        self.router = keras.layers.Dense(count, name="router")
        self.experts = [keras.layers.Dense(units, activation="relu", name=f"expert{i}") for i in range(count)]

    def call(self, x):
        logits = self.router(x)
        second = tf.math.top_k(logits, 2).values[:, -1:]
        gates = tf.nn.softmax(tf.where(logits < second, -np.inf, logits))  # benign: op=SelectV2 kind=inf reason="a constant, removed by softmax"
        entropy = -tf.reduce_sum(tf.math.xlogy(gates, gates), axis=-1)
        self.add_loss(-0.01 * tf.reduce_mean(entropy))
        outputs = tf.stack([expert(x) for expert in self.experts], axis=1)
        return tf.einsum("be,beu->bu", gates, outputs)


inputs = keras.Input((6,))
outputs = keras.layers.Dense(1, name="out")(Experts(4, 8, name="experts")(inputs))
model = keras.Model(inputs, outputs, name="mixture")
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse")
rng = np.random.default_rng(114)
x = rng.normal(size=(48, 6)).astype("float32")
history = model.fit(x, np.abs(x[:, :1]), batch_size=16, epochs=2, verbose=0)
print("loss", [round(value, 4) for value in history.history["loss"]])
