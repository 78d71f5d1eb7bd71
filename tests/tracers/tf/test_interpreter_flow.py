"""Loops and branches as TensorFlow 1 has them, inside of functions: imported graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from interpreting import Hearing, interpreted
from outcomes import bytes_of

from graphlens_tracers.tf.compat import tf

v1: Any = tf.compat.v1


@pytest.fixture(autouse=True)
def _unoptimised() -> Any:
    """Grappler changes numbers: without it, nothing does."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def repeated(count: int, step: Callable[[Any, Any], Any], x: Any) -> Any:
    """What a loop gives whose iterations do this with their number and what the one before gave."""
    return tf.while_loop(lambda k, y: k < count, lambda k, y: (k + 1, step(k, y)), [0, x])[1]


def loop(x: Any) -> Any:
    return repeated(5, lambda k, y: tf.tanh(y) * x + tf.cast(k, tf.float32), x)


def no_iteration(x: Any) -> Any:
    return repeated(0, lambda k, y: y * 2.0, x)


def loop_in_a_loop(x: Any) -> Any:
    def step(k: Any, y: Any) -> Any:
        return tf.while_loop(lambda j, z: j < k, lambda j, z: (j + 1, z * 1.1 + x), [0, y])[1]

    return repeated(4, step, x)


def branches(x: Any) -> Any:
    return [
        tf.cond(tf.reduce_sum(x) > limit, lambda: x * 2.0, lambda: tf.sin(x) - 1.0) for limit in (0.0, 99.0)
    ]


def loops_in_branches(x: Any) -> Any:
    """One that is entered, and one that is not."""
    return [
        tf.cond(tf.reduce_sum(x) > limit, lambda: repeated(3, lambda k, y: tf.sin(y), x), lambda: x - 1.0)
        for limit in (0.0, 99.0)
    ]


def branch_in_a_loop(x: Any) -> Any:
    return repeated(
        4, lambda k, y: tf.cond(tf.equal(k % 2, 0), lambda: y * x, lambda: tf.exp(-y)), x
    )  # fmt: skip


def differentiated(x: Any) -> Any:
    """Loops backwards, which take from a stack what was put there on the way."""
    y = repeated(4, lambda k, y: tf.tanh(y) * x, x)
    z = tf.cond(tf.reduce_sum(y) > 0.0, lambda: tf.sin(y) * y, lambda: y - 1.0)
    return y, tf.gradients(z, x)


def array(x: Any) -> Any:
    made = tf.TensorArray(tf.float32, 4)
    _, made = tf.while_loop(
        lambda k, _: k < 4, lambda k, made: (k + 1, made.write(k, tf.sin(x[k]) * 1.5)), [0, made]
    )
    y = made.stack()
    return y, tf.gradients(tf.reduce_sum(y * y), x)


PROGRAMS = [
    loop, no_iteration, loop_in_a_loop, branches, loops_in_branches, branch_in_a_loop, differentiated, array,
]  # fmt: skip


def imported(build: Callable[[Any], Any]) -> Any:
    """A function of a graph that was built as TensorFlow 1 builds it."""
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            found = tf.nest.flatten(build(v1.placeholder(tf.float32, [4], name="x")))
    finally:
        v1.enable_control_flow_v2()
    definition, names = graph.as_graph_def(), [tensor.name for tensor in found]
    assert {node.op for node in definition.node} & {"Switch", "Merge"}
    return v1.wrap_function(
        lambda x: tf.graph_util.import_graph_def(definition, {"x": x}, names, name=""), [tf.TensorSpec([4])]
    )


@pytest.mark.parametrize("build", PROGRAMS, ids=lambda build: build.__name__)
def test_it_computes_the_same(build: Callable[[Any], Any]) -> None:
    """Bit for bit, and every iteration is heard of in order."""
    function = imported(build)
    x = tf.constant([0.5, -1.25, 2.0, 0.125])
    plain = bytes_of(function(x))

    hearing = Hearing()
    with interpreted(hearing):
        assert bytes_of(function(x)) == plain
    assert hearing.ran


def test_an_iteration_is_known_by_its_number() -> None:
    """Each of the outer loop's, and in it each of the inner one's."""
    hearing = Hearing()
    with interpreted(hearing):
        imported(loop_in_a_loop)(tf.ones([4]))

    stacks = [
        [one.iteration for one in moment.frame.stack]
        for moment in hearing.ran
        if moment.kind == "AddV2" and len(moment.frame.stack) == 3 and tf.is_tensor(moment.inputs[0])
        and moment.inputs[0].dtype == tf.float32
    ]  # fmt: skip
    assert stacks == [[None, outer, inner] for outer in range(4) for inner in range(outer)]
