"""Functions as graphs: every operation of the runtime's own definition is there, wired as there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from called import functions

from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Phase
from graphlens_tracers.tf.compat import context, tf
from recorded import recorded, tensorflow


def loops(x: Any) -> Any:
    """Loops and branches, and their gradients."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for k in tf.range(3):
            if tf.reduce_sum(y) > 1.0:
                y = tf.tanh(y) * tf.cast(k, tf.float32)
            else:
                y = tf.exp(y)
    return tape.gradient(y, x)


def lists(x: Any) -> Any:
    """Operations with lists of inputs and outputs, attributes of every kind, and what nobody needs."""
    tf.sin(x)
    first, second = tf.split(tf.concat([x, x, x + 1.0], 0), 2)
    picked = tf.switch_case(tf.constant(1), [lambda: first, lambda: second * 2.0, lambda: first - 1.0])
    return tf.add_n([first, second, picked]), tf.nn.conv1d(x[None, :, None], tf.ones([2, 1, 1]), 1, "SAME")


class Counting(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Variables that are read and written in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.total = tf.Variable(0.0, name="total")

    def __call__(self, x: Any) -> Any:
        for _ in range(2):
            self.total.assign_add(tf.reduce_sum(x))
        tf.print("total", self.total, output_stream="file:///dev/null")
        return self.total.read_value() * x


def differentiated(x: Any) -> Any:
    """A function inside of a function, differentiated from outside of both."""
    inner = tf.function(lambda y: tf.nn.relu(y) * tf.sqrt(y))
    return tf.gradients(inner(x), [x])[0] + tf.map_fn(tf.math.log1p, x)


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "loops": loops, "lists": lists, "variables": Counting(), "differentiated": differentiated,
}  # fmt: skip


def by_function(process: Process) -> dict[str, dict[str, NodeSeen]]:
    """By function and operation, what was recorded."""
    found: dict[str, dict[str, NodeSeen]] = {}
    for graph in functions(process):
        for node in process.order(graph.graph):
            function, _, operation = process.nodes[node].key.partition("/")
            found.setdefault(function, {})[operation] = process.nodes[node]
    return found


def maker_of(node: str) -> str:
    """By an input of a FunctionDef's node, the operation that makes it."""
    return node.lstrip("^").split(":")[0]


@pytest.mark.parametrize("level", ["structure", "health"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_graph_is_what_the_runtime_has(name: str, level: Any, tmp_path: Path) -> None:
    """The same operations, and each reads what its definition says, data and control alike."""
    truth: dict[str, dict[str, tuple[str, list[str], list[str]]]] = {}

    def program() -> None:
        function = tf.function(PROGRAMS[name])
        function(tf.constant([1.0, 2.0, 3.0, 4.0]))
        gc.collect()  # a function that nobody holds any more may go at any moment
        for known in context.context().list_function_names():
            definition = context.context().get_function_def(known)
            truth[known] = {
                node.name: (
                    node.op,
                    [maker_of(one) for one in node.input if not one.startswith("^")],
                    sorted(maker_of(one) for one in node.input if one.startswith("^")),
                )
                for node in definition.node_def
            }

    process = recorded(program, tmp_path / "run.glens", level, tensorflow)

    found = by_function(process)
    assert found
    for function, nodes in found.items():
        makers = {output.value: op for op, node in nodes.items() for output in node.outputs}
        makers |= {value: leaf.name for value, leaf in process.leaves.items()}
        names = {node.node: op for op, node in nodes.items()}
        for operation, (kind, inputs, controls) in truth[function].items():
            node = nodes[operation]
            assert node.op == kind
            read = [makers[value] for value in node.inputs if value is not None]
            assert len(read) == len(inputs)
            for one, other in zip(read, inputs, strict=True):
                assert (
                    one == other or other not in truth[function]
                )  # what is given has a name of its own there
            assert sorted(names[control] for control in node.controls) == [
                control for control in controls if control in truth[function]
            ]
        assert set(nodes) == set(truth[function])


def twins(process: Process) -> set[tuple[str, str]]:
    """(backward operation, forward operation), by type."""
    return {
        (node.op, process.nodes[node.twin].op) for node in process.nodes.values() if node.twin is not None
    }


def test_a_gradient_belongs_to_its_forward_operation(tmp_path: Path) -> None:
    """Exactly: by what TensorFlow's tape differentiates, not by names."""

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.relu(tf.tanh(x)) + tf.sigmoid(x)
        return tape.gradient(y, x)

    process = recorded(lambda: step(tf.constant([1.0, -1.0])), tmp_path / "run.glens", of=tensorflow)

    assert {("ReluGrad", "Relu"), ("TanhGrad", "Tanh"), ("SigmoidGrad", "Sigmoid")} <= twins(process)
    forward = {node.op for node in process.nodes.values() if node.phase is Phase.FORWARD}
    assert forward == {"Relu", "Tanh", "Sigmoid", "AddV2", "Identity"}


def test_gradients_of_loops_belong_to_what_is_in_the_loops(tmp_path: Path) -> None:
    """The backward of a loop's body, or of a branch, is of operations of the forward one."""
    function = tf.function(loops)

    process = recorded(lambda: function(tf.constant([0.1, 0.2])), tmp_path / "run.glens", of=tensorflow)

    found = twins(process)
    assert ("TanhGrad", "Tanh") in found
    assert any(forward in ("While", "StatelessWhile") for _, forward in found)
    assert any(forward in ("If", "StatelessIf") for _, forward in found)


def test_lines_are_the_users(tmp_path: Path) -> None:
    """Also of what AutoGraph has rewritten, innermost first."""
    function = tf.function(loops)

    process = recorded(lambda: function(tf.constant([0.1, 0.2])), tmp_path / "run.glens", of=tensorflow)

    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    tanhs = [node for node in process.nodes.values() if node.op == "Tanh"]
    assert tanhs
    for tanh in tanhs:
        frames = process.frames(tanh.site)
        assert Path(frames[0].file).name == Path(__file__).name
        assert "tf.tanh" in source[frames[0].line - 1]
        assert all("graphlens_tracers" not in frame.file for frame in frames)


def test_a_variable_is_a_leaf_with_its_name(tmp_path: Path) -> None:
    """And with what it holds; the same one in every function that captures it."""
    weights = tf.Variable(tf.ones([3, 2]), name="weights")
    double = tf.function(lambda: weights * 2.0)
    triple = tf.function(lambda: weights * 3.0)

    process = recorded(lambda: (double(), triple()), tmp_path / "run.glens", of=tensorflow)

    leaves = [leaf for leaf in process.leaves.values() if leaf.kind == "parameter"]
    assert {(leaf.name, leaf.spec.shape, leaf.spec.dtype) for leaf in leaves} == {
        ("weights", (3, 2), "float32")
    }
    assert len(leaves) == 2
    assert len({leaf.cell for leaf in leaves}) == 1


def test_a_trace_that_never_ran_is_told_apart(tmp_path: Path) -> None:
    """It is no graph with calls; a retrace is a graph of its own, of the same family."""
    function = tf.function(lambda x: x + 1)

    def program() -> None:
        function.get_concrete_function(tf.TensorSpec([7]))
        function(tf.constant([1.0]))
        function(tf.constant([1.0, 2.0]))
        function(tf.constant([1.0, 5.0]))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    graphs = {graph.graph: graph for graph in functions(process)}
    ran = [graphs[call.graph] for call in process.calls() if call.graph in graphs]
    assert len(graphs) == 3
    assert len({graph.graph for graph in ran}) == 2
    assert len({graph.family for graph in graphs.values()}) == 1


def test_nothing_of_the_scripts_is_held(tmp_path: Path) -> None:
    """A function that the script drops is freed, and what it captured with it; what it was stays said."""
    freed: list[bool] = []

    def made() -> tuple[Any, str]:
        weights = tf.Variable(tf.ones([3]), name="dropped")
        function = tf.function(lambda x: x * weights)
        function(tf.ones([3]))
        return weakref.ref(weights), function.get_concrete_function(tf.TensorSpec([3])).name.decode()

    def program() -> None:
        alive, name = made()
        gc.collect()
        freed.append(alive() is None)
        freed.append(not context.context().has_function(name))
        tf.function(lambda x: x + 1.0)(tf.ones([3]))
        known = context.context().list_function_names()
        freed.append(not any("watched" in one and name in one for one in known))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert freed == [True, True, True]
    assert "dropped" in {leaf.name for leaf in process.leaves.values()}
    assert len([call for call in process.calls() if call.parent is not None]) == 2


def test_the_body_of_a_loop_is_forward(tmp_path: Path) -> None:
    """Also where TensorFlow registers it while it computes gradients, with what they need added to it."""

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda y: tf.reduce_sum(y) < 10.0, lambda y: (tf.tanh(y) + y,), [x])[0]
        return tape.gradient(y, x)

    process = recorded(lambda: step(tf.ones([2])), tmp_path / "run.glens", of=tensorflow)

    rows = process.rows(0, process.op_count)
    phases = {
        (node.op, node.phase)
        for one in rows.node.tolist()
        if (node := process.nodes[one]).op.startswith("Tanh")
    }
    assert phases == {("Tanh", Phase.FORWARD), ("TanhGrad", Phase.BACKWARD)}
