"""Keras: the steps that a person would count, layers by name, and the same weights as without us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import Phase
from graphlens_tracers.tf.compat import tf
from recorded import recorded, recording, tensorflow


def data() -> tuple[Any, Any]:
    """24 small pictures of three kinds."""
    numbers = np.random.default_rng(0)
    return numbers.normal(size=(24, 6, 6, 1)).astype(np.float32), np.arange(24) % 3


def convolutional() -> Any:
    """A small network with everything that behaves otherwise in training."""
    return keras.Sequential([
        keras.layers.Input((6, 6, 1)), keras.layers.Conv2D(3, 3, activation="relu", name="conv"),
        keras.layers.BatchNormalization(name="norm"), keras.layers.Flatten(), keras.layers.Dropout(0.3),
        keras.layers.Dense(3, name="head"),
    ])  # fmt: skip


def recurrent() -> Any:
    """Layers that are loops."""
    return keras.Sequential([
        keras.layers.Input((6, 6, 1)), keras.layers.Reshape((6, 6)), keras.layers.LSTM(5, name="lstm"),
        keras.layers.Dense(3, name="head"),
    ])  # fmt: skip


def fitted(make: Callable[[], Any], **how: Any) -> tuple[bytes, Any]:
    """The weights after training, and the history."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    model = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(how.pop("optimizer", "adam"), loss, metrics=["accuracy"], **how)
    history = model.fit(*data(), batch_size=8, epochs=2, verbose=0)
    return b"".join(one.tobytes() for one in model.get_weights()), history.history


@pytest.fixture(autouse=True)
def _unoptimised() -> Any:
    """What is looked at cannot be fused: without Grappler, nothing is."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


WAYS: dict[str, tuple[Callable[[], Any], dict[str, Any], int]] = {
    "as it is": (convolutional, {}, 6),
    "several steps at a time": (convolutional, {"steps_per_execution": 3}, 6),
    "momentum": (convolutional, {"optimizer": "sgd"}, 6),
    "loops": (recurrent, {}, 6),
    "compiled": (convolutional, {"jit_compile": True}, 6),
}


@pytest.mark.parametrize("name", WAYS)
def test_weights_are_the_same_and_steps_are_counted(name: str, tmp_path: Path) -> None:
    """To the bit, with every number looked at; three batches in each of two epochs are six steps."""
    make, how, steps = WAYS[name]
    plain = fitted(make, **how) if "jit_compile" not in how else None
    traced: list[Any] = []

    process = recorded(lambda: traced.append(fitted(make, **how)), tmp_path / "run.glens", of=tensorflow)

    if plain is not None:
        assert traced[0] == plain
    trained = [call for call in process.calls() if call.role == "train"]
    assert {call.step for call in trained} == set(range(steps))
    names = {graph.graph: graph.name for graph in process.graphs()}
    inner = Counter(names[call.graph].partition("#")[0] for call in trained)
    assert inner["one_step_on_data"] == steps


def modules(process: Process) -> dict[tuple[str, Phase], set[str]]:
    """By layer and phase, which operations there are."""
    found: dict[tuple[str, Phase], set[str]] = {}
    for node in process.nodes.values():
        found.setdefault((process.scope_path(node), node.phase), set()).add(node.op)
    return found


def test_operations_are_in_their_layers(tmp_path: Path) -> None:
    """Forward by the call of the layer, backward by what is differentiated; the optimizer's are in none."""
    process = recorded(lambda: fitted(convolutional), tmp_path / "run.glens", of=tensorflow)

    found = modules(process)
    root = next(scope.path for scope in process.scopes.values() if scope.parent is None)
    assert "Conv2D" in found[f"{root}.conv", Phase.FORWARD]
    assert "Conv2DBackpropFilter" in found[f"{root}.conv", Phase.BACKWARD]
    assert "MatMul" in found[f"{root}.head", Phase.FORWARD]
    assert "MatMul" in found[f"{root}.head", Phase.BACKWARD]
    assert any(op.startswith("AssignSub") for op in found["", Phase.OPTIMIZER])
    assert not any(phase is Phase.OPTIMIZER and path for path, phase in found)
    assert "IteratorGetNext" in found["", Phase.DATA]


def test_evaluation_is_no_step(tmp_path: Path) -> None:
    """Neither is prediction: they belong to the step before."""

    def program() -> None:
        model = convolutional()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        x, y = data()
        model.fit(x, y, batch_size=12, verbose=0)
        model.evaluate(x, y, batch_size=12, verbose=0)
        model.predict(x, batch_size=12, verbose=0)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    steps = Counter((call.role, call.step) for call in process.calls() if call.parent is None)
    assert steps["train", 0] == steps["train", 1] == 1
    assert set(steps) <= {("setup", None), ("train", 0), ("train", 1), ("eval", 1), ("other", 1)}
    assert steps["eval", 1] >= 3


def test_only_the_steps_that_are_wanted(tmp_path: Path) -> None:
    """The others are counted, and the weights are the same."""
    plain = fitted(convolutional)
    traced: list[Any] = []

    with recording(tmp_path / "run.glens", steps=(2, 4), of=tensorflow):
        traced.append(fitted(convolutional))

    process = graphlens.load(tmp_path / "run.glens").main
    assert traced[0] == plain
    assert {call.step for call in process.calls() if call.role == "train"} == {2, 3}
    assert [(gap.what, gap.count) for gap in process.gaps if "outside" in gap.what] == [
        ("training steps outside of 2:4", 4)
    ]


def test_without_numbers_steps_are_the_same(tmp_path: Path) -> None:
    """At level structure nothing is looked at, but what is called is known."""
    process = recorded(lambda: fitted(convolutional), tmp_path / "run.glens", "structure", tensorflow)

    names = {graph.graph: graph.name for graph in process.graphs()}
    inner = [call for call in process.calls() if names[call.graph] == "one_step_on_data"]
    assert [call.step for call in inner] == list(range(6))
