"""What is said of the numbers inside of functions: compared with what TensorFlow's own session fetches."""

from __future__ import annotations

import math
import re
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetched import Numbers, bounds, fetched

from graphlens.store import Process
from graphlens_tracers.events import Phase, Seq
from graphlens_tracers.tf import looking
from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow


def ranges(process: Process) -> list[tuple[str, int, float, float]]:
    """(key, output, minimum, maximum) of every output in functions that was looked at, in order."""
    rows, found = process.rows(0, process.op_count), process.ranges(0, process.op_count)
    return [
        (
            process.nodes[int(rows.node[seq])].key,  # type: ignore[index]  # a plain int
            int(found.slot[at]), float(found.low[at]), float(found.high[at]),
        )
        for seq in range(process.op_count)
        if not process.nodes[int(rows.node[seq])].key.startswith(tuple(f"{phase}/" for phase in Phase))  # type: ignore[index]  # a plain int
        for at in range(int(found.offsets[seq]), int(found.offsets[seq + 1]))
    ]  # fmt: skip


def same(one: float, other: float) -> bool:
    """Equal, or both are no number."""
    return one == other or (math.isnan(one) and math.isnan(other))


NAN, INF = math.nan, math.inf
ARGUMENTS: dict[str, list[float]] = {
    "ordinary": [0.5, -1.25, 3.0, 7.0],
    "an infinity": [1.0, INF, -2.0, 0.0],
    "no number": [NAN, 1.0, INF, -INF],
    "zeros": [0.0, -0.0, 0.0, 0.0],
    "huge": [3e38, -3e38, 1e-30, 6e4],
}


def everything(x: Any) -> Any:
    """Operations on numbers of every kind; several have just the numbers of what they read."""
    narrow = [tf.cast(x, kind) for kind in (tf.float16, tf.bfloat16, tf.float64)]
    turned = tf.transpose(tf.reshape(x, [2, 2])) * tf.constant([[1.0, 2.0], [3.0, -4.0]])
    wave = tf.signal.fft(tf.cast(x, tf.complex64))
    parts = tf.split(tf.concat([x, tf.exp(x)], 0), 4)
    nothing = tf.boolean_mask(x, x > 1e39)
    ordered = tf.math.top_k(x, 2)
    return [
        *[tf.sqrt(one) for one in narrow], turned[::-1], wave, tf.cast(wave, tf.complex128),
        *parts, nothing, tf.identity(nothing), ordered.values, tf.squeeze(x[:1]), tf.reduce_logsumexp(x),
        tf.zeros([0, 3]), tf.fill([2], tf.reduce_sum(x)), tf.stop_gradient(tf.expand_dims(x / 0.0, 0)),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_range_is_what_a_session_fetches(name: str, tmp_path: Path) -> None:
    """Minimum and maximum to the bit, NaN and infinities with them."""
    x = np.array(ARGUMENTS[name], np.float32)
    made: list[Any] = []

    def program() -> None:
        function = tf.function(everything)
        made.append(function.get_concrete_function(tf.TensorSpec([4])).graph)
        function(tf.constant(x))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)
    truth = fetched(made[0], [x])
    seen = {(key.partition("/")[2], slot): (low, high) for key, slot, low, high in ranges(process)}
    assert set(seen) <= set(truth)
    assert {where for where in truth if where not in seen} == {
        ("x", 0)
    }  # an argument, which no operation makes
    wrong = {
        where: (found, bounds(truth[where]))
        for where, found in seen.items()
        if not all(map(same, found, bounds(truth[where])))
    }
    assert wrong == {}


def collatz(n: Any) -> Any:
    """A loop whose length and branches depend on what it computes."""
    steps = tf.constant(0)
    while n > 1.0:
        if n % 2.0 == 0.0:
            n = n / 2.0
        else:
            n = 3.0 * n + 1.0
        steps += 1
    return steps


def test_what_ran_in_loops_and_branches_is_what_python_would_run(tmp_path: Path) -> None:
    """Each iteration is a call of its own, with the branch that it took and the numbers that it had."""
    function = tf.function(collatz)

    process = recorded(lambda: function(tf.constant(6.0)), tmp_path / "run.glens", of=tensorflow)

    way, n = [], 6.0
    while n > 1:
        way.append("even" if n % 2 == 0 else "odd")
        n = n / 2 if n % 2 == 0 else 3 * n + 1
    names = {graph.graph: graph.name for graph in process.graphs()}
    calls = process.calls()
    ran = Counter(names[call.graph] for call in calls)
    assert ran["while_body"] == len(way)
    assert ran["while_cond"] == len(way) + 1
    assert ran["while_cond_true"] == way.count("even")
    assert ran["while_cond_false"] == way.count("odd")
    bodies = [call for call in calls if names[call.graph] == "while_body"]
    assert [call.iteration for call in bodies] == list(range(len(way)))
    taken = {
        call.parent: names[call.graph]
        for call in calls
        if names[call.graph] in ("while_cond_true", "while_cond_false")
    }
    assert [taken[call.call] == "while_cond_true" for call in bodies] == [one == "even" for one in way]
    last = [low for key, _, low, _ in ranges(process) if key.endswith("while/cond/truediv")][-1]
    assert last == 1.0


def test_loops_in_loops(tmp_path: Path) -> None:
    """The inner loop's iterations are inside of the outer one's."""

    @tf.function
    def triangle(n: Any) -> Any:
        total = tf.constant(0.0)
        for i in tf.range(n):
            for j in tf.range(i):
                total += tf.cast(j, tf.float32)
        return total

    process = recorded(lambda: triangle(tf.constant(5)), tmp_path / "run.glens", of=tensorflow)

    calls = {call.call: call for call in process.calls()}
    names = {graph.graph: graph.name for graph in process.graphs()}
    outer = {call for call, one in calls.items() if names[one.graph] == "while_body"}
    inner = [one for one in calls.values() if names[one.graph].endswith("body") and one.parent in outer]
    assert Counter(calls[one.parent].iteration for one in inner if one.parent is not None) == {
        1: 1,
        2: 2,
        3: 3,
        4: 4,
    }


def test_two_calls_of_one_function_are_told_apart(tmp_path: Path) -> None:
    """Which place of the caller made a call is known, and what each computed."""

    @tf.function
    def half(x: Any) -> Any:
        return x * 0.5

    @tf.function
    def outer(x: Any) -> Any:
        return half(x) + half(x * 100.0)

    process = recorded(lambda: outer(tf.constant(8.0)), tmp_path / "run.glens", of=tensorflow)

    products = [high for key, _, _, high in ranges(process) if "half" in key and key.endswith("/mul")]
    assert products == [4.0, 400.0]


def test_a_function_for_xla_is_looked_at(tmp_path: Path) -> None:
    """It runs uncompiled then, which is said; TensorFlow's own checks fail on it."""

    @tf.function(jit_compile=True)
    def compiled(x: Any) -> Any:
        return tf.math.log(x) * 2.0

    got: list[float] = []
    process = recorded(
        lambda: got.append(float(compiled(tf.constant(0.0)))), tmp_path / "run.glens", of=tensorflow
    )

    assert got == [-INF]
    assert [low for key, _, low, _ in ranges(process) if key.endswith("/Log")] == [-INF]
    assert [gap.kind for gap in process.gaps if "XLA" in gap.what] == ["compiled"]


def added(x: Any) -> Any:
    """Sums that come out otherwise in another order: TensorFlow begins with what nobody else needs."""
    large, small = x * 1e8, x * -1e8
    total = tf.zeros_like(x)
    for k in range(8):
        total += tf.add_n([large, small, tf.exp(total * 0.0 + float(k))])
    return total, large, small


def test_sums_are_added_in_the_same_order(tmp_path: Path) -> None:
    """To the bit, though what is added is looked at."""
    function, x = tf.function(added), tf.ones([30000])
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    plain = {function(x)[0].numpy().tobytes() for _ in range(5)}
    traced: set[bytes] = set()

    process = recorded(
        lambda: traced.update(tf.function(added)(x)[0].numpy().tobytes() for _ in range(5)),
        tmp_path / "run.glens",
        of=tensorflow,
    )
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})

    assert process.op_count > 0
    assert len(plain) == 1
    assert traced == plain


def failing(x: Any) -> Any:
    """Fails in the middle of a loop, with a message that names its operation and function."""
    for _ in tf.range(3):
        x = tf.debugging.check_numerics(x * 1e30, "ill") + 1.0
    return x


def test_an_error_is_the_same(tmp_path: Path) -> None:
    """Type, words and traceback are as without us; the call says what ended it."""
    found: list[tuple[type, str, int]] = []

    def program() -> None:
        try:
            tf.function(failing)(tf.constant(1.0))
        except tf.errors.InvalidArgumentError as error:
            depth, where = 0, error.__traceback__
            while where is not None:
                depth, where = depth + 1, where.tb_next
            # Without the stack that leads to this function, and the number of all functions so far.
            words = re.sub(r"\n.*File .* line .*in (?!program|failing).*\n", "", str(error))
            found.append((type(error), re.sub(r"((failing|while_body)_)[0-9]+", r"\1N", words), depth))

    program()
    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    plain, traced = found
    assert traced == plain
    assert "in failing" in traced[1] and "ill" in traced[1]
    errors = [call.error for call in process.calls() if call.error]
    assert len(errors) == 1 and "ill" in errors[0]


@tf.custom_gradient
def without_gradient(x: Any) -> Any:
    """Its gradient fails while it is built."""

    def gradient(upstream: Any) -> Any:
        raise ValueError(f"no gradient of {upstream.dtype.name}")

    return x * 2.0, gradient


@pytest.mark.parametrize("inside", [False, True])
def test_an_error_in_a_gradient_is_the_same(inside: bool, tmp_path: Path) -> None:
    """Of a tape in a function, or of a function's own gradient; no frame of ours is in its traceback."""

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.tanh(without_gradient(tf.sin(x)))
        return tape.gradient(y, x)

    found: list[tuple[str, list[str]]] = []

    def program() -> None:
        function = tf.function(step) if inside else step
        if not inside:
            function = tf.function(lambda x: tf.gradients(without_gradient(tf.sin(x)), [x]))
        try:
            function(tf.constant(1.0))
        except ValueError as error:
            frames = traceback.extract_tb(error.__traceback__)
            found.append((str(error), [f"{frame.filename}:{frame.name}" for frame in frames]))

    program()
    recorded(program, tmp_path / "run.glens", of=tensorflow)

    plain, traced = found
    assert "no gradient of float32" in plain[0]
    assert traced == plain


def breaking(x: Any) -> Any:
    """A loop that is left: its condition is a branch."""
    for _ in tf.range(5):
        if tf.reduce_sum(x) > 8.0:
            break
        x = x * 2.0
    return x


def test_branches_of_a_condition_are_seen(tmp_path: Path) -> None:
    """Which way the condition went in each iteration."""
    function = tf.function(breaking)

    process = recorded(lambda: function(tf.constant([1.0, 1.0])), tmp_path / "run.glens", of=tensorflow)

    names = {graph.graph: graph.name for graph in process.graphs()}
    kinds = {graph.graph: graph.kind for graph in process.graphs()}
    calls = {call.call: call for call in process.calls()}
    conditions = [call for call in calls.values() if names[call.graph] == "while_cond"]
    inside = [call for call in calls.values() if call.parent is not None and calls[call.parent] in conditions]
    assert [call.iteration for call in conditions] == [0, 1, 2, 3, 4]
    assert [kinds[call.graph] for call in inside] == ["branch"] * 5


def test_functions_of_several_threads(tmp_path: Path) -> None:
    """Each thread's calls are whole."""
    results: list[float] = []

    @tf.function
    def total(x: Any) -> Any:
        y = x
        for _ in tf.range(10):
            y = y + 1.0
        return tf.reduce_sum(y)

    def work(k: int) -> None:
        results.append(float(total(tf.fill([4], float(k)))))

    def program() -> None:
        work(0)
        threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert sorted(results) == [40.0, 44.0, 48.0, 52.0, 56.0]
    names = {graph.graph: graph.name for graph in process.graphs()}
    outer = [call for call in process.calls() if names[call.graph] == "total"]
    assert len(outer) == 5
    sums = sorted(high for key, _, _, high in ranges(process) if key.endswith("/Sum"))
    assert sums == sorted(results)


def digest(numbers: list[Numbers]) -> bytes:
    """All their bytes."""
    return b"".join(one.tobytes() for one in numbers)


def test_nothing_of_the_scripts_own_graphs_changes(tmp_path: Path) -> None:
    """Operations, definition and what is exported are those of the script."""

    class Model(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        @tf.function(input_signature=[tf.TensorSpec([2, 2])])
        def __call__(self, x: Any) -> Any:
            return tf.linalg.matmul(x, x)

    model = Model()
    called: Any = model.__call__
    concrete = called.get_concrete_function()

    def program() -> None:
        model(tf.eye(2))
        again = tf.function(lambda x: model(x) + 1.0)
        again(tf.eye(2))
        concrete_again = again.get_concrete_function(tf.TensorSpec([2, 2]))
        assert not any("graphlens" in op.name for op in concrete_again.graph.get_operations())
        assert "graphlens" not in str(concrete_again.function_def)
        assert "watched" not in str(concrete_again.graph.as_graph_def())
        tf.saved_model.save(model, str(tmp_path / "saved"))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert process.op_count > 0
    assert not any("graphlens" in op.name for op in concrete.graph.get_operations())
    exported = (tmp_path / "saved" / "saved_model.pb").read_bytes()
    assert b"graphlens" not in exported and b"watched" not in exported


def test_recording_ends(tmp_path: Path) -> None:
    """When it has stopped TensorFlow is as it was."""
    before = everything_of_tensorflow()

    function = tf.function(lambda x: x + 1.0)
    recorded(lambda: function(tf.constant(1.0)), tmp_path / "run.glens", of=tensorflow)

    assert everything_of_tensorflow() == before
    assert float(function(tf.constant(2.0))) == 3.0


def everything_of_tensorflow() -> list[Any]:
    """What the tracer puts something of its own in front of."""
    from tensorflow.python.eager import context, execute, imperative_grad
    from tensorflow.python.eager.polymorphic_function import atomic_function
    from tensorflow.python.framework import func_graph
    from tensorflow.python.ops import gradients_util

    parts: list[Callable[..., Any]] = [
        context.Context.call_function, context.Context.remove_function, execute.record_gradient,
        imperative_grad.imperative_grad, atomic_function.from_func_graph, gradients_util._MaybeCompile,
        func_graph.FuncGraph.__init__,
    ]  # fmt: skip
    return parts


assert Seq(0) == 0


def test_what_cannot_be_watched_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TensorFlow has no kernel for a look, the script gets its result, and a gap is said."""
    monkeypatch.setattr(looking, "NARROW", looking.NARROW | {tf.string.as_datatype_enum})
    function = tf.function(lambda words: (tf.strings.lower(words), tf.strings.length(words)))
    got: list[Any] = []

    process = recorded(
        lambda: got.extend(function(tf.constant(["Word"])) for _ in range(2)),
        tmp_path / "run.glens",
        of=tensorflow,
    )

    assert [(lower.numpy().tolist(), length.numpy().tolist()) for lower, length in got] == [
        ([b"word"], [4])
    ] * 2
    assert [gap.kind for gap in process.gaps if gap.what == "calls of functions that cannot be watched"] == [
        "untraced"
    ]


def test_a_failure_of_ours_leaves_the_script_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Random numbers go on as without us, also after recording has stopped in the middle."""

    def drawn() -> list[float]:
        tf.random.set_seed(4)
        function = tf.function(lambda: tf.random.normal([]))
        return [float(function()) for _ in range(4)]

    plain = drawn()
    write, calls = Calls.write, iter(range(10))

    def failing_write(*args: Any) -> None:
        if next(calls) == 1:
            raise RuntimeError("ours")
        write(*args)

    monkeypatch.setattr(Calls, "write", failing_write)
    traced: list[float] = []
    process = recorded(lambda: traced.extend(drawn()), tmp_path / "run.glens", of=tensorflow)

    assert traced == plain
    assert [gap.kind for gap in process.gaps if "RuntimeError: ours" in gap.what] == ["failed"]
    assert capfd.readouterr().err.count("the script goes on untraced") == 1


def recurrent(x: Any, weight: Any) -> Any:
    """Loops whose iterations hand on, exchange and stack tensors, and which are differentiated."""

    def cell(h: Any, row: Any) -> Any:
        return tf.tanh(row + tf.linalg.matvec(weight, h))

    with tf.GradientTape() as tape:
        tape.watch([x, weight])
        h, one, other = tf.identity(x[0]), tf.constant(1.0), tf.constant(2.0)
        for k in tf.range(4):
            h = tf.function(cell)(h, x[k])
            for _ in tf.range(k):
                h = h * 1.5 if h[0] > 0.0 else -h
            one, other = tf.identity(other), tf.identity(one + other)
        total = tf.reduce_sum(h) * one
    return tape.gradient(total, [x, weight])


@pytest.mark.parametrize("bad", [0.5, NAN, -INF])
def test_what_is_told_elsewhere_is_what_looking_there_tells(
    bad: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments of functions, what loops hand on, and what gradients take back: as if looked at."""
    given = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32), np.eye(3, dtype=np.float32)
    given[0][2, 1] = bad
    found: list[list[tuple[int, float, float]]] = []
    numbers: list[int] = []

    def seen() -> None:
        function = tf.function(recurrent)
        process = recorded(
            lambda: [function(*map(tf.constant, given)) for _ in range(2)],
            tmp_path / f"{len(found)}.glens",
            of=tensorflow,
        )
        assert [gap for gap in process.gaps if gap.kind == "failed"] == []
        found.append([(slot, low, high) for _, slot, low, high in ranges(process)])

    look_at = looking.Looking._add

    def counted(*args: Any) -> Any:
        numbers.append(1)
        return look_at(*args)

    monkeypatch.setattr(looking.Looking, "_add", counted)
    seen()
    fewer = len(numbers)
    monkeypatch.setattr(looking.Looking, "_is_elsewhere", lambda *args: False)
    seen()

    assert 0 < fewer < len(numbers) - fewer
    np.testing.assert_array_equal(found[0], found[1])


def test_ranges_of_iterations_are_those_of_python(tmp_path: Path) -> None:
    """What a loop hands on, and stacks for its gradient, iteration by iteration; also without any."""

    @tf.function
    def powers(x: Any, n: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in tf.range(n):
                y = tf.identity(y) * x
        return tape.gradient(y, x)

    process = recorded(
        lambda: [powers(tf.constant([2.0, -3.0]), tf.constant(n)) for n in (3, 0, 5, 3)],
        tmp_path / "run.glens",
        of=tensorflow,
    )

    lows = [low for key, _, low, _ in ranges(process) if key.endswith("/while/mul")]
    handed = [low for key, _, low, _ in ranges(process) if key.endswith("/while/Identity")]
    taken = [high for key, slot, _, high in ranges(process) if "TensorListPopBack" in key and slot == 1]
    products = {n: [np.array([2.0, -3.0]) ** k for k in range(1, n + 2)] for n in (3, 5)}
    assert lows == [float(y.min()) for n in (3, 5, 3) for y in products[n][1:]]
    assert handed == [float(y.min()) for n in (3, 5, 3) for y in products[n][:-1]]
    assert taken == [float(y.max()) for n in (3, 5, 3) for y in reversed(products[n][:-1])]
