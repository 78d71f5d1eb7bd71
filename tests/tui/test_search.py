"""Search and filter, against a loop over every operation in plain Python."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from factories import LogWriter, OpRow, new_run, out, ran, seen, write_function_run, write_run
from graphlens.session import Op, Process, Saved
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, Seq
from graphlens_tui.decoded import Ill
from graphlens_tui.query import Query
from graphlens_tui.search import Search
from graphlens_tui.sieve import Sieve
from screens import saved, showing

Fits = Callable[[Op], bool]


def sizes(op: Op) -> list[float]:
    """The largest size of each output that has one."""
    ends = [(one.low, one.high) for one in op.outputs if one.low is not None and one.high is not None]
    return [max(abs(low), abs(high)) for low, high in ends if not math.isnan(low)]


def nan(op: Op) -> bool:
    return any(one.nan or (one.low is not None and math.isnan(one.low)) for one in op.outputs)


def inf(op: Op) -> bool:
    return not nan(op) and any(one.finite is False for one in op.outputs)


def step(op: Op) -> int:
    return -1 if op.call is None or op.call.step is None else op.call.step


def file(op: Op) -> str:
    return "" if op.site is None else op.site.file


QUERIES: dict[str, Fits] = {
    "softmax": lambda op: any("softmax" in one.lower() for one in (op.node.op, op.scope_path, file(op))),
    "op:add": lambda op: "add" in op.node.op,
    "mod:MLP": lambda op: "mlp" in op.scope_path.lower(),
    "!op:add mod:attn": lambda op: "add" not in op.node.op and "attn" in op.scope_path.lower(),
    "phase:backward": lambda op: op.node.phase == "backward",
    "!phase:back": lambda op: op.node.phase != "backward",
    "in:model": lambda op: "model" in file(op).lower(),
    "line:18": lambda op: op.site is not None and op.site.line == 18,
    r"re:\.(mm|bmm)\b": lambda op: bool(re.search(r"\.(mm|bmm)\b", op.node.op)),
    "dtype:float32": lambda op: any(one.spec.dtype == "float32" for one in op.node.outputs),
    "nan": nan,
    "!nan": lambda op: not nan(op),
    "inf": inf,
    "nan inf": lambda op: nan(op) or inf(op),
    ">2.5": lambda op: any(size > 2.5 for size in sizes(op)),
    "<2.5": lambda op: any(size < 2.5 for size in sizes(op)),
    "!>2.5": lambda op: not any(size > 2.5 for size in sizes(op)),
    "|x|>1e-3 absmax<1e9": lambda op: any(s > 1e-3 for s in sizes(op)) and any(s < 1e9 for s in sizes(op)),
    "step:1": lambda op: step(op) == 1,
    "step:1:3": lambda op: 1 <= step(op) < 3,
    "step:1:": lambda op: step(op) >= 1,
    "step::1": lambda op: 0 <= step(op) < 1,
    "!step:1": lambda op: step(op) != 1,
    "step:1 nan op:mul": lambda op: step(op) == 1 and nan(op) and "mul" in op.node.op,
    "op:nowhere": lambda op: False,
}  # fmt: skip


def searched(process: Process, asked: str) -> Search:
    timeline = Sieve(process)
    timeline.update()
    return Search(Query.parsed(asked), process, timeline, lambda: Ill.of(process))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Process:
    path = tmp_path_factory.mktemp("run") / "run.glens"
    return Saved(write_run(path, nodes=90, steps=3, nan_from=1)).run.main


@pytest.fixture(scope="module")
def ops(process: Process) -> list[Op]:
    return [process.op(Seq(seq)) for seq in range(process.end)]


@pytest.mark.parametrize("asked", QUERIES)
def test_what_fits(process: Process, ops: list[Op], asked: str) -> None:
    """Which operations, how many, and the next from anywhere."""
    truth = [int(op.seq) for op in ops if QUERIES[asked](op)]
    search = searched(process, asked)
    assert search.hits().tolist() == truth
    assert search.count() == len(truth)
    for at in (-1, 0, 7, len(ops) // 2, len(ops)):
        assert search.next(at) == next((seq for seq in truth if seq > at), None)
        assert search.next(at, forward=False) == next((seq for seq in reversed(truth) if seq < at), None)


def test_sizes_of_odd_outputs(tmp_path: Path) -> None:
    """Empty ones have no size, an infinity is above everything, one of several outputs is enough."""
    log = new_run(tmp_path / "run.glens")
    log.declare(*seen(ran(0, outputs=[out(0, 4), out(1, 4)])))
    ends = [((-5.0, 1.0), (0.0, 0.0)), ((0.0, 0.0), (math.inf, -math.inf)), ((-math.inf, 1.0), (2.0, 3.0)),
            ((math.nan, math.nan), (7.0, 8.0))]  # fmt: skip
    log.ran(*(OpRow(0, one) for one in ends)).finish()
    process = Saved(log.directory).run.main
    above = [any(low <= high and max(-low, high) > 4 for low, high in one) for one in ends]
    assert searched(process, ">4").hits().tolist() == [k for k, hit in enumerate(above) if hit]
    assert searched(process, "<1").hits().tolist() == [0, 1]


def test_a_function_runs_in_the_step_that_it_is_called_in(tmp_path: Path) -> None:
    """Its operations are those of the step."""
    process = Saved(write_function_run(tmp_path / "run.glens")).run.main
    assert searched(process, "step:1").hits().tolist() == [4, 5, 6, 7]


def test_rows_of_another_thread_that_come_late(tmp_path: Path) -> None:
    """Numbered before what was looked at already, they are found nevertheless."""
    from graphlens.session import load

    log = new_run(tmp_path / "run.glens")
    log.declare(*seen(ran(0), ran(1)))
    log.ran(0, 1, seqs=[0, 3])
    run = load(log.directory)
    search = searched(run.main, "op:")
    assert search.hits().tolist() == [0, 3]
    log.ran(0, 1, seqs=[1, 2], strand=1).finish()
    run.refresh()
    search.timeline.update()
    assert search.hits().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("asked", "said"),
    [("re:(", "is no pattern"), ("step:x", "is no steps"), ("phase:lunch", "is no phase"),
     (">1..2", "no number"), ("step::", "is no steps")],
)  # fmt: skip
def test_what_is_no_query_is_said(asked: str, said: str) -> None:
    """In words for a person."""
    with pytest.raises(ValueError, match=said):
        Query.parsed(asked)


# ── the filter ───────────────────────────────────────────────────────────────────────────────


def lines_of(timeline: Sieve) -> list[tuple[str, int]]:
    return [(str(line.sort), line.seq) for line in map(timeline.line, range(len(timeline)))]


@pytest.mark.parametrize("asked", ["op:add", "nan", "step:1", "mod:mlp !phase:backward"])
def test_only_what_fits_has_a_line(process: Process, ops: list[Op], asked: str) -> None:
    """Those operations, each with the headline of its step; folded ones with their folds."""
    search = searched(process, asked)
    timeline = search.timeline
    whole = lines_of(timeline)
    truth = search.hits().tolist()
    steps = {op.call.call for op in ops if op.seq in truth and op.call is not None}
    heads = [
        int(op.seq) for op in ops if op.call is not None and op.call.first == op.seq and op.call.call in steps
    ]
    timeline.show_only(search.hits())
    shown = lines_of(timeline)
    assert [seq for sort, seq in shown if sort == "op"] == truth
    assert [seq for sort, seq in shown if sort == "call"] == heads
    for seq in truth:
        assert timeline.line(timeline.number_of(seq)).seq == seq
    keys = frozenset().union(*(way.outline.deeper_than(1) for way in timeline.ways.values()))
    timeline.fold(keys, set())
    for seq in truth:
        line = timeline.line(timeline.number_of(seq))
        assert line.seq <= seq < line.stop
    for line in (timeline.line(number) for number in range(len(timeline))):
        assert any(line.seq <= seq < line.stop for seq in truth)
    timeline.fold(frozenset(), set())
    timeline.show_only(None)
    assert lines_of(timeline) == whole


def test_steps_among_what_is_shown(process: Process) -> None:
    """From one headline to the next, and not past them."""
    timeline = searched(process, "op:softmax").timeline
    timeline.show_only(searched(process, "op:softmax step:1:").hits())
    heads = [number for number in range(len(timeline)) if timeline.line(number).sort == "call"]
    assert timeline.headline(0, 1) == heads[1] and timeline.headline(heads[1], -1) == heads[0]
    assert timeline.headline(heads[-1] + 1, 1) == heads[-1]
    for head in heads:
        call = timeline.line(head).call
        assert call is not None and timeline.headline_of(call) == head


async def test_the_filter_says_what_it_hides(tmp_path: Path) -> None:
    """& shows what fits; escape shows all again, and the cursor stays where it is."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        app, timeline = screen.app, screen.app.model.shown.timeline  # type: ignore[union-attr]  # it is shown
        whole, all_ = len(timeline), app.model.shown.process.op_count  # type: ignore[union-attr]  # the same
        await screen.press("&", *"op:softmax", "enter")
        assert app.filtered == "op:softmax"
        many = len(timeline.only)  # type: ignore[arg-type]  # it is set
        assert f"{many:,} of {all_:,} operations" in screen.text()
        assert f"{all_ - many:,} hidden" in screen.text()
        await screen.press("j", "j")
        at = app.at
        await screen.press("escape")
        assert len(timeline) == whole and "hidden" not in screen.text() and app.at == at


async def test_going_where_the_filter_does_not_let(tmp_path: Path) -> None:
    """Shows everything, and says why."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("&", *"op:softmax !nan", "enter", "!")
        assert screen.app.filtered == "" and "does not fit the filter" in screen.status()
        assert screen.app.at == screen.app.model.ill.seqs[0]


async def test_a_filter_that_nothing_fits(tmp_path: Path) -> None:
    """Is not set; neither is one that is no query."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        for asked, said in (("op:nowhere", "nothing fits"), ("re:(", "no pattern")):
            await screen.press("&")
            await screen.pilot.press("ctrl+a", "ctrl+k")
            await screen.press(*asked, "enter")
            assert said in screen.status() and screen.app.filtered == ""


async def test_a_filter_on_a_run_that_grows(tmp_path: Path) -> None:
    """What comes and fits is shown, too."""
    from screens import FakeSession

    log: LogWriter = new_run(tmp_path / "run.glens", state="running")
    log.declare(*seen(ran(0, op="aten.relu.default"), ran(1, op="aten.neg.default")))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train")).ran(0, 1)
    session = FakeSession(log.directory)
    async with showing(session, (120, 40)) as screen:
        await screen.press("&", *"relu", "enter")
        log.calls(CallEnded(CallId(0), Seq(1)), CallBegan(CallId(1), GraphId(0), Seq(2), 1, "train"))
        log.ran(0, 1)
        session.grow()
        await screen.rest(0.4)
        assert screen.app.model.shown is not None
        assert screen.app.model.shown.timeline.only.tolist() == [0, 2]  # type: ignore[union-attr]  # it is set
        assert "2 of 4 operations" in screen.text()
