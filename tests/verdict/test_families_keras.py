"""No false alarm on healthy models of Keras; larger ones are in tests/libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

import keras  # needs TensorFlow, as what follows
import numpy as np

from verdict.healthy_keras import WORDS, Made, check, sentences
from verdict.truth import some


def masked_attention() -> Made:
    words = keras.Input((WORDS,), dtype="int32")
    x = keras.layers.Embedding(30, 16, mask_zero=True)(words)
    x = x + keras.layers.MultiHeadAttention(2, 8, dropout=0.1)(x, x, use_causal_mask=True)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.Attention(use_scale=True)([x, x], use_causal_mask=True)
    model = keras.Model(words, keras.layers.Dense(30, activation="softmax")(x))
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy")
    return model, sentences(), sentences()


def mixed_precision() -> Made:
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(3, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-2), initial_scale=1024.0), loss)
    return model, np.random.rand(8, 8, 8, 3), np.random.randint(0, 3, 8)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("make", some([mixed_precision, masked_attention], 2))
def test_no_harm_is_said_of_a_healthy_family(make: Callable[[], Made], tmp_path: Path) -> None:
    check(make, tmp_path / "run.glens")
