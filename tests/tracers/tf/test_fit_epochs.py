"""Which epoch a step is in: as Keras tells its callbacks, or as the loop of the script counts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regression import Regression, X, session

from graphlens.store import Process
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

INPUTS = np.random.default_rng(3).normal(size=(24, 4)).astype(np.float32)
TARGETS = INPUTS.sum(1, keepdims=True)
Epochs = list[int | None]


def trained(process: Process) -> Epochs:
    """The epoch of each training step, in order."""
    return [call.epoch for call in process.calls() if call.role == "train" and call.parent is None]


def keras_fits(keras: Any, told: list[int], **how: Any) -> None:
    """Train twice with Keras, which tells of each training step in which epoch it is."""
    model = keras.Sequential([keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=how.pop("run_eagerly", False))

    class Told(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        epoch = -1

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            told.append(self.epoch)

    for start in (0, 5):
        model.fit(
            INPUTS, TARGETS, batch_size=8, epochs=start + 2, initial_epoch=start, verbose=0,
            callbacks=[Told()], **how,
        )  # fmt: skip
        model.evaluate(INPUTS, TARGETS, batch_size=8, verbose=0)


@pytest.mark.parametrize("how", [{}, {"validation_split": 0.25}, {"run_eagerly": True}], ids=str)
@pytest.mark.parametrize("name", ["keras", pytest.param("tf_keras", marks=pytest.mark.long)])
def test_keras_says_which_epoch_it_is(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    """Evaluation inside of an epoch is in it, and is none of its own; outside it is in none."""
    pytest.importorskip(name)
    keras = importlib.import_module(name)
    told: list[int] = []

    process = recorded(lambda: keras_fits(keras, told, **how), tmp_path / "run.glens", of=tensorflow)

    assert set(told) == {0, 1, 5, 6}
    assert trained(process) == told
    evaluated = {call.epoch for call in process.calls() if call.role == "eval" and call.parent is None}
    assert evaluated <= ({None, 0, 1, 5, 6} if "validation_split" in how else {None})


def batches() -> Any:
    return tf.data.Dataset.from_tensor_slices((INPUTS, TARGETS)).batch(8)


def a_loop_with_a_function(told: Epochs) -> None:
    weights = tf.Variable(tf.ones([4, 1]))

    @tf.function
    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ weights - y) ** 2.0)
        weights.assign_sub(0.1 * tape.gradient(loss, weights))

    for epoch in range(1, 3):
        for x, y in batches():
            step(x, y)
            told.append(epoch)


def a_loop_of_operations(told: Epochs) -> None:
    weights = tf.Variable(tf.ones([4, 1]))

    def train(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ weights - y) ** 2.0)
        weights.assign_sub(0.1 * tape.gradient(loss, weights))

    for epoch in range(2):
        for x, y in batches():
            train(x, y)
            told.append(epoch)
        tf.reduce_mean((INPUTS @ weights - TARGETS) ** 2.0)


def a_loop_that_is_not_called_so(told: Epochs) -> None:
    weights = tf.Variable(tf.ones([4, 1]))
    step = tf.function(lambda x: weights.assign_sub(tf.gradients(x @ weights, [weights])[0]))
    for _ in range(2):
        for x, _y in batches():
            step(x)
            told.append(None)


def a_session(told: Epochs) -> None:
    model = Regression(True)
    with session(model.graph) as run:
        run.run(model.init)
        for epoch in range(2):
            for _ in range(3):
                run.run(model.train, {model.x: X})
                told.append(epoch)


@pytest.mark.parametrize(
    "loop", [a_loop_with_a_function, a_loop_of_operations, a_loop_that_is_not_called_so, a_session]
)
def test_a_loop_of_the_script_counts(loop: Callable[[Epochs], None], tmp_path: Path) -> None:
    """What it counts with, for each of its steps."""
    told: Epochs = []

    process = recorded(lambda: loop(told), tmp_path / "run.glens", of=tensorflow)

    assert trained(process) == told
