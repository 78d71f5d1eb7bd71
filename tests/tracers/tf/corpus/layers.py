"""Keras layers and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from corpus.programs import PROGRAMS, numbers
from graphlens_tracers.tf.compat import tf


def layer(name: str, make: Callable[[], Any], *shape: int) -> None:
    """A Keras layer and its gradients."""

    def run() -> Any:
        keras.utils.set_random_seed(11)
        made = make()
        x = numbers(*shape) if name != "embedding" else tf.constant([[1, 2, 0]])
        made(x)

        @tf.function
        def step() -> Any:
            with tf.GradientTape() as tape:
                y = made(x, training=True)
                loss = tf.reduce_mean(y * y)
            return y, tape.gradient(loss, made.trainable_variables)

        return step()

    PROGRAMS[f"layer_{name}"] = run


LAYERS = keras.layers
layer("dense", lambda: LAYERS.Dense(3, activation="gelu"), 2, 4)
layer("conv2d", lambda: LAYERS.Conv2D(2, 3), 1, 5, 5, 2)
layer("conv1d_transposed", lambda: LAYERS.Conv1DTranspose(2, 3), 1, 4, 2)
layer("depthwise", lambda: LAYERS.DepthwiseConv2D(3), 1, 5, 5, 2)
layer("batch_norm", lambda: LAYERS.BatchNormalization(), 4, 3)
layer("layer_norm", lambda: LAYERS.LayerNormalization(), 4, 3)
layer("lstm", lambda: LAYERS.LSTM(3, return_sequences=True), 2, 4, 3)
layer("gru", lambda: LAYERS.GRU(3, recurrent_dropout=0.2), 2, 4, 3)
layer("bidirectional", lambda: LAYERS.Bidirectional(LAYERS.SimpleRNN(2)), 2, 4, 3)
layer(
    "attention",
    lambda: keras.Sequential([LAYERS.Dense(4), LAYERS.Lambda(lambda x: LAYERS.Attention()([x, x]))]),
    2,
    3,
    4,
)
layer("embedding", lambda: LAYERS.Embedding(4, 3), 0)
layer(
    "dropout",
    lambda: keras.Sequential([LAYERS.Dense(4), LAYERS.Dropout(0.5), LAYERS.GaussianNoise(0.1)]),
    3,
    4,
)
layer(
    "pooling",
    lambda: keras.Sequential([LAYERS.MaxPooling2D(), LAYERS.Conv2D(2, 1), LAYERS.GlobalAveragePooling2D()]),
    1,
    4,
    4,
    2,
)
