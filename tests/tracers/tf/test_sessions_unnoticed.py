"""Nobody notices that a session is recorded: results, errors, graphs and memory are as without us."""

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
from regression import Regression, X, gaps, session, v1

from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow


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


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_sums_are_added_in_the_order_in_which_they_are(kept: int, tmp_path: Path) -> None:
    """AddN begins with the first of its inputs that nobody else holds: looking is not to hold it."""
    random = np.random.default_rng(5)
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [100], name="x")
        parts = [tf.multiply(x, 10.0**k) for k in range(5)]
        for k in range(kept):
            parts[k] = tf.constant(random.normal(size=100).astype(np.float32) * 1e4)
        total = tf.add_n(parts)
    given = random.normal(size=100).astype(np.float32)
    results: list[bytes] = []

    def program() -> None:
        with session(graph) as run_in:
            results.append(run_in.run(total, {x: given}).tobytes())

    program()
    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert results[0] == results[1]
    said = "numbers that are added in an order that looking could change"
    assert (said in gaps(process)) is (kept == 2)


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
