"""Healthy models of Keras, trained with `fit` for two steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from recorded import tensorflow
from verdict.judged import judged

Made = tuple[Any, Any, Any]  # Any: Keras has the wrong types
"""A compiled model, its inputs, and its targets: two batches of four."""
WORDS = 7


def application(name: str, size: int = 32, **settings: Any) -> Callable[[], Made]:
    """A network for pictures of `keras.applications`."""

    def make() -> Made:
        network = getattr(keras.applications, name)
        model = network(weights=None, input_shape=(size, size, 3), classes=3, **settings)
        model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy")
        return model, np.random.rand(8, size, size, 3) * 255.0, np.random.randint(0, 3, 8)

    return make


def sentences() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Eight sentences, 0 for padding."""
    ids = np.random.randint(1, 30, (8, WORDS))
    ids[::2, 4:] = 0
    return ids


def masked_recurrence() -> Made:
    words = keras.Input((WORDS,), dtype="int32")
    x = keras.layers.Embedding(30, 16, mask_zero=True)(words)
    x = keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True))(x)
    x = keras.layers.GRU(8, reset_after=False, recurrent_dropout=0.1)(x)
    model = keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), "binary_crossentropy")
    return model, sentences(), np.random.randint(0, 2, (8, 1))


def trained(make: Callable[[], Made]) -> list[float]:
    """The losses, and the largest number of what is trained."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model, inputs, targets = make()
    losses = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0).history["loss"]
    return [*losses, max(float(np.abs(one).max()) for one in model.get_weights() if np.size(one))]


def check(make: Callable[[], Made], run: Path) -> None:
    """It is healthy, and no harm is said; nothing in it is infinite."""
    noted: list[float] = []
    answer = judged(lambda: noted.extend(trained(make)), run, tensorflow)

    assert bool(np.isfinite(noted).all())
    assert answer["origin"] is None
    assert answer["status"] in ("clean", "incomplete"), answer["coverage"]
    assert answer["benign"] == []
