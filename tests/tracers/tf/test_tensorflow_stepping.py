"""Programs of TensorFlow that are stopped do what they do without us, and stop exactly where they were to."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras as _keras
import numpy as np
import pytest
from corpus import PROGRAMS
from outcomes import outcome, printed
from random_functions import program, random_steps

import graphlens
from graphlens.debugger import Debugger
from graphlens.ops import Op
from graphlens.store import Process
from graphlens_tracers.api import Tracer
from graphlens_tracers.control import Way
from graphlens_tracers.events import Seq
from graphlens_tracers.tf.bodies import INNER
from graphlens_tracers.tf.compat import context, tf
from graphlens_tracers.tf.interpreted import Interpreted
from graphlens_tracers.tf.tracer import TensorFlowTracer
from recorded import ops
from stepper import MOST, Next, debugged, walk

keras: Any = _keras  # its sources have the wrong types


@pytest.fixture(autouse=True)
def _unoptimised() -> Iterator[None]:
    """Grappler changes numbers: without it, nothing does."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def held() -> Tracer:
    """The tracer of a script that was started held."""
    made = TensorFlowTracer()
    made.interpreted = Interpreted()
    return made


def stopped(run: Callable[[], object], path: Path, obey: Callable[[Debugger, Next], None]) -> Process:
    """What was recorded of a program that was held."""
    with debugged(path, obey, held):
        run()
    return graphlens.load(path).main


# ── it does not notice ───────────────────────────────────────────────────────────────────────

QUESTIONS: list[dict[str, Any]] = [
    {"question": "locals"},
    {"question": "eval", "text": "absmax(in0)", "elements": True},
    {"question": "eval", "text": "not a sentence of Python"},
    {"question": "eval", "text": "1 / 0"},
    {"question": "eval", "text": "__import__('tensorflow').random.normal([3])", "elements": True},
    {"question": "tensor", "which": "in", "index": 0},
    {"question": "tensor", "which": "out", "index": 99},
]
WAYS = [way for way in Way if way not in (Way.AT, Way.CONTINUE)]


def wander(ways: Sequence[Way], seed: str, said: list[Any]) -> Callable[[Debugger, Next], None]:
    """Go on in these ways, and ask things; after many stops it goes on by itself."""

    def obey(debugger: Debugger, next_stop: Next) -> None:
        chosen = random.Random(seed)
        debugger.add("Mul", ignore=3)
        debugger.add("backward")
        debugger.watch("nan")
        while (stop := next_stop()) is not None:
            said.append(stop.said)
            if len(said) >= MOST:
                stop.release()
                continue
            if chosen.random() < 0.05:
                question = dict(chosen.choice(QUESTIONS))
                try:
                    stop.ask(question.pop("question"), **question)
                except ValueError:
                    pass  # what cannot be answered is said so
            stop.go(chosen.choice(ways), times=chosen.choice((1, 1, 2, 5)))

    return obey


def same(name: str, ways: Sequence[Way], path: Path, capfd: pytest.CaptureFixture[str]) -> list[Any]:
    """A program of the corpus does the same, stopped in these ways; gives what was said at the stops."""
    said: list[Any] = []
    found: list[Any] = []
    for around in (contextlib.nullcontext(), debugged(path, wander(ways, name, said), held)):
        with around:
            found.append(outcome(name))
        found.append(printed(capfd))
    plain, plainly, ours, by_us = found
    process = graphlens.load(path).main

    assert by_us[0] == plainly[0]
    assert ours.error == plain.error
    assert ours.state == plain.state
    assert ours.values == plain.values
    assert not [gap for gap in process.gaps if gap.kind == "failed"]
    return said


NAMES = [name for name in PROGRAMS if name != "compiled"]
"""What XLA compiles runs as written, and its last digits are others."""
FEW = ("fails_inside_of_a_branch", "nested_loops", "python_inside", "tape_outside_of_the_function")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FEW else [pytest.mark.long]) for name in NAMES]
)
def test_a_program_that_is_stopped_does_not_notice(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    same(name, WAYS, tmp_path / "run.glens", capfd)


@pytest.mark.long
@pytest.mark.parametrize("way", [*WAYS, Way.CONTINUE], ids=str)
@pytest.mark.parametrize("name", sorted(NAMES)[::2])
def test_each_way_of_going_on_changes_nothing(
    name: str, way: Way, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    same(name, [way], tmp_path / "run.glens", capfd)


# ── where it stops ───────────────────────────────────────────────────────────────────────────


def drawn(seed: int) -> Callable[[], Any]:
    """A random program; what TensorFlow says of it itself is no concern here."""
    chosen = random.Random(seed)
    run = program(random_steps(chosen, chosen.randint(2, 6)))

    def quietly() -> None:
        try:
            run()
        except tf.errors.OpError:
            return

    return quietly


def entered(process: Process) -> set[int]:
    """Rows of what enters others: they come behind what is in them."""
    return {seq for seq, kind in enumerate(ops(process)) if kind in INNER}


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.long] if seed > 1 else []) for seed in range(1, 25)]
)
def test_every_operation_is_stopped_at_just_before_its_row(seed: int, tmp_path: Path) -> None:
    said: list[Any] = []
    process = stopped(drawn(seed), tmp_path / "run.glens", walk(Way.STEP, said))
    kinds, late = ops(process), entered(process)

    before = [(one["seq"], one["op"]) for one in said if one["op"] not in INNER]
    assert before == [(seq, kind) for seq, kind in enumerate(kinds) if seq not in late]
    # What enters others is stopped at before the first row that is in it.
    assert all(one["seq"] <= after["seq"] for one, after in pairwise(said))


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.long] if seed != 3 else []) for seed in range(1, 25)]
)
def test_what_is_stepped_over_is_counted(seed: int, tmp_path: Path) -> None:
    said: list[Any] = []
    process = stopped(drawn(seed), tmp_path / "run.glens", walk(Way.OVER, said))
    kinds = ops(process)

    assert [kinds[one["seq"]] for one in said if one["op"] not in INNER] == [
        one["op"] for one in said if one["op"] not in INNER
    ]  # fmt: skip


CHAIN: dict[str, Callable[[Any], Any]] = {
    "Tanh": tf.tanh,
    "Softplus": tf.math.softplus,
    "Cos": tf.cos,
    "loop": lambda x: tf.while_loop(lambda k, y: k < 3, lambda k, y: (k + 1, tf.cos(y)), (0, x))[1],
    "branch": lambda x: tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.tanh(x), lambda: tf.cos(tf.cos(x))),
    "call": lambda x: tf.function(lambda y: tf.math.softplus(tf.tanh(y)))(x) + 0.5,
}


def chained(names: Sequence[str]) -> Callable[[], None]:
    """Each of these of what the one before it has made, in a function with its gradient: nothing is dead."""

    def run() -> None:
        def compute(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = x
                for name in names:
                    y = CHAIN[name](y)
                loss = tf.reduce_sum(y)
            return loss, tape.gradient(loss, x)

        step = tf.function(compute)
        x = tf.constant([[1.5, -0.5], [0.25, 2.0]])
        for _ in range(2):
            x -= 0.1 * step(x)[1]

    return run


COUNTED = ("Tanh", "Softplus", "Cos")


def independent(run: Callable[[], object], limit: float) -> tuple[Counter[str], Counter[str]]:
    """How often TensorFlow itself calls these, all run eagerly; and of inputs with elements above a limit."""
    counts: Counter[str] = Counter()
    above: Counter[str] = Counter()

    def heard(op: str, inputs: Any, *more: Any) -> None:
        if op in COUNTED and more[-1] is None:  # in no graph
            counts[op] += 1
            above[op] += int(np.abs(inputs[0].numpy()).max() > limit)

    tf.config.run_functions_eagerly(True)
    context.context().add_op_callback(heard)
    try:
        run()
    finally:
        context.context().remove_op_callback(heard)
        tf.config.run_functions_eagerly(False)
    return counts, above


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.long] if seed else []) for seed in range(12)]
)
def test_breakpoints_are_hit_as_often_as_tensorflow_counts(seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    run = chained(["loop", *chosen.choices(sorted(CHAIN), k=5)])
    counts, above = independent(run, 0.9)
    said: list[Any] = []

    def prepare(debugger: Debugger) -> None:
        for name in COUNTED:
            debugger.add(name)
        for name in COUNTED:
            debugger.add(f"{name} if absmax(in0) > 0.9")

    stopped(run, tmp_path / "run.glens", walk(Way.CONTINUE, said, prepare))
    hits = said[-1]["hits"]
    # The last operations of the program are none of these: nothing is hit after the last stop.
    assert [hits[str(k)] for k in range(1, 4)] == [counts[name] for name in COUNTED]
    assert [hits[str(k)] for k in range(4, 7)] == [above[name] for name in COUNTED]


# ── Keras ────────────────────────────────────────────────────────────────────────────────────


def fit() -> None:
    keras.utils.set_random_seed(0)
    keras.utils.clear_session()
    layers = keras.layers
    block = keras.Sequential([layers.Dense(3, "relu", name="inner"), layers.Dropout(0.5)], name="block")
    model = keras.Sequential([layers.Input((4,)), block, layers.Dense(2, name="last")], name="net")
    model.compile("adam", "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("f4")
    model.fit(x, x[:, :2], batch_size=4, epochs=1, verbose=0)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Process, list[Any]]:
    """A fit that was held at every operation, and what was said there."""
    said: list[Any] = []
    return stopped(fit, tmp_path_factory.mktemp("fit") / "run.glens", walk(Way.STEP, said)), said


def rows(process: Process, said: Sequence[Any]) -> list[tuple[Op, Any]]:
    """The operations that were held before their rows, and what was said of each."""
    return [(process.op(Seq(one["seq"])), one) for one in said if one["op"] not in INNER]


def test_a_stop_says_module_phase_and_step_as_the_recording(fitted: tuple[Process, list[Any]]) -> None:
    process, said = fitted
    found = rows(process, said)

    inside = [(op, one) for op, one in found if one["graph"]]
    assert {one["phase"] for _, one in inside} >= {"forward", "backward", "optimizer"}
    assert {one["module"] for _, one in inside} >= {"", "net.block.inner", "net.last"}
    for op, one in inside:
        assert (one["module"], one["phase"]) == (op.scope_path, op.node.phase.value), one["node"]
    steps = [(one["step"], op.call.step) for op, one in inside if one["module"] and op.call is not None]
    assert set(steps) == {(0, 0), (1, 1)}


def test_out_of_a_layer_leads_behind_its_call(fitted: tuple[Process, list[Any]], tmp_path: Path) -> None:
    _, every = fitted
    said: list[Any] = []

    def obey(debugger: Debugger, next_stop: Next) -> None:
        debugger.add("graph:*one_step*", temporary=True)
        for way in (Way.CONTINUE, Way.CONTINUE, Way.OUT, Way.PHASE, Way.PHASE, Way.TRAINING_STEP):
            stop = next_stop()
            assert stop is not None
            said.append(stop.said)
            if len(said) == 2:
                debugger.add("module:*.last", temporary=True)
            stop.go(way)
        stop = next_stop()
        assert stop is not None
        said.append(stop.said)

    stopped(fit, tmp_path / "run.glens", obey)
    first = next(k for k, one in enumerate(every) if one["module"] == "net.last" and one["graph"])
    behind = next(one for one in every[first:] if "net.last" not in one["modules"])
    _, inside, last, out, backward, optimizer, following = said
    assert "one_step" in inside["graph"] and inside["seq"] < last["seq"]
    assert (last["node"], last["why"]) == (every[first]["node"], "breakpoint 2")
    assert (out["node"], out["why"]) == (behind["node"], "out")
    assert [one["phase"] for one in (last, out, backward, optimizer)] == [
        "forward", "forward", "backward", "optimizer",
    ]  # fmt: skip
    assert [one["step"] for one in (optimizer, following)] == [0, 1]
