"""Loops, branches and functions inside of what sessions run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from fetched import bounds
from regression import gaps

from graphlens.calls import Call
from graphlens.store import Process
from graphlens_tracers.events import Seq
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

v1: Any = tf.compat.v1


@pytest.fixture
def _old_flow() -> Iterator[None]:
    """Loops and branches as in TensorFlow 1, which are no functions."""
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


def session(graph: Any) -> Any:
    """One in which every operation runs as it is written."""
    options = v1.ConfigProto()
    options.graph_options.rewrite_options.disable_meta_optimizer = True
    options.graph_options.optimizer_options.opt_level = -1
    return v1.Session(graph=graph, config=options)


def branches(x: Any, _: Any) -> Any:
    """One of two ways, and its gradient."""
    way = tf.cond(x > 0.0, lambda: tf.exp(x) * 2.0, lambda: tf.square(x))
    return tf.gradients(way + x, [x])[0]


def fed_branches(x: Any, training: Any) -> Any:
    """The way is known before the run."""
    with v1.variable_scope("net"):
        return tf.cond(training, lambda: tf.nn.dropout(tf.ones([4]) * x, 0.5), lambda: tf.ones([4]) * x * 3.0)


def nested_branches(x: Any, training: Any) -> Any:
    """A way inside of a way."""
    return tf.cond(training, lambda: tf.cond(x > 1.0, lambda: x * 5.0, lambda: tf.sin(x)), lambda: tf.exp(x))


def loops(x: Any, _: Any) -> Any:
    """Loops in loops, lists, and their gradients."""

    def body(k: Any, total: Any) -> Any:
        _, inner = tf.while_loop(lambda j, _: j < 2, lambda j, y: (j + 1, y * 1.5), [0, total])
        return k + 1, inner + tf.sin(x)

    _, total = tf.while_loop(lambda k, _: k < 3, body, [0, x])
    return tf.gradients(tf.square(total) + tf.map_fn(tf.tanh, tf.stack([x, total]))[0], [x])[0]


def loop_in_branch(x: Any, training: Any) -> Any:
    """A loop that may not run at all."""
    looped = tf.cond(
        training, lambda: tf.while_loop(lambda y: y < 10.0, lambda y: y * 2.0, [x])[0], lambda: tf.sqrt(x)
    )
    return tf.reduce_sum(looped) + 1.0


def imported(x: Any, _: Any) -> Any:
    """As it comes from a file: without TensorFlow's own notes of where loops and branches are."""
    with tf.Graph().as_default() as inner:
        y = v1.placeholder(tf.float32, [], name="y")
        tf.add(branches(y, None), tf.while_loop(lambda z: z < 9.0, lambda z: z + 3.0, [y]), name="both")
    return v1.import_graph_def(inner.as_graph_def(), {"y": x}, ["both:0"])[0]


def by_hand(x: Any, training: Any) -> Any:
    """Switch and Merge as nobody should write them, with one side that only waits for the other."""
    off, on = (tf.raw_ops.Switch(data=x, pred=training)[k] for k in (0, 1))
    merged = tf.raw_ops.Merge(inputs=[tf.sqrt(off), tf.exp(on)])
    with tf.control_dependencies([tf.identity(on)]):
        lost = tf.identity(x * 2.0)
    again = tf.raw_ops.Merge(inputs=[lost, off])
    return again.output + merged.output


PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    one.__name__: one
    for one in (
        branches, fed_branches, nested_branches, loops, loop_in_branch, imported, by_hand,
    )
}  # fmt: skip
SUMMED = {
    "gradients/while/Sin/Enter_grad/b_acc_2",
    "gradients/while/Sin/Enter_grad/Switch",
    "gradients/while/Switch_1_grad/b_switch",
    "gradients/while/Merge_1_grad/Switch",
}
"""Of `loops`: what is summed with two others, and may be in memory that a variable or a constant keeps."""
NOT_LOOKED_AT = "numbers that are added in an order that looking could change"
GIVEN = [(0.5, True), (2.0, True), (-1.5, False), (0.25, False)]


def built(name: str) -> tuple[Any, Any, Any, Any]:
    """A graph, what is fed into it, and what is fetched."""
    graph = tf.Graph()
    with graph.as_default():
        v1.set_random_seed(4)
        x = v1.placeholder(tf.float32, [], name="x")
        training = v1.placeholder(tf.bool, [], name="training")
        result = PROGRAMS[name](x, training)
    return graph, x, training, result


class Truth(NamedTuple):
    """What TensorFlow itself says of a run: how often each operation ran, and each number that it made."""

    result: bytes
    times: Counter[str]
    numbers: dict[tuple[str, int], list[tuple[float, float]]]


def truth(name: str, directory: Path) -> list[Truth]:
    """Of each run, in a session of its own."""
    graph, x, training, result = built(name)
    found = []
    with session(graph) as run_in, session(graph) as traced_in, session(graph) as dumped_in:
        for k, (one, other) in enumerate(GIVEN):
            fed, told = {x: one, training: other}, v1.RunMetadata()
            got = run_in.run(result, fed)
            traced_in.run(result, fed, v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE), told)
            nodes = [node for device in told.step_stats.dev_stats for node in device.node_stats]
            numbers = dumped(graph, directory / f"{name}{k}", partial(dumped_in.run, result, fed))
            count = Counter(node.node_name for node in nodes)
            found.append(Truth(np.asarray(got).tobytes(), count, numbers))
    return found


def dumped(
    graph: Any, directory: Path, run: Callable[[Any], Any]
) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Minimum and maximum of whole tensors as TensorFlow writes them, each time they were made."""
    options = v1.RunOptions()
    for op in graph.get_operations():
        for slot, tensor in enumerate(op.outputs):
            # Where an Enter is watched, a loop that is not entered leaves what needs it waiting.
            if tensor.dtype.base_dtype in (tf.float32, tf.float64) and op.type != "Enter":
                options.debug_options.debug_tensor_watch_opts.add(
                    node_name=op.name, output_slot=slot, debug_ops=["DebugIdentity"],
                    debug_urls=[f"file://{directory}"],
                )  # fmt: skip
    run(options)
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    files = directory.rglob("*_DebugIdentity_*")
    for file in sorted(files, key=lambda file: int(file.name.rpartition("_")[2])):
        value = v1.Event.FromString(file.read_bytes()).summary.value[0]
        op_name, slot, _ = value.node_name.rsplit(":", 2)
        found.setdefault((op_name, int(slot)), []).append(bounds(tf.make_ndarray(value.tensor)))
    return found


Ran = list[tuple[str, list[tuple[int, float, float]]]]


def ran(process: Process, call: Call) -> Ran:
    """Each operation that is said to have run in a call, with the ranges of its outputs."""
    rows = process.rows(call.first, Seq(call.last + 1))
    found = process.ranges(call.first, Seq(call.last + 1))
    return [
        (
            process.nodes[int(rows.node[row])].key.partition("/")[2],  # type: ignore[index]  # a plain int
            [
                (int(found.slot[k]), float(found.low[k]), float(found.high[k]))
                for k in range(int(found.offsets[row]), int(found.offsets[row + 1]))
            ],
        )
        for row in range(len(rows.node))
    ]


def outermost(process: Process) -> list[Call]:
    """The calls of runs: what is in loops and functions is inside of them."""
    return [call for call in process.calls() if call.parent is None]


@pytest.mark.usefixtures("_old_flow")
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_said_to_have_run_has(name: str, tmp_path: Path) -> None:
    """As often as TensorFlow says, with the numbers that it says, in order; results are the same."""
    wanted = truth(name, tmp_path)
    traced: list[bytes] = []
    graph, x, training, result = built(name)
    before = graph.as_graph_def()

    def program() -> None:
        with session(graph) as run_in:
            for one, other in GIVEN:
                traced.append(np.asarray(run_in.run(result, {x: one, training: other})).tobytes())

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert traced == [one.result for one in wanted]
    assert graph.as_graph_def() == before
    assert len(process.graphs()) == 1
    assert gaps(process) == ({NOT_LOOKED_AT} if name == "loops" else set())
    kinds = {op.name: op.type for op in graph.get_operations() if op.type != "Placeholder"}
    for call, one in zip(outermost(process), wanted, strict=True):
        said = ran(process, call)
        # A ControlTrigger runs also where its loop is not entered, with nothing.
        triggers = {op for op, kind in kinds.items() if kind == "ControlTrigger"}
        assert Counter(op for op, _ in said if op not in triggers) == {
            op: one.times[op] for op in kinds if one.times[op] and op not in triggers
        }
        numbers: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for op, ranges in said:
            for slot, low, high in ranges:
                # A Switch makes one of its two outputs: nothing is in the other.
                if kinds[op] != "Switch" or not low > high:
                    numbers.setdefault((op, slot), []).append((low, high))
        flow = {op.name for op in graph.get_operations() if op._get_control_flow_context() is not None}
        missing = {op for op, _ in one.numbers.keys() - numbers.keys() if op in flow and kinds[op] != "Exit"}
        assert missing == (SUMMED if name == "loops" else set())
        for key, found in numbers.items():
            if kinds[key[0]] != "Enter":
                np.testing.assert_equal(found, one.numbers[key], str(key))


@pytest.mark.usefixtures("_old_flow")
def test_numbers_of_a_branch_that_is_fed(tmp_path: Path) -> None:
    """Whether it trains is what scripts feed: then the branch is known before the run, and looked at."""
    graph, x, training, result = built("fed_branches")

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(result, {x: 2.0, training: False})

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    numbers = dict(ran(process, process.calls()[0]))
    assert numbers["net/cond/mul_2"] == [(0, 6.0, 6.0)]
    assert not any("dropout" in op for op in numbers)


@pytest.mark.usefixtures("_old_flow")
def test_a_loop_is_in_the_graph_and_its_back_edge_a_leaf(tmp_path: Path) -> None:
    """Every operation of the loop is a node; what an iteration hands to the next is an earlier value."""
    graph, x, training, result = built("loops")

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(result, {x: 1.0, training: True})

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    nodes = {node.key.partition("/")[2]: node for node in process.nodes.values()}
    merges = [node for node in nodes.values() if node.op == "Merge"]
    backs = {leaf.value: leaf.name for leaf in process.leaves.values() if leaf.kind == "earlier"}
    assert merges
    for merge in merges:
        assert merge.inputs[1] is not None
        name = backs[merge.inputs[1]]
        assert nodes[name].op == "NextIteration"
    assert "while/while/mul" in nodes


def test_functions_inside_are_known_and_said_not_to_be_looked_at(tmp_path: Path) -> None:
    """Functions that a session's graph calls are graphs; those that are called outright surely ran."""

    half = tf.function(lambda x: tf.multiply(x, 0.5, name="halved"))
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        y = tf.cond(x > 0.0, lambda: half(x), lambda: x)
        z = half(tf.reduce_sum(tf.while_loop(lambda z: abs(z) < 9.0, lambda z: z * 2.0, [y])))

    got: list[float] = []

    def program() -> None:
        with session(graph) as run_in:
            got.extend(float(run_in.run(z, {x: one})) for one in (1.0, -20.0))  # of which one needs no loop

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert got == [8.0, -10.0]
    kinds = {graph.kind for graph in process.graphs()}
    assert {"function", "branch", "body", "session"} <= kinds
    callers = {node.op for node in process.nodes.values() if node.calls is not None}
    assert {"StatelessIf", "StatelessWhile", "PartitionedCall"} <= callers
    inside = [call for call in process.calls() if call.parent is not None]
    assert len(inside) == 2  # one in each run: what is in the branch may not have run
    for call in inside:
        rows = process.rows(call.first, Seq(call.last + 1)).node.tolist()
        assert "Mul" in [process.nodes[node].op for node in rows]
    assert "inside of functions that sessions run" in {gap.what for gap in process.gaps}
