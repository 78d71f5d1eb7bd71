"""Sessions of TensorFlow 1: what runs, what it computes, and that nobody else notices."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetched import bounds

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Phase, Seq
from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.compat import tf
from recorded import recorded, recording, tensorflow

v1: Any = tf.compat.v1
X = np.array([[0.5, -1.25, 3.0], [2.0, 0.25, -0.5]], np.float32)


def session(graph: Any) -> Any:
    """One in which nothing can be fused: looking changes no bit."""
    options = v1.ConfigProto()
    options.graph_options.rewrite_options.disable_meta_optimizer = True
    return v1.Session(graph=graph, config=options)


class Regression:
    """Two layers, a loss, and an optimizer, in a graph of their own.

    Attributes:
        x: What is fed; `loss`, `train`, `init`: what is run.
    """

    def __init__(self, resource: bool, optimizer: str = "adam") -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            v1.set_random_seed(3)
            self.x = v1.placeholder(tf.float32, [None, 3], name="x")
            with v1.variable_scope("layer1"):
                w = v1.get_variable("w", [3, 4], use_resource=resource)
                hidden = tf.tanh(tf.matmul(self.x, w), name="hidden")
            with v1.variable_scope("layer2"):
                w = v1.get_variable("w", [4, 1], use_resource=resource)
                self.y = tf.matmul(hidden, w, name="y")
            self.unused = tf.sin(self.y)
            self.loss = tf.reduce_mean(tf.square(self.y - 1.0), name="loss")
            made = {"adam": v1.train.AdamOptimizer, "sgd": v1.train.GradientDescentOptimizer}[optimizer](0.1)
            gradients = made.compute_gradients(self.loss)
            clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 0.5)
            self.train = made.apply_gradients(
                zip(clipped, v1.trainable_variables(), strict=True), name="train"
            )
            self.init = v1.global_variables_initializer()
            self.weights = [one.read_value() for one in v1.trainable_variables()]

    def trained(self, steps: int = 3) -> list[Any]:
        """The losses, and the weights in the end."""
        with session(self.graph) as run_in:
            run_in.run(self.init)
            losses = [run_in.run([self.train, self.loss], {self.x: X})[1] for _ in range(steps)]
            return [*losses, run_in.run("loss:0", {"x:0": X[:1]}), *run_in.run(self.weights)]


def by_graph(process: Process) -> dict[str, dict[str, NodeSeen]]:
    """By graph and operation, what was recorded."""
    return {
        graph.name: {
            process.nodes[node].key.partition("/")[2]: process.nodes[node]
            for node in process.order(graph.graph)
        }
        for graph in process.graphs()
    }


def ranges(process: Process, call: int) -> dict[tuple[str, int], tuple[float, float]]:
    """(operation, output) to minimum and maximum, of everything that was looked at in a call."""
    called = {one.call: one for one in process.calls()}[call]  # type: ignore[index]  # a plain int
    rows = process.rows(called.first, Seq(called.last + 1))
    found = process.ranges(called.first, Seq(called.last + 1))
    return {
        (process.nodes[int(rows.node[row])].key.partition("/")[2], int(found.slot[at])): (  # type: ignore[index]  # a plain int
            float(found.low[at]), float(found.high[at]),
        )
        for row in range(len(rows.node))
        for at in range(int(found.offsets[row]), int(found.offsets[row + 1]))
    }  # fmt: skip


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


def gaps(process: Process) -> set[str]:
    """What was not seen, apart from what is said of every run."""
    return {gap.what for gap in process.gaps} - {"operations that TensorFlow runs eagerly"}


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
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    frames = process.frames(hidden.site)
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
    """A step's numbers are those of its beginning; where the memory is the variable's own, none are said."""
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
        if resource:
            assert [seen[one, 0] for one in reads] == truth[step]
        else:
            assert ("layer1/w/read", 0) not in seen
            assert ("layer1/hidden", 0) in seen
    assert ("numbers of variables that the same run writes" in gaps(process)) is not resource
    after = ranges(process, 4)
    if not resource:
        assert ("layer1/w/read", 0) in after  # nothing is written there


# ── nobody notices ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("level", ["structure", "health"])
def test_the_script_computes_the_same_and_its_graph_stays(level: Any, resource: bool, tmp_path: Path) -> None:
    """Every bit of losses and weights, and every byte of the graph's definition."""
    plain_model = Regression(resource)
    plain = plain_model.trained()
    models: list[Regression] = []
    traced: list[Any] = []

    def program() -> None:
        models.append(Regression(resource))
        traced.extend(models[0].trained())

    recorded(program, tmp_path / "run.glens", level, tensorflow)

    assert [one.tobytes() for one in traced] == [one.tobytes() for one in plain]
    assert [type(one) for one in traced] == [type(one) for one in plain]
    assert models[0].graph.as_graph_def() == plain_model.graph.as_graph_def()
    assert len(models[0].graph.get_operations()) == len(plain_model.graph.get_operations())


def test_fetches_of_every_form_come_back_as_they_do(tmp_path: Path) -> None:
    """Nested, by name, operations, sparse, more than once, fed, and with what is told of the run."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [2], name="x")
        y = tf.multiply(x, 2.0, name="y")
        sparse = tf.sparse.from_dense(y)
        fed_sparse = v1.sparse_placeholder(tf.float32, name="fed")
        nothing = tf.no_op("nothing")
        words = tf.strings.as_string(y)
        total = tf.reduce_sum(tf.sparse.to_dense(fed_sparse))
    Pair = namedtuple("Pair", ["first", "second"])
    given = {x: [1.0, -3.0], fed_sparse: v1.SparseTensorValue([[0], [2]], [1.0, 2.0], [4])}

    def asked(run_in: Any) -> list[Any]:
        told = v1.RunMetadata()
        results = [
            run_in.run({"a": y, "b": [y, (nothing, "x:0")], "c": Pair(words, sparse)}, given),
            run_in.run(nothing), run_in.run([nothing, "y:0"], {"x:0": [0.0, 1.0]}), run_in.run([]),
            run_in.run(total, given), run_in.run(y, {y: [9.0, 9.0]}), run_in.run((y, y), given),
            run_in.run(y, given, v1.RunOptions(timeout_in_ms=60000), told),
        ]  # fmt: skip
        return [*results, str(told)]

    with session(graph) as run_in:
        plain = asked(run_in)
    traced: list[Any] = []

    def program() -> None:
        with session(graph) as run_in:
            traced.extend(asked(run_in))

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert repr(traced) == repr(plain)


def test_a_traced_run_is_told_of_nothing_of_ours(tmp_path: Path) -> None:
    """When the script asks TensorFlow what ran, nothing more is fetched, and that is said."""
    model = Regression(True)
    told = v1.RunMetadata()

    def program() -> None:
        with session(model.graph) as run_in:
            run_in.run(model.init)
            options = v1.RunOptions(output_partition_graphs=True)
            run_in.run(model.loss, {model.x: X}, options, told)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    kept = {node.name for graph in told.partition_graphs for node in graph.node if "_retval" in node.name}
    assert len(kept) == 1
    assert "numbers of runs that are remote, traced or watched" in gaps(process)


def failures() -> dict[str, Callable[[Any], Any]]:
    """Programs that fail, each given a session of its own."""

    def uninitialised(run_in: Any) -> None:
        with run_in.graph.as_default():
            run_in.run(v1.get_variable("w", [2], use_resource=True) * 2.0)

    def unfed(run_in: Any) -> None:
        with run_in.graph.as_default():
            run_in.run(v1.placeholder(tf.float32, [2], name="unfed") * 2.0)

    def checked(run_in: Any) -> None:
        with run_in.graph.as_default():
            run_in.run(tf.debugging.check_numerics(tf.constant(0.0) / 0.0, "ill"))

    def no_fetch(run_in: Any) -> None:
        run_in.run("nobody:0")

    def closed(run_in: Any) -> None:
        with run_in.graph.as_default():
            one = tf.constant(1.0)
        run_in.close()
        run_in.run(one)

    def no_scope(run_in: Any) -> None:
        with run_in.graph.as_default(), v1.variable_scope(None):
            run_in.run(tf.constant(1.0))

    def no_gradient(run_in: Any) -> None:
        with run_in.graph.as_default():
            w = v1.get_variable("w", [2], use_resource=True)
            v1.train.GradientDescentOptimizer(0.1).apply_gradients([(None, w)])

    return {
        one.__name__: one for one in (uninitialised, unfed, checked, no_fetch, closed, no_scope, no_gradient)
    }


def failed(program: Callable[[Any], Any]) -> tuple[str, list[tuple[str, str]]]:
    """What a program fails with, and the frames that its traceback shows."""
    with session(tf.Graph()) as run_in, pytest.raises(Exception) as caught:  # any will do
        program(run_in)
    # Where the test itself makes an operation differs.
    words = [line for line in str(caught.value).splitlines() if "tests/" not in line]
    assert "graphlens_tracers" not in str(caught.value)
    frames = traceback.extract_tb(caught.value.__traceback__)
    return f"{type(caught.value)} {words}", [(frame.filename, frame.name) for frame in frames]


@pytest.mark.parametrize("name", failures())
def test_errors_are_the_same(name: str, tmp_path: Path) -> None:
    """Type, words and traceback; the run is said to have failed, and the script goes on."""
    plain = failed(failures()[name])
    traced: list[Any] = []

    process = recorded(lambda: traced.append(failed(failures()[name])), tmp_path / "run.glens", of=tensorflow)

    assert traced[0] == plain
    errors = [call.error for call in process.calls()]
    assert [bool(error) for error in errors] == (
        [True] if name in ("uninitialised", "unfed", "checked") else []
    )


def test_what_tensorflow_need_not_compute_is_not_fetched(tmp_path: Path) -> None:
    """The shape of something is known without it: fetching that would fail where the script does not."""

    def program() -> None:
        with tf.Graph().as_default() as graph:
            unset = v1.get_variable("unset", [2, 3], use_resource=True)
            shape = tf.raw_ops.Shape(input=tf.sqrt(unset)) + 1
            with v1.Session(graph=graph) as run_in:
                assert run_in.run(shape).tolist() == [3, 4]

    recorded(program, tmp_path / "run.glens", of=tensorflow)


def test_nothing_of_the_scripts_is_held(tmp_path: Path) -> None:
    """A session and a graph that the script drops are freed at once, as without us."""
    freed: list[bool] = []

    def program() -> None:
        model = Regression(True)
        run_in = session(model.graph)
        run_in.run(model.init)
        run_in.run(model.train, {model.x: X})
        alive = [weakref.ref(run_in), weakref.ref(model.graph), weakref.ref(model.loss)]
        del run_in
        freed.append(alive[0]() is None)
        del model
        gc.collect()
        freed.extend(one() is None for one in alive[1:])
        Regression(False).trained(1)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert freed == [True, True, True]
    assert len(process.calls()) == 6


def test_runs_of_several_threads(tmp_path: Path) -> None:
    """At the same time, in one session: each is a call, each result is its thread's."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        y = tf.multiply(tf.add(x, 1.0), 2.0)
    results: dict[int, list[float]] = {}

    def program() -> None:
        with session(graph) as run_in:

            def runs(k: int) -> None:
                results[k] = [float(run_in.run(y, {x: float(k)})) for _ in range(20)]

            threads = [threading.Thread(target=runs, args=(k,)) for k in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert results == {k: [2.0 * (k + 1)] * 20 for k in range(4)}
    assert len(process.calls()) == 80


def test_two_sessions_of_one_graph_are_said(tmp_path: Path) -> None:
    """Their variables are not the same, and are taken to be."""
    model = Regression(True)

    process = recorded(lambda: (model.trained(1), model.trained(1)), tmp_path / "run.glens", of=tensorflow)

    what = "whose a variable is, where several sessions run one graph"
    assert [gap.count for gap in process.gaps if gap.what == what] == [1]
    assert len(process.graphs()) == 4


def test_what_runs_past_us_is_said(tmp_path: Path) -> None:
    """Callables and partial runs compute what they do, and are gaps."""

    def program() -> None:
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [], name="x")
            y, z = x * 2.0, tf.constant(3.0) * 1.0
            with session(graph) as run_in:
                assert run_in.make_callable(z)() == 3.0
                assert run_in.make_callable(y, [x])(4.0) == 8.0
                handle = run_in.partial_run_setup([y], [x])
                assert run_in.partial_run(handle, y, {x: 1.0}) == 2.0

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert {"what Session.make_callable has made", "partial runs of sessions"} <= gaps(process)
    assert len(process.calls()) == 1


@pytest.mark.parametrize("where", ["write", "called"])
def test_a_failure_of_ours_leaves_the_script_alone(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said once, and the script goes on with the same results, unrecorded."""
    plain = Regression(True).trained()

    def fails(*_: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(Calls, where, fails)
    traced: list[Any] = []

    process = recorded(
        lambda: traced.extend(Regression(True).trained()), tmp_path / "run.glens", of=tensorflow
    )

    assert [one.tobytes() for one in traced] == [one.tobytes() for one in plain]
    assert [gap.kind for gap in process.gaps].count("failed") == 1
    assert capfd.readouterr().err.count("the script goes on untraced") == 1


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
