"""What a step is given, and what a loop hands on, is called as the script calls it."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from graphlens.store import Process
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow


def arguments(process: Process, name: str) -> list[str]:
    """What the arguments of a graph are called."""
    graph = next(one for one in process.graphs() if one.name == name)
    return [process.leaves[value].name for value in graph.arguments]


def shapes(process: Process, name: str) -> dict[str, Any]:
    """The shapes of those arguments that are variables of a loop, by name."""
    graph = next(one for one in process.graphs() if one.name == name)
    leaves = [process.leaves[value] for value in graph.arguments[2:]]
    return {leaf.name: leaf.spec.shape for leaf in leaves if "/" not in leaf.name}


def test_tensors_that_a_step_is_given(tmp_path: Path) -> None:
    """By the local name where an operation reads them, by the argument where a function does."""
    pictures, labels, more = tf.ones([4, 4]), tf.ones([4, 4]), tf.ones([9])

    def loss(x: Any, y: Any) -> Any:
        return tf.reduce_sum(x * y)

    @tf.function
    def scaled(values: Any) -> Any:
        return values * 2.0

    process = recorded(
        lambda: (loss(pictures, labels), scaled(more), scaled(np.ones(9, np.float32))),
        tmp_path / "run.glens", of=tensorflow,
    )  # fmt: skip

    inside = {value for graph in process.graphs() for value in graph.arguments}
    leaves = [leaf for value, leaf in process.leaves.items() if value not in inside]
    assert [leaf.name for leaf in leaves if leaf.kind == "batch"] == ["x", "y", "values", "values"]
    assert arguments(process, "scaled") == ["values"]


def test_a_tensor_is_gone_when_the_script_lets_it_go(tmp_path: Path) -> None:
    """Looking for its name has kept nothing."""
    gone: list[bool] = []

    def program() -> None:
        x = tf.ones([9])
        seen = weakref.ref(x)
        y = tf.exp(x)
        del x
        gone.append(seen() is None)
        tf.exp(y)

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert gone == [True]


def test_what_a_function_was_given_is_gone_at_once(tmp_path: Path) -> None:
    """Without waiting for the garbage collector."""
    gone: list[bool] = []
    double = tf.function(lambda x: x * 2.0)

    def program() -> None:
        double(tf.ones([9]))
        gc.collect()
        gc.disable()
        x = tf.ones([9])
        seen = weakref.ref(x)
        double(x)
        del x
        gone.append(seen() is None)
        gc.enable()

    program()
    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert gone == [True, True]


def test_variables_of_a_loop(tmp_path: Path) -> None:
    """Those of `while` and `for`, parts of a tuple by number; a loop without AutoGraph says none."""

    @tf.function
    def loops(first: Any, second: Any) -> Any:
        total, pair = tf.constant(0.0), (first, second)
        while total < 100.0:
            total += tf.reduce_sum(pair[0])
            pair = (pair[1], pair[0] + 1.0)
        return total

    @tf.function
    def counted(x: Any) -> Any:
        for k in tf.range(3):
            x += tf.cast(k, tf.float32)
        return x

    @tf.function
    def plain(x: Any) -> Any:
        return tf.while_loop(lambda x: tf.reduce_sum(x) < 9.0, lambda x: (x + 1.0,), [x])

    one = tf.ones([2])
    looped = recorded(lambda: loops(one, one), tmp_path / "1.glens", of=tensorflow)
    over = recorded(lambda: counted(one), tmp_path / "2.glens", of=tensorflow)
    none = recorded(lambda: plain(one), tmp_path / "3.glens", of=tensorflow)

    counters = ["loop_counter", "maximum_iterations"]
    for graph in ("while_cond", "while_body"):
        assert arguments(looped, graph)[:2] == counters
        assert shapes(looped, graph) == {"total": (), "pair.0": (2,), "pair.1": (2,)}
        assert [name for name in arguments(over, graph) if "/" not in name] == [*counters, "x"]
    assert all("/" in name for name in arguments(none, "while_body"))
