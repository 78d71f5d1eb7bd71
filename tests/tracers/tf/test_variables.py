"""Variables inside of functions: who reads what a write left there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from called import functions

from graphlens.store import Process
from graphlens_tracers.events import NodeSeen
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow


def run(function: Any, path: Path, *given: Any) -> Process:
    """What is recorded of one call."""
    return recorded(lambda: function(*given), path / "run.glens", of=tensorflow)


def nodes(process: Process) -> dict[str, NodeSeen]:
    """By operation, the nodes of the only function that Python called."""
    (seen,) = (one for one in functions(process) if one.parent is None)
    return {
        process.nodes[node].key.partition("/")[2]: process.nodes[node] for node in process.order(seen.graph)
    }


def origin(process: Process, node: NodeSeen, argument: int = 0) -> str:
    """What an argument is: the name of a leaf, or the type of what made the value."""
    value = node.inputs[argument]
    assert value is not None
    made = process.maker(value)
    return process.leaves[value].name if made is None else process.nodes[made[0]].op


def test_a_read_after_a_write_reads_what_was_written(tmp_path: Path) -> None:
    """And one before it what the variable held; the write has the content as an output."""
    total = tf.Variable([1.0, 2.0], name="total")

    @tf.function
    def step(x: Any) -> Any:
        before = total * 1.0
        total.assign_add(x)
        total.assign_sub(x * 2.0)
        return before + total

    process = run(step, tmp_path, tf.constant([3.0, 4.0]))

    found = nodes(process)
    reads = [node for node in found.values() if node.op == "ReadVariableOp"]
    first, second = (
        next(n for n in found.values() if n.op == f"Assign{kind}VariableOp") for kind in ("Add", "Sub")
    )
    assert [origin(process, node) for node in reads] == ["total", "AssignSubVariableOp"]
    assert origin(process, first) == "total"
    assert origin(process, second) == "AssignAddVariableOp"
    assert first.writes == second.writes == ((0, 0),)
    (written,) = first.outputs
    assert (written.spec.shape, written.spec.dtype, written.ranged) == ((2,), "float32", "")


def test_every_variable_that_an_optimizer_changes_is_written(tmp_path: Path) -> None:
    """An operation that changes several has an output for each."""
    weights, first, second = (tf.Variable(tf.ones([2])) for _ in range(3))

    @tf.function
    def step(gradient: Any) -> Any:
        tf.raw_ops.ResourceApplyAdam(
            var=weights.handle, m=first.handle, v=second.handle, beta1_power=0.9, beta2_power=0.99, lr=0.1,
            beta1=0.9, beta2=0.99, epsilon=1e-7, grad=gradient,
        )  # fmt: skip
        return weights + second

    process = run(step, tmp_path, tf.ones([2]))

    adam = nodes(process)["ResourceApplyAdam"]
    assert adam.writes == ((0, 0), (1, 1), (2, 2))
    reads = [node for node in nodes(process).values() if node.op == "ReadVariableOp"]
    assert [node.inputs[0] for node in reads] == [adam.outputs[0].value, adam.outputs[2].value]


def test_what_is_written_in_a_loop_or_a_branch_is_seen_after_it(tmp_path: Path) -> None:
    """The loop is the writer; one that only reads the variable is not."""
    total = tf.Variable(1.0, name="total")

    @tf.function
    def step(x: Any) -> Any:
        y = x
        for _ in tf.range(3):
            y = y * total
        for _ in tf.range(3):
            if x > 0.0:
                total.assign_add(x)
        return total + y

    process = run(step, tmp_path, tf.constant(2.0))

    found = nodes(process)
    reading, writing = found["while"], found["while_1"]
    assert reading.writes == ()
    ((read, output),) = writing.writes
    assert origin(process, writing, read) == "total"
    assert output == len(writing.outputs) - 1
    (last,) = (node for node in found.values() if node.op == "ReadVariableOp")
    assert last.inputs[0] == writing.outputs[output].value
    (branch,) = (node for node in process.nodes.values() if node.op == "If")
    assert [origin(process, branch, k) for k, _ in branch.writes] == ["total"]


def test_a_called_function_writes(tmp_path: Path) -> None:
    """The call is the writer for its caller; inside, the write is."""
    total = tf.Variable(1.0, name="total")
    inner = tf.function(lambda x: total.assign_add(x))

    @tf.function
    def outer(x: Any) -> Any:
        inner(x)
        inner(x)
        return total.read_value()

    process = run(outer, tmp_path, tf.constant(2.0))

    calls = [node for node in nodes(process).values() if node.op.endswith("PartitionedCall")]
    (read,) = (node for node in nodes(process).values() if node.op == "ReadVariableOp")
    assert [origin(process, call, call.writes[0][0]) for call in calls] == [
        "total",
        "StatefulPartitionedCall",
    ]
    assert read.inputs[0] == calls[1].outputs[-1].value


def test_random_numbers_change_the_state_of_their_generator(tmp_path: Path) -> None:
    """It is a variable."""
    generator = tf.random.Generator.from_seed(3)
    step = tf.function(lambda: (generator.normal([2]), generator.normal([2])))

    process = run(step, tmp_path)

    skips = [node for node in nodes(process).values() if node.op == "RngReadAndSkip"]
    assert len(skips) == 2
    assert skips[1].inputs[0] == skips[0].outputs[-1].value


def test_a_gradient_names_the_variables_that_it_reads(tmp_path: Path) -> None:
    """It captures the handles that its function captured, or that came out of a loop of it."""
    weights = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="weights")

    @tf.function
    def rows(x: Any) -> Any:
        for k in tf.range(2):
            x = x + tf.gather(weights, k)
        return x

    def program() -> None:
        with tf.GradientTape() as tape:
            y = rows(tf.zeros([2]))
        tape.gradient(y, weights)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    handles = [leaf for leaf in process.leaves.values() if leaf.name == "weights"]
    backward = [graph for graph in functions(process) if graph.parent is None][-1]
    assert {leaf.value for leaf in handles} & set(backward.arguments)
    assert len({leaf.cell for leaf in handles}) == 1
    assert not [leaf for leaf in process.leaves.values() if leaf.spec.dtype == "resource"]


def test_arguments_and_results_are_said_in_order(tmp_path: Path) -> None:
    """Also an argument that nobody reads, and one that is given out as it is."""

    @tf.function
    def two(unread: Any, x: Any) -> Any:
        return tf.exp(x), tf.sin(x), x

    process = run(two, tmp_path, tf.constant(1.0), tf.constant(2.0))

    (seen,) = functions(process)
    assert [process.leaves[value].name for value in seen.arguments] == ["unread", "x"]
    results = [process.maker(value) for value in seen.results]
    makers = [process.nodes[made[0]] for made in results if made is not None]
    assert [node.op for node in makers] == ["Identity"] * 3
    assert [origin(process, node) for node in makers] == ["Exp", "Sin", "x"]
