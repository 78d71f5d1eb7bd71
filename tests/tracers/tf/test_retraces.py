"""Why a function was traced again: the argument that was not as before."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from graphlens.cli import main
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow


class Settings:
    """An argument that TensorFlow tells by which object it is."""


def reasons(program: Callable[[], object], path: Path, name: str) -> list[str]:
    """Of each trace of this function, in order."""
    process = recorded(program, path / "run.glens", of=tensorflow)
    return [graph.because for graph in process.graphs() if graph.family == name]


ONE, THREE = [1.0], [1.0, 2.0, 3.0]
CALLS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "shape": (
        [{"x": ONE}, {"x": THREE}, {"x": [[1.0]]}],
        ["x: float32[3], was float32[1]", "x: float32[1,1], was float32[3]"],
    ),
    "type": ([{"x": [1]}, {"x": ONE}], ["x: float32[1], was int32[1]"]),
    "Python value": (
        [{"training": True}, {"training": False}, {"training": 3}],
        ["training: False, was True", "training: 3, was False"],
    ),
    "the trace most like it": (
        [{"x": ONE}, {"x": THREE, "training": True}, {"x": ONE, "training": True}],
        ["x: float32[3], was float32[1]", "x: float32[1], was float32[3]"],
    ),
    "structure": (
        [{"more": {"a": [1]}}, {"more": {"a": [1], "b": 2}}, {"more": {"a": ["one"]}}],
        ["more: dict of 2, was dict of 1", "more['a'][0]: 'one', was 1"],
    ),
    "one more argument": ([{}, {"other": 1}], ["other: 1, was not given"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_first_argument_that_differs_is_named(name: str, tmp_path: Path) -> None:
    """As TensorFlow compares them: nothing is said of the first trace, or where there is no new one."""
    calls, expected = CALLS[name]

    def program() -> None:
        @tf.function
        def step(x: Any, training: Any = False, more: Any = None, **others: Any) -> Any:
            return x * 2

        for call in calls * 2:
            step(**call | {"x": tf.constant(call.get("x", ONE))})

    assert reasons(program, tmp_path, "step") == ["", *expected]


def test_another_object_is_told_from_the_same(tmp_path: Path) -> None:
    """Also where it lies where the first one was."""

    def program() -> None:
        step = tf.function(lambda x, settings: x)
        kept = Settings()
        step(tf.constant(ONE), kept)
        step(tf.constant(THREE), kept)
        for _ in range(2):
            step(tf.constant(ONE), Settings())
            gc.collect()

    assert reasons(program, tmp_path, "<lambda>") == [
        "", "x: float32[3], was float32[1]", "settings: another Settings", "settings: another Settings",
    ]  # fmt: skip


def test_a_function_that_is_made_anew_is_no_argument(tmp_path: Path) -> None:
    """The mistake of calling tf.function in a loop."""

    def step(x: Any) -> Any:
        return x + 1.0

    found = reasons(lambda: [tf.function(step)(tf.constant(ONE)) for _ in range(2)], tmp_path, "step")

    assert found == ["", "the same arguments, but another tf.function, device or strategy"]


def test_gradients_and_branches_are_no_retraces(tmp_path: Path) -> None:
    """They are made of traces."""

    @tf.function
    def step(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * 2.0, lambda: x)

    def program() -> None:
        for _ in range(2):
            with tf.GradientTape() as tape:
                x = tf.constant(ONE)
                tape.watch(x)
                y = step(x)
            tape.gradient(y, x)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert {graph.because for graph in process.graphs()} == {""}


def test_a_short_last_batch_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keras is given batches of two sizes; `show` says it as text and as JSON."""

    def program() -> None:
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        for size in (4, 4, 3):
            model.train_on_batch(np.ones((size, 2), np.float32), np.ones((size, 1), np.float32))

    run = tmp_path / "run.glens"
    recorded(program, run, of=tensorflow)

    assert main(["show", str(run), "graphs", "--json"]) == 0
    graphs = json.loads(capsys.readouterr().out)["graphs"]
    found = [graph["because"] for graph in graphs if graph["because"]]
    assert any(one.endswith(("[3,2], was float32[4,2]", "[?,2], was float32[4,2]")) for one in found)
    assert main(["show", str(run), "graphs"]) == 0
    assert f"traced again: {found[0]}" in capsys.readouterr().out
