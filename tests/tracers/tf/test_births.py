"""What is kept of a birth inside of a function: against NumPy, and nothing but the first time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlens
from graphlens.ops import command_to_see
from graphlens.store import Process
from graphlens_tracers.api import Keep
from graphlens_tracers.events import Seq
from graphlens_tracers.tf import births
from graphlens_tracers.tf.compat import tf
from recorded import BAD, ops, recording, tensorflow

Found = tuple[str, int | None, dict[tuple[int | None, int | None], Any]]


def recorded(program: Callable[[], object], path: Path, keep: Keep = BAD) -> Process:
    """What was recorded of a program."""
    with recording(path, of=tensorflow, keep=keep):
        program()
    return graphlens.load(path).main


def born(process: Process) -> list[Found]:
    """Type and iteration of each operation of which elements are kept, and those."""
    found = []
    for seq, op in enumerate(ops(process)):
        kept = process.kept(Seq(seq))
        if kept:
            elements = {key: process.elements(one).array for key, one in kept.items()}
            call = process.op(Seq(seq)).call
            assert call is not None
            found.append((op, call.iteration, elements))
    return found


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_elements_are_those_that_were_read_and_made(kind: str, tmp_path: Path) -> None:
    """Bit for bit, also of two inputs that are broadcast."""
    x = tf.cast(tf.constant([[1.5, 0.0, -3.0], [4.0, 0.0, 7.25]]), kind)
    y = tf.cast(tf.constant([2.0, 0.0, 0.5]), kind)
    function = tf.function(lambda x, y: tf.raw_ops.RealDiv(x=x, y=y) * 2)
    ((op, iteration, kept),) = born(recorded(lambda: function(x, y), tmp_path / "run.glens"))

    assert (op, iteration) == ("RealDiv", None)
    for key, tensor in (((0, None), x), ((1, None), y), ((None, 0), x / y)):
        wanted = tensor.numpy()
        wanted = wanted.astype(np.float32) if kind == "bfloat16" else wanted
        np.testing.assert_array_equal(kept[key], wanted)


def test_births_in_branches_calls_and_iterations(tmp_path: Path) -> None:
    """Each with the iteration that it was in."""

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def called(x: Any) -> Any:
        return tf.math.log(x)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(x: Any) -> Any:
        found = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.math.reciprocal(x), lambda: x)
        low = x + 40.0
        for _ in tf.range(6):
            low = tf.sqrt(low - 1.0)
        return tf.reduce_sum(found) + tf.reduce_sum(low) + tf.reduce_sum(called(x + 0.0))

    x = np.array([0.0, 1e6, 40.0], np.float32)
    found = born(recorded(lambda: step(tf.constant(x)), tmp_path / "run.glens"))

    low, iteration = x + 40, 0
    while (low >= 1).all():
        low, iteration = np.sqrt(low - 1), iteration + 1
    assert sorted((op, at) for op, at, _ in found) == [
        ("Log", None),
        ("Reciprocal", None),
        ("Sqrt", iteration),
    ]
    by_op = {op: kept for op, _, kept in found}
    np.testing.assert_array_equal(by_op["Log"][0, None], x)
    np.testing.assert_array_equal(by_op["Reciprocal"][None, 0], [np.inf, np.float32(1e-6), np.float32(0.025)])
    np.testing.assert_allclose(by_op["Sqrt"][0, None], low - 1, rtol=1e-6)


def test_a_birth_of_a_later_step_is_kept_and_what_comes_of_it_is_not(tmp_path: Path) -> None:
    """Steps go on with NaN in everything: those are no births."""
    weight = tf.Variable([1.0, 2.0, 5.0])

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.math.log(weight * x))
        weight.assign_sub(0.1 * tape.gradient(loss, weight))
        return tf.sqrt(loss + 100.0)

    def program() -> None:
        for k in range(5):
            step(tf.constant([1.0, 1.0, -1.0 if k == 2 else 1.0]))

    process = recorded(program, tmp_path / "run.glens")
    found = [(op, kept) for op, _, kept in born(process)]
    assert [op for op, _ in found] == ["Log"]
    assert found[0][1][0, None][2] < 0 and np.isnan(found[0][1][None, 0][2])
    calls = [process.op(Seq(seq)).call for seq in range(process.op_count) if process.kept(Seq(seq))]
    assert {call.step for call in calls if call is not None} == {2}


def test_an_infinity_of_every_step_is_given_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask that makes one each time costs its elements once."""
    read: list[object] = []
    original = births.Births.read

    def counted(self: births.Births, *args: Any) -> Any:
        read.append(args)
        return original(self, *args)

    monkeypatch.setattr(births.Births, "read", counted)
    step = tf.function(lambda x: tf.where(x > 0, tf.math.log(x), 0.0))
    found = born(recorded(lambda: [step(tf.constant([0.0, 1.0])) for _ in range(4)], tmp_path / "run.glens"))
    assert [op for op, _, _ in found] == ["Log"] and len(read) == 1


def test_nothing_is_asked_where_nothing_is_kept_or_a_tensor_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The range is there all the same."""
    step = tf.function(lambda x: tf.math.log(x))
    process = recorded(lambda: step(tf.zeros([8])), tmp_path / "none.glens", Keep.of("none"))
    assert not born(process)

    monkeypatch.setattr(births, "LARGEST", 7)
    process = recorded(lambda: step(tf.zeros([8])), tmp_path / "large.glens")
    assert not born(process)
    (log,) = [seq for seq, op in enumerate(ops(process)) if op == "Log"]
    assert process.op(Seq(log)).outputs[0].low == -np.inf


def test_random_numbers_and_sums_are_as_without(tmp_path: Path) -> None:
    """Kernels that remember where they were go on after a birth as before it."""

    def losses() -> list[Any]:
        tf.random.set_seed(5)

        @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def step(x: Any) -> Any:
            noise = tf.random.normal([3], seed=2)
            y = tf.math.log(x * noise)
            return tf.add_n([y, y * noise, noise, tf.sqrt(noise)]) + tf.random.uniform([3])

        return [step(tf.constant([1.0, 0.0, 2.0])).numpy() for _ in range(4)]

    plain = losses()
    watched: list[Any] = []
    recorded(lambda: watched.extend(losses()), tmp_path / "run.glens")
    np.testing.assert_array_equal(watched, plain)


def test_what_is_not_kept_inside_of_a_function_is_to_be_held(tmp_path: Path) -> None:
    """No step of it is kept as a whole: a breakpoint is what shows it."""
    step = tf.function(lambda x: tf.math.log(x * 2.0))
    process = recorded(lambda: step(tf.ones([8])), tmp_path / "run.glens", Keep.of("all"))
    inside, outside = (ops(process).index(op) for op in ("Mul", "StatefulPartitionedCall"))

    assert not process.kept(Seq(inside)) and process.kept(Seq(outside))
    told = command_to_see(process, process.op(Seq(inside)))
    assert re.fullmatch(r"run --break test_births.py:\d+", told)
    assert command_to_see(process, process.op(Seq(outside))) == "record --keep all"
