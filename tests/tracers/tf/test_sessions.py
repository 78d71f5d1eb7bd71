"""Sessions of TensorFlow 1: what runs, and what it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetched import bounds
from regression import Regression, X, gaps, ranges, session, v1

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Phase, Seq
from graphlens_tracers.tf.compat import tf
from recorded import recorded, recording, tensorflow


def by_graph(process: Process) -> dict[str, dict[str, NodeSeen]]:
    """By graph and operation, what was recorded."""
    return {
        graph.name: {
            process.nodes[node].key.partition("/")[2]: process.nodes[node]
            for node in process.order(graph.graph)
        }
        for graph in process.graphs()
    }


def ran(process: Process, call: int) -> list[str]:
    """The operations that ran in a call, in order."""
    called = {one.call: one for one in process.calls()}[call]  # type: ignore[index]  # a plain int
    nodes = process.rows(called.first, Seq(called.last + 1)).node.tolist()
    return [process.nodes[node].key.partition("/")[2] for node in nodes]


def ancestors(graph: Any, wanted: list[str], fed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The nodes of a graph's definition that some of them need, by name: that is what a session runs."""
    nodes = {node.name: node for node in graph.as_graph_def().node}
    found: dict[str, Any] = {}
    ahead = list(wanted)
    while ahead:
        name = ahead.pop().lstrip("^").removesuffix(":0")
        name = name if name in nodes else name.partition(":")[0]
        if name not in found and name not in fed:
            found[name] = nodes[name]
            ahead += nodes[name].input
    return found


# ── what runs ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("level", ["structure", "health"])
def test_the_part_of_a_graph_that_is_needed_is_the_graph(level: Any, resource: bool, tmp_path: Path) -> None:
    """Wired as in its definition, data and control alike; variables and what is fed are leaves."""
    model = Regression(resource)

    process = recorded(model.trained, tmp_path / "run.glens", level, tensorflow)

    found = by_graph(process)
    assert set(found) == {
        "init",
        "train, loss",
        "loss",
        "Identity, Identity_1" if resource else "read, read_1",
    }
    for name, wanted in {"init": ["init"], "train, loss": ["train", "loss"], "loss": ["loss"]}.items():
        truth = ancestors(model.graph, wanted, ("x",))
        variables = {one for one, node in truth.items() if node.op in ("VariableV2", "VarHandleOp")}
        nodes = found[name]
        assert set(nodes) == set(truth) - variables
        makers = {
            output.value: f"{op}:{slot}".removesuffix(":0")
            for op, node in nodes.items()
            for slot, output in enumerate(node.outputs)
        }
        makers |= {value: leaf.name for value, leaf in process.leaves.items()}
        names = {node.node: op for op, node in nodes.items()}
        for op, node in nodes.items():
            inputs = [one for one in truth[op].input if not one.startswith("^")]
            controls = [one[1:] for one in truth[op].input if one.startswith("^")]
            assert node.op == truth[op].op
            assert [makers[value] for value in node.inputs if value is not None] == inputs
            assert sorted(names[one] for one in node.controls) == sorted(set(controls) - variables)


def test_the_same_fetches_are_the_same_graph(tmp_path: Path) -> None:
    """Also when the graph has grown since; other feeds, or other fetches, are another one."""
    graph = tf.Graph()
    with graph.as_default():
        a = tf.constant(2.0, name="a")
        b = tf.multiply(a, 3.0, name="b")

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(b)
            run_in.run([b, b])
            with graph.as_default():
                c = tf.add(b, 1.0, name="c")
            assert run_in.run({"sum": c}) == {"sum": 7.0}
            run_in.run("b:0")
            assert run_in.run(c, {b: 10.0}) == 11.0

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    names = {one.graph: one.name for one in process.graphs()}
    assert [names[call.graph] for call in process.calls()] == ["b", "b", "c", "b", "c#2"]
    assert {one.kind for one in process.graphs()} == {"session"}
    assert ran(process, 4) == ["c/y", "c"]
    leaf = next(leaf for leaf in process.leaves.values())
    assert (leaf.name, leaf.kind) == ("b", "batch")


def test_variables_keep_their_cells_in_all_graphs(tmp_path: Path) -> None:
    """Those of another graph are other ones, whatever they are called."""
    models = [Regression(False), Regression(True)]

    process = recorded(lambda: [model.trained(1) for model in models], tmp_path / "run.glens", of=tensorflow)

    cells: dict[str, set[Any]] = {}
    for leaf in process.leaves.values():
        if leaf.kind == "parameter":
            assert leaf.spec.dtype == "float32"
            cells.setdefault(leaf.name, set()).add(leaf.cell)
    assert {len(found) for found in cells.values()} == {2}
    assert {"layer1/w", "layer2/w", "layer1/w/Adam", "beta1_power"} <= set(cells)
    batches = {(leaf.name, leaf.spec.shape) for leaf in process.leaves.values() if leaf.kind == "batch"}
    assert batches == {("x", (None, 3))}


def test_lines_scopes_and_phases(tmp_path: Path) -> None:
    """Where the script made an operation, in which variable scope, and for which part of the step."""
    model = Regression(True)  # before recording begins: nobody knows its scopes
    made: list[Regression] = []

    def program() -> None:
        made.append(Regression(True))
        made[0].trained(1)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    nodes = by_graph(process)["train, loss"]
    assert set(nodes) == set(ancestors(model.graph, ["train", "loss"], ("x",))) - {
        leaf.name for leaf in process.leaves.values()
    }
    hidden = nodes["layer1/hidden"]
    frames = process.frames(hidden.site)
    source = Path(frames[0].file).read_text(encoding="utf-8").splitlines()
    assert Path(frames[0].file).name == "regression.py"
    assert 'name="hidden"' in source[frames[0].line - 1]
    assert all("graphlens_tracers" not in frame.file for frame in frames)
    assert (process.scope_path(hidden), hidden.phase) == ("layer1", Phase.FORWARD)
    back = nodes["gradients/layer1/hidden_grad/TanhGrad"]
    assert back.twin == hidden.node
    assert (process.scope_path(back), back.phase) == ("layer1", Phase.BACKWARD)
    assert nodes["train/update_layer1/w/ResourceApplyAdam"].phase is Phase.OPTIMIZER
    assert nodes["clip_by_global_norm/mul"].phase is Phase.OPTIMIZER  # from the gradients to the update
    assert nodes["loss"].phase is Phase.FORWARD
    twins = {(node.op, process.nodes[node.twin].op) for node in nodes.values() if node.twin is not None}
    assert {("MatMul", "MatMul"), ("TanhGrad", "Tanh"), ("Mul", "Square")} <= twins


def test_training_steps_are_counted(tmp_path: Path) -> None:
    """A run that updates is one; setting up an optimizer's state is none."""
    process = recorded(lambda: Regression(False).trained(3), tmp_path / "run.glens", of=tensorflow)

    assert [(call.role, call.step) for call in process.calls()] == [
        ("setup", None), ("train", 0), ("train", 1), ("train", 2), ("eval", 2), ("eval", 2),
    ]  # fmt: skip


def test_updates_by_hand_are_training_steps(tmp_path: Path) -> None:
    """No optimizer: the gradient is written into the variable."""

    def program() -> None:
        with tf.Graph().as_default() as graph:
            w = v1.get_variable("w", [2], initializer=v1.ones_initializer())
            loss = tf.reduce_sum(tf.square(w))
            step = v1.assign_sub(w, 0.1 * tf.gradients(loss, [w])[0])
            with session(graph) as run_in:
                run_in.run(w.initializer)
                run_in.run(step)
                run_in.run(loss)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert [(call.role, call.step) for call in process.calls()] == [
        ("setup", None), ("train", 0), ("eval", 0),
    ]  # fmt: skip


def test_only_the_steps_that_are_wanted(tmp_path: Path) -> None:
    """The others are counted, and nothing more than the script's own is fetched in them."""
    with recording(tmp_path / "run.glens", steps=(1, 2), of=tensorflow):
        Regression(False).trained(3)

    process = graphlens.load(tmp_path / "run.glens").main
    assert [(call.role, call.step) for call in process.calls()] == [("train", 1)]
    assert [gap.count for gap in process.gaps if "outside of 1:2" in gap.what] == [2]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


def test_every_range_is_what_a_session_fetches(tmp_path: Path) -> None:
    """Types of every kind, NaN and infinities, constants and what nothing is in."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        wave = tf.signal.fft(tf.cast(x, tf.complex64))
        found = [
            *[tf.sqrt(tf.cast(x, kind)) for kind in (tf.float16, tf.bfloat16, tf.float64)],
            tf.cast(wave, tf.complex128), tf.reshape(tf.transpose(x[None]), [-1]) / 0.0,
            tf.boolean_mask(x, x > 1e30), tf.reduce_sum(x), tf.zeros([0, 3]),
            *tf.split(tf.concat([x, x], 0), 2), tf.math.top_k(x, 2).values, tf.constant([1.5, float("nan")]),
        ]  # fmt: skip
        result = tf.group(*found)
    fed = {x: np.array([0.5, -1.25, np.inf, 7.0], np.float32)}

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(result, fed)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    seen = ranges(process, 0)
    floating = {
        (op.name, slot): tensor
        for op in graph.get_operations()
        for slot, tensor in enumerate(op.outputs)
        if (tensor.dtype.is_floating or tensor.dtype.is_complex) and op.name in ran(process, 0)
    }
    with session(graph) as run_in:
        truth = {where: bounds(np.asarray(one)) for where, one in run_in.run(floating, fed).items()}
    assert set(truth) == set(seen)
    np.testing.assert_equal(seen, truth)


@pytest.mark.parametrize("resource", [False, True])
def test_weights_are_read_before_they_are_written(resource: bool, tmp_path: Path) -> None:
    """A step's numbers are those of its beginning, also where the memory is the variable's own."""
    model = Regression(resource, "sgd")
    truth: list[Any] = []
    with session(model.graph) as run_in:
        run_in.run(model.init)
        for _ in range(3):
            truth.append([bounds(one) for one in run_in.run(model.weights)])
            run_in.run(model.train, {model.x: X})

    process = recorded(model.trained, tmp_path / "run.glens", of=tensorflow)

    for step in range(3):
        seen = ranges(process, 1 + step)
        reads = ["layer1/MatMul/ReadVariableOp", "layer2/y/ReadVariableOp"]
        if not resource:
            reads = ["layer1/w/read", "layer2/w/read"]
        assert [seen[one, 0] for one in reads] == truth[step]
    assert gaps(process) == set()


def test_memory_of_a_variable_behind_other_operations(tmp_path: Path) -> None:
    """What only hands it on changes when it is written: nothing is said of it, but of what is computed."""
    graph = tf.Graph()
    with graph.as_default():
        w = v1.get_variable("w", [4], initializer=v1.ones_initializer(), use_resource=False)
        part = tf.identity(tf.split(tf.reshape(w, [2, 2]), 2)[0], name="part")
        double = tf.multiply(part, 2.0, name="double")
        with tf.control_dependencies([double]):
            write = v1.assign_add(w, tf.ones([4]))

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(w.initializer)
            run_in.run(write)
            run_in.run(double)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert ranges(process, 1)["double", 0] == (2.0, 2.0)
    assert ("part", 0) not in ranges(process, 1)
    assert ranges(process, 2)["part", 0] == (2.0, 2.0)
    assert ranges(process, 2)["double", 0] == (4.0, 4.0)
