"""What whoever listens is told, and what comes of its answers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from interpreting import Hearing, interpreted
from outcomes import bytes_of

from graphlens_tracers.tf.compat import tf
from graphlens_tracers.tf.interpreter import Misfit
from graphlens_tracers.tf.moments import Moment, Way


def numbers() -> Any:
    """Four of them."""
    return tf.constant([0.5, -1.25, 2.0, 0.125])


def straight(x: Any) -> Any:
    """Operations that nobody needs are left out."""
    tf.cos(x)
    y = tf.exp(x) * 2.0
    return y + tf.sin(y), tf.reduce_sum(y)


def loop(x: Any) -> Any:
    for k in tf.range(3):
        if k == 1:
            x = tf.tanh(x)
        else:
            x = inner(x)
    return x


@tf.function
def inner(x: Any) -> Any:
    return x * 2.0


def test_each_operation_once_behind_those_it_needs() -> None:
    """As TensorFlow's own graph has them; and each is given just the tensors that those made."""
    function = tf.function(straight)
    concrete = function.get_concrete_function(numbers())
    graph, name = concrete.graph, concrete.function_def.signature.name
    made: dict[tuple[str, int], Any] = {}

    def check(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        op = graph.get_operation_by_name(moment.node)
        assert moment.kind == op.type
        for given, tensor in zip(moment.inputs, op.inputs, strict=True):
            assert tensor.op.type == "Placeholder" or given is made[tensor.op.name, tensor.value_index]
        for control in op.control_inputs:
            assert control.name in hearing.nodes
        made.update(((moment.node, slot), output) for slot, output in enumerate(outputs))
        return outputs

    hearing = Hearing(change=check)
    with interpreted(hearing):
        function(numbers())

    alone = {op.name for op in graph.get_operations() if op.type == "Cos"}
    names = [op.name for op in graph.get_operations() if op.type != "Placeholder" and op.name not in alone]
    assert sorted(hearing.nodes) == sorted(names)
    assert {moment.frame.function for moment in hearing.ran} == {name}


def test_where_a_moment_is() -> None:
    """Function, loop, iteration, branch, function: outermost first."""
    hearing = Hearing()
    with interpreted(hearing):
        tf.function(loop)(numbers())

    stacks = {
        moment.kind: [(one.part, one.iteration) for one in moment.frame.stack]
        for moment in hearing.ran
        if moment.kind in ("Tanh", "StatelessWhile")
    }
    assert stacks["StatelessWhile"] == [("", None)]
    assert stacks["Tanh"] == [("", None), ("body", 1), ("then_branch", None)]
    doubled = [moment for moment in hearing.ran if moment.kind == "Mul"]
    assert [[one.iteration for one in moment.frame.stack] for moment in doubled] == [
        [None, 0, None, None], [None, 2, None, None],
    ]  # fmt: skip
    assert [one.part for one in doubled[0].frame.stack] == ["", "body", "else_branch", "f"]
    conditions = [m.frame.iteration for m in hearing.ran if m.frame.part == "cond" and m.kind == "Identity"]
    assert conditions == [0, 1, 2, 3]
    (again,) = [moment for moment in hearing.ran if moment.kind == "StatelessWhile"]
    assert set(again.enters) == {"cond", "body"}
    assert {moment.frame.run.serial for moment in hearing.ran} == {again.frame.run.serial}


def test_what_runs_as_a_whole_is_not_heard() -> None:
    hearing = Hearing(lambda moment: Way.WHOLE)
    with interpreted(hearing):
        found = tf.function(loop)(numbers())

    assert np.array_equal(found, tf.tanh(numbers() * 2.0) * 2.0)
    assert "StatelessWhile" in {moment.kind for moment in hearing.ran}
    assert {len(moment.frame.stack) for moment in hearing.ran} == {1}


def test_the_run_goes_on_with_other_tensors() -> None:
    """In the second iteration only."""

    def change(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        second = any(one.iteration == 1 for one in moment.frame.stack)
        return [outputs[0] + 100.0] if second and moment.kind == "Tanh" else outputs

    with interpreted(Hearing(change=change)):
        found = tf.function(loop)(numbers())

    assert np.array_equal(found, (tf.tanh(numbers() * 2.0) + 100.0) * 2.0)


def test_a_branch_goes_another_way() -> None:
    """What decides is a tensor like any other."""

    def change(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        return [tf.constant(False)] if moment.kind == "Greater" else outputs

    function = tf.function(lambda x: tf.cond(x > 0.0, lambda: x * 2.0, lambda: x - 1.0))
    with interpreted(Hearing(change=change)):
        assert float(function(tf.constant(3.0))) == 2.0
    assert float(function(tf.constant(3.0))) == 6.0


MISFITS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "another type": (lambda x: [tf.cast(x, tf.float64)], "Exp:0: float64 is not float32"),
    "another shape": (lambda x: [x[:2]], r"Exp:0: shape \(2,\) is not \(4,\)"),
    "no tensor": (lambda x: [x.numpy()], "Exp:0: ndarray is no tensor"),
    "too many": (lambda x: [x, x], "Exp has 1 outputs, not 2"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_refused(name: str) -> None:
    wrong, words = MISFITS[name]

    def change(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        changed: Sequence[Any] = wrong(outputs[0]) if moment.kind == "Exp" else outputs
        return changed

    with interpreted(Hearing(change=change)), pytest.raises(Misfit, match=words):
        tf.function(straight)(numbers())


def test_an_error_is_told_where_it_is_raised_and_around() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def fails(x: Any) -> Any:
        for _ in tf.range(2):
            x = tf.reshape(x, [3 + tf.size(x)])
        return x

    hearing = Hearing()
    with interpreted(hearing), pytest.raises(tf.errors.InvalidArgumentError, match="Input to reshape"):
        fails(numbers())

    assert [node.rpartition("/")[2] for node, _ in hearing.failures] == ["Reshape", "while"]
    assert len({error for _, error in hearing.failures}) == 1


def test_a_tensor_goes_with_its_last_reader() -> None:
    made: dict[str, weakref.ref[Any]] = {}
    there: dict[str, set[str]] = {}

    class Watching(Hearing):
        def before(self, moment: Moment) -> Way:
            there[moment.node] = {name for name, reference in made.items() if reference() is not None}
            return Way.ENTER

        def after(self, moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
            made.update((moment.node, weakref.ref(output)) for output in outputs[:1])
            return outputs

    @tf.function
    def chain(x: Any) -> Any:
        first = tf.sin(x, name="first")
        second = tf.exp(first, name="second")
        third = tf.add(first, second, name="third")
        return tf.cos(tf.tanh(third, name="fourth"), name="fifth")

    with interpreted(Watching()):
        chain(numbers())

    assert there["second"] == {"first"}
    assert there["third"] == {"first", "second"}
    assert there["fourth"] == {"third"}
    assert there["fifth"] == {"fourth"}


def test_who_listens_may_change_between_two_operations() -> None:
    """Nobody hears of the rest of the call, which is as it would have been."""
    with interpreted(None) as made:

        def change(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
            if moment.kind == "Tanh":
                made.listener = None
            return outputs

        made.listener = hearing = Hearing(change=change)
        found = tf.function(loop)(numbers())

    assert hearing.ran[-1].kind == "Tanh"
    assert np.array_equal(found, tf.tanh(numbers() * 2.0) * 2.0)


def test_a_function_that_is_gone_is_forgotten() -> None:
    hearing = Hearing()
    with interpreted(hearing) as made:
        function = tf.function(lambda x: x * 2.0)
        function(numbers())
        (name,) = {moment.frame.function for moment in hearing.ran}
        assert made.interpreter.knows(name)
        hearing.ran.clear()
        del function
        inner(numbers())

        assert not made.interpreter.knows(name)


def collective(x: Any) -> Any:
    """Waits for another device, if it ran."""
    return tf.raw_ops.CollectiveReduceV2(
        input=x, group_size=2, group_key=1, instance_key=1, ordering_token=[], merge_op="Add", final_op="Id"
    )


def referring(x: Any) -> Any:
    """A variable whose memory is handed around."""
    with tf.init_scope(), tf.Graph().as_default() as graph:
        tf.raw_ops.VariableV2(shape=[4], dtype=tf.float32, name="memory")
    found = tf.graph_util.import_graph_def(graph.as_graph_def(), {}, ["memory:0"], name="")
    return tf.identity(found[0]) + x


WHY: dict[str, tuple[Any, str | None]] = {
    "ordinary": (tf.function(loop), None),
    "compiled": (tf.function(straight, jit_compile=True), "XLA compiles it"),
    "a compiled one inside": (tf.function(lambda x: tf.function(straight, jit_compile=True)(x)), None),
    "several devices": (tf.function(collective), "it runs on several devices at once"),
    "several devices inside": (tf.function(lambda x: tf.function(collective)(x)), "it runs on several devices at once"),  # noqa: E501  # a row
    "TensorFlow 1": (tf.function(referring), "it has variables of TensorFlow 1 that are no resources"),
}  # fmt: skip


RUN = ("ordinary", "compiled", "a compiled one inside")
"""Of those, the ones that may run here."""


@pytest.mark.parametrize("name", WHY)
def test_why_a_function_cannot_be_interpreted(name: str) -> None:
    """Then it runs as a whole, if it runs at all."""
    function, why = WHY[name]
    concrete = function.get_concrete_function(tf.TensorSpec([4]))
    plain = bytes_of(function(numbers())) if name in RUN else []

    hearing = Hearing()
    with interpreted(hearing) as made:
        assert made.interpreter.why_not(concrete.function_def.signature.name) == why
        if name in RUN:
            assert bytes_of(function(numbers())) == plain
            assert bool(hearing.ran) == (why is None)


def test_a_name_that_nobody_knows() -> None:
    with interpreted(None) as made:
        assert made.interpreter.why_not("nobody") == "its definition cannot be read"
