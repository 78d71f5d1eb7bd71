"""Predict the mixture of topics of a document as a Dirichlet distribution."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(5)
rng = np.random.default_rng(5)
TOPICS = 4

documents = rng.poisson(1.0, (80, 12)).astype("float32")
weights = rng.normal(0, 0.4, (12, TOPICS))
proportions = np.exp(documents @ weights)
proportions = (proportions / proportions.sum(axis=1, keepdims=True)).clip(1e-4).astype("float32")


def dirichlet_nll(y, alpha):
    parts = tf.reduce_sum(tf.math.lgamma(alpha), axis=-1)  # born: op=Lgamma kind=inf phase=forward step=0 module= reached=loss
    whole = tf.math.lgamma(tf.reduce_sum(alpha, axis=-1))
    return parts - whole - tf.reduce_sum((alpha - 1.0) * tf.math.log(y), axis=-1)


model = keras.Sequential(
    [
        keras.Input((12,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(TOPICS, activation="relu", bias_initializer="ones", name="concentration"),
    ],
    name="topics",
)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=dirichlet_nll)
history = model.fit(documents, proportions, batch_size=16, epochs=2, shuffle=False, verbose=0)
print("loss by epoch:", history.history["loss"])
