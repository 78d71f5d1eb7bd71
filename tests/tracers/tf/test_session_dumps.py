"""Nobody notices that TensorFlow's debugger looks into loops and branches of what sessions run."""

from __future__ import annotations

import glob
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regression import gaps, ranges, session

from graphlens.store import Process
from graphlens_tracers.events import Seq
from graphlens_tracers.tf import compat, dumps
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

v1: Any = tf.compat.v1
UNWATCHED = "loops and branches of TensorFlow 1 in runs that its debugger could not look at"


@pytest.fixture(autouse=True)
def _old_flow() -> Iterator[None]:
    """Loops and branches as in TensorFlow 1, which are no functions."""
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


class Doubling:
    """A loop that doubles what is fed until it is `limit`, and draws a random number each time.

    Attributes:
        seen: What each iteration began with, as Python is told of it.
    """

    def __init__(self, limit: float = 8.0, also: Callable[[], object] = lambda: None) -> None:
        self.graph = tf.Graph()
        self.seen: list[float] = []

        def look(x: Any) -> Any:
            self.seen.append(float(x))
            also()
            return x

        with self.graph.as_default():
            v1.set_random_seed(4)
            self.x = v1.placeholder(tf.float32, [], name="x")

            def body(x: Any, noise: Any) -> Any:
                (x,) = [tf.reshape(v1.py_func(look, [x], tf.float32), [])]
                return tf.multiply(x, 2.0, name="double"), noise + v1.random_uniform([])

            self.loop = tf.while_loop(lambda x, _: x < limit, body, [self.x, 0.0])

    def run(self, run_in: Any, x: float, *how: Any) -> list[Any]:
        """The end of the loop: the number, and the sum of what was random."""
        return [one.tobytes() for one in run_in.run(list(self.loop), {self.x: x}, *how)]


def doubled(process: Process) -> list[list[float]]:
    """Of each run, what was doubled in each iteration, by the range of the result."""
    found: dict[int | None, list[float]] = {}
    for call in process.calls():
        if call.parent is None:
            found.setdefault(call.call, [])
            continue
        rows = process.rows(call.first, Seq(call.last + 1))
        ranges = process.ranges(call.first, Seq(call.last + 1))
        for row, node in enumerate(rows.node.tolist()):
            if process.nodes[node].key.endswith("/double"):
                at = int(ranges.offsets[row])
                assert ranges.low[at] == ranges.high[at]
                found[call.parent].append(float(ranges.low[at]) / 2)
    return list(found.values())


def test_iterations_are_what_python_sees_of_them(tmp_path: Path) -> None:
    """Also none at all; results and the state of what is random are those of a session without us."""
    plain, model = Doubling(), Doubling()
    given = [1.0, 3.0, 20.0, 0.0625, 1.0]
    with session(plain.graph) as run_in:
        wanted = [plain.run(run_in, x) for x in given]
    traced: list[Any] = []

    def program() -> None:
        with session(model.graph) as run_in:
            traced.extend(model.run(run_in, x) for x in given)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert traced == wanted
    assert [one for each in doubled(process) for one in each] == model.seen == plain.seen
    assert [len(each) for each in doubled(process)] == [3, 2, 0, 7, 3]
    rounds = [call.iteration for call in process.calls() if call.parent is not None]
    assert rounds[:6] == [0, 1, 2, 3, 0, 1]  # the last one finds that it is over
    assert gaps(process) == set()


def test_where_a_loop_goes_wrong(tmp_path: Path) -> None:
    """The first NaN of all is in the iteration that makes it."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        _, y = tf.while_loop(lambda k, _: k < 5, lambda k, y: (k + 1, tf.sqrt(y - 1.0, name="root")), [0, x])

    def program() -> None:
        with session(graph) as run_in:
            assert np.isnan(run_in.run(y, {x: 5.0}))  # 5, 2, 1, 0, NaN

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    first = Seq(int(process.bad_rows()[0]))
    node = process.nodes[int(process.rows(first, Seq(first + 1)).node[0])]  # type: ignore[index]  # a plain int
    call = process.call_at(first)
    assert node.key.endswith("/root")
    assert call is not None
    assert call.iteration == 3


def test_runs_at_the_same_time(tmp_path: Path) -> None:
    """Each thread's iterations are in the call of its run; where there are too many at once, that is said."""
    model = Doubling()
    results: dict[int, list[Any]] = {}
    together = threading.Barrier(6)

    def program() -> None:
        with session(model.graph) as run_in:

            def runs(k: int) -> None:
                together.wait()
                results[k] = [run_in.run(model.loop[0], {model.x: 2.0**-k}) for _ in range(5)]

            threads = [threading.Thread(target=runs, args=(k,)) for k in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert results == {k: [8.0] * 5 for k in range(6)}
    found = doubled(process)
    assert len(found) == 30
    for each in found:
        assert each == [] or each == [each[0] * 2**k for k in range(len(each))]
        assert each == [] or each[-1] == 4.0
    unwatched = sum(gap.count for gap in process.gaps if gap.what == UNWATCHED)
    assert list(found).count([]) == unwatched < 30


def directories() -> set[str]:
    """All that could be ours."""
    return set(glob.glob("/dev/shm/graphlens-*")) | set(glob.glob("/tmp/graphlens-*"))


def test_what_is_written_is_private_and_gone_at_once(tmp_path: Path) -> None:
    """It is there for the time of a run, for this user alone, outside of the working directory."""
    before, found = directories(), set[tuple[str, int]]()

    def look() -> None:
        found.update((one, stat.S_IMODE(os.stat(one).st_mode)) for one in directories() - before)

    model = Doubling(also=look)
    left: list[set[str]] = []

    def program() -> None:
        with session(model.graph) as run_in:
            for _ in range(2):
                model.run(run_in, 1.0)
                left.append(directories() - before)

    here = set(os.listdir())
    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert len(found) == 1
    assert {mode for _, mode in found} == {0o700}
    assert left == [set(), set()]
    assert set(os.listdir()) == here


def test_what_a_long_run_writes_is_taken_away_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop of many rounds fills no memory; what it wrote is read all the same."""
    monkeypatch.setattr(dumps, "EVERY", 0.05)
    monkeypatch.setattr(dumps, "SETTLED", 100_000)
    before, there = directories(), list[set[str]]()

    def look() -> None:
        time.sleep(0.1)
        found = {file for one in directories() - before for _, _, files in os.walk(one) for file in files}
        there.append({file for file in found if not file.startswith("_tfdbg_")})

    model = Doubling(2.0**12, look)

    def program() -> None:
        with session(model.graph) as run_in:
            model.run(run_in, 1.0)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    (seen,) = doubled(process)
    assert seen == [2.0**k for k in range(12)]
    assert there[0]
    assert there[0].isdisjoint(there[-1])


def test_errors_in_a_loop_are_the_same(tmp_path: Path) -> None:
    """Type and words; nothing is left of what was written, and the next run is seen."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        y = tf.while_loop(
            lambda y: y < 9.0, lambda y: tf.debugging.check_numerics(y * 2.0, "ill") / (y - 4.0), [x]
        )
    said: list[str] = []

    def program() -> None:
        with session(graph) as run_in:
            with pytest.raises(tf.errors.InvalidArgumentError) as caught:
                run_in.run(y, {x: -3e38})
            said.append(str(caught.value))
            said.append(str(run_in.run(y, {x: 10.0})))

    program()
    before = directories()
    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert said[:2] == said[2:]
    assert "ill" in said[0]
    assert directories() == before
    assert [bool(call.error) for call in process.calls() if call.parent is None] == [True, False]


@pytest.mark.parametrize("why", ["room", "refused", "slow"])
def test_where_the_debugger_cannot_look_the_script_goes_on(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no room, it is refused, it takes too long: each run has its results, and that is said."""
    if why == "room":
        monkeypatch.setattr(dumps, "ROOM", 1 << 80)
    elif why == "slow":
        monkeypatch.setattr(dumps, "MOST", 10)
    else:
        original, wrong = compat.watch, b"NoNumericSummaryNow"  # as many letters
        monkeypatch.setattr(
            compat, "watch", lambda *how: original(*how).replace(b"DebugNumericSummary", wrong)
        )
    plain, model = Doubling(), Doubling()
    with session(plain.graph) as run_in:
        wanted = [plain.run(run_in, 1.0) for _ in range(3)]
    traced: list[Any] = []

    def program() -> None:
        with session(model.graph) as run_in:
            traced.extend(model.run(run_in, 1.0) for _ in range(3))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert traced == wanted
    assert model.seen == plain.seen
    assert [len(each) for each in doubled(process)] == ([3, 0, 0] if why == "slow" else [0, 0, 0])
    assert gaps(process) == {UNWATCHED}


def test_options_of_the_script_are_kept(tmp_path: Path) -> None:
    """A run that takes longer than the script allows ends as it does without us."""
    graph = tf.Graph()
    with graph.as_default():
        late = v1.FIFOQueue(1, [tf.float32], [[]]).dequeue()
        looped = tf.while_loop(lambda k: k < 5.0, lambda k: k + 1.0, [late])
    words: list[str] = []

    def program() -> None:
        with session(graph) as run_in, pytest.raises(tf.errors.DeadlineExceededError) as caught:
            run_in.run(looped, None, v1.RunOptions(timeout_in_ms=300))
        words.append(str(caught.value))

    program()
    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert words[0] == words[1]


def test_a_variable_that_is_trained_through_a_loop(tmp_path: Path) -> None:
    """One that is memory which the run itself writes: its numbers are those of before."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        w = v1.get_variable("w", initializer=1.5, use_resource=False)
        _, y = tf.while_loop(lambda k, _: k < 3, lambda k, y: (k + 1, y * w), [0, x])
        train = v1.train.GradientDescentOptimizer(0.01).minimize(tf.square(y))
        init = v1.global_variables_initializer()

    def trained() -> list[float]:
        with session(graph) as run_in:
            run_in.run(init)
            return [float(run_in.run([w, train][k % 2], {x: 1.0}) or 0.0) for k in range(6)]

    plain, traced = trained(), list[float]()

    process = recorded(lambda: traced.extend(trained()), tmp_path / "run.glens", of=tensorflow)

    assert traced == plain
    assert gaps(process) == set()
    steps = [call.call for call in process.calls() if call.parent is None][2::2]
    assert [ranges(process, step)["w/read", 0] for step in steps] == [(one, one) for one in plain[::2]]


def test_sums_in_a_loop_are_added_in_the_order_in_which_they_are(tmp_path: Path) -> None:
    """AddN begins with the first of its inputs that nobody else holds: a copy is not to be that."""
    random = np.random.default_rng(5)
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [100], name="x")
        kept = [
            v1.get_variable(f"w{k}", initializer=random.normal(size=100).astype("f") * 1e4) for k in (0, 1)
        ]

        def body(k: Any, y: Any) -> Any:
            return k + 1, tf.add_n([*(tf.identity(one.value()) for one in kept), y * 0.1, y * 10.0, y * 3.0])

        _, y = tf.while_loop(lambda k, _: k < 4, body, [0, x])
        init = v1.global_variables_initializer()
    given = random.normal(size=100).astype(np.float32)
    results: list[bytes] = []

    def program() -> None:
        with session(graph) as run_in:
            run_in.run(init)
            results.append(run_in.run(y, {x: given}).tobytes())

    program()
    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert results[0] == results[1]
    assert gaps(process) == {"numbers that are added in an order that looking could change"}


@pytest.mark.parametrize("optimised", [True, False])
def test_with_all_that_tensorflow_does_by_itself(optimised: bool, tmp_path: Path) -> None:
    """Grappler, folded constants, what is computed once for two: iterations are seen all the same."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [3], name="x")
        positive = [tf.reduce_sum(x) > 0.0 for _ in range(2)]
        some = [tf.cond(one, lambda: x * 2.0, lambda: x * 4.0) for one in positive]
        _, y = tf.while_loop(
            lambda k, _: k < 4, lambda k, y: (k + 1, y * 2.0 + (tf.constant(1.0) + 1.0)), [0, tf.add_n(some)]
        )

    def results() -> list[bytes]:
        with v1.Session(graph=graph) if optimised else session(graph) as run_in:
            return [run_in.run(y, {x: given}).tobytes() for given in ([1.0, 2.0, 3.0], [-1.0, 0.0, 0.5])]

    plain, traced = results(), list[bytes]()

    process = recorded(lambda: traced.extend(results()), tmp_path / "run.glens", of=tensorflow)

    assert traced == plain
    assert [call.iteration for call in process.calls()] == [None, 0, 1, 2, 3, 4] * 2
    assert UNWATCHED not in gaps(process)
