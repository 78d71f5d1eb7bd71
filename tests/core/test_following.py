"""Reading while it is written: at every moment a prefix, in the end the same as reading at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import LogWriter, OpRow, PageWriter, leaf, new_run, ran, seen, write_run
from graphlens.log import Log, Page
from graphlens.store import Run
from graphlens_tracers import wire
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    Gap,
    GraphGrew,
    GraphId,
    NodeId,
    NodeSeen,
    Seq,
    Unusual,
)
from graphlens_tracers.wire import At, Kind


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_random_increments_equal_reading_at_once(
    cuts: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Offsets are kept between looks, and a cut may be anywhere in a frame."""
    whole_path = write_run(tmp_path_factory.mktemp("whole") / "run.glens", nodes=120, steps=40, nan_from=20)
    whole = Run(whole_path)
    source = next(whole_path.glob("p-*.log"))
    data = source.read_bytes()
    path = tmp_path_factory.mktemp("part") / "run.glens"
    log = new_run(path)
    log.path.unlink()
    part = Run(path)
    told = 0
    for cut in [*sorted(cuts), 1.0]:
        (path / source.name).write_bytes(data[: int(cut * len(data))])
        for delta in part.refresh():
            assert delta.rows[0] == told
            told = delta.rows[1]
        if part.processes():
            process = part.main
            assert process.rows(0, told).seq.tolist() == list(range(told))
            for seen_graph in process.graphs():
                process.graph(seen_graph.graph).check()

    one, other = whole.main, part.main
    assert told == one.op_count == other.op_count
    for name in ("seq", "node", "call", "began", "took", "flags"):
        assert getattr(one.rows(0, told), name).tolist() == getattr(other.rows(0, told), name).tolist()
    assert one.bad_rows().tolist() == other.bad_rows().tolist()
    assert (one.calls(), one.graphs(), one.nodes) == (other.calls(), other.graphs(), other.nodes)


@dataclass
class Script:
    """A traced process as the sink does it: rows into the page, a full page into the log, then empty."""

    directory: Path
    log: LogWriter = field(init=False)
    page: PageWriter = field(init=False)
    ran: list[int] = field(default_factory=list)
    declared: int = 1
    failed: set[int] = field(default_factory=set)
    gap: list[int] = field(default_factory=list)
    appended: bool = False

    def __post_init__(self) -> None:
        self.log = new_run(self.directory).declare(*seen(ran(0)))
        self.log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
        self.page = PageWriter(self.log)
        self.show()

    @property
    def pages(self) -> Path:
        return self.directory / "pages"

    def show(self) -> None:
        self.page.write(self.pages)

    def run_op(self, node: int) -> None:
        seq = len(self.ran)
        self.page.rows.append(OpRow(node, [(seq, seq + 0.5)], 64 * seq, 64))
        self.ran.append(node)
        self.show()

    def declare(self) -> None:
        node = NodeId(self.declared)
        self.declared += 1
        values = [int(node) - 1]
        self.page.events += [
            (Kind.DECLARATIONS, ran(node, inputs=values)),
            (Kind.DECLARATIONS, GraphGrew(GraphId(0), (node,))),
        ]
        self.show()

    def fact(self) -> None:
        seq = max(0, len(self.ran) - 1)
        self.page.events += [
            (Kind.FACTS, Unusual(Seq(seq), -1, error="oh")),
            (Kind.FACTS, Gap("thread", "one", Seq(0), seq + 1)),
        ]
        self.failed.add(seq)
        self.gap = [seq + 1]
        self.show()

    def append(self) -> None:
        """The page is in the log, and not emptied yet."""
        for frame in wire.page_frames(self.page.data()):
            self.log.raw(frame)

    def empty(self) -> None:
        """After `append`: the page's fields are set back."""
        said = [event for kind, event in self.page.events if kind is Kind.DECLARATIONS]
        self.log.nodes.update({event.node: event for event in said if isinstance(event, NodeSeen)})
        self.log.declared += len(said)
        self.log.seq = len(self.ran)
        generation = self.page.generation + 2
        self.page = PageWriter(self.log, generation=generation)
        self.show()

    def act(self, action: str) -> None:
        """One of `steps`; nothing runs between `append` and `empty`."""
        if action in ("flush", "append") and not self.appended:
            self.append()
            self.appended = True
        if action in ("flush", "empty") and self.appended:
            self.empty()
            self.appended = False
        elif action == "op" and not self.appended:
            self.run_op(len(self.ran) % self.declared)
        elif action == "declare" and not self.appended:
            self.declare()
        elif action == "fact" and not self.appended:
            self.fact()

    def check(self, run: Run) -> None:
        """What was read of it is what has happened."""
        process = run.main
        rows, ranges = process.rows(0, 1000), process.ranges(0, 1000)
        count = len(self.ran)
        assert rows.seq.tolist() == list(range(count))
        assert rows.node.tolist() == self.ran
        assert rows.call.tolist() == [0] * count
        assert rows.began.tolist() == [64 * seq for seq in range(count)]
        assert ranges.low.tolist() == [float(seq) for seq in range(count)]
        assert ranges.offsets.tolist() == list(range(count + 1))
        assert process.order(GraphId(0)) == list(range(self.declared))
        process.graph(GraphId(0)).check()
        assert (process.op_count, process.end) == (count, count)
        assert [fact.seq for fact in process.unusual(0, 1000)] == sorted(self.failed)
        assert [gap.count for gap in process.gaps] == self.gap


steps = st.sampled_from(["op", "op", "op", "declare", "fact", "flush", "append", "empty", "look", "look"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(steps, max_size=40), segment=st.sampled_from([600, 1 << 20]))
def test_page_and_log_together_have_every_row_once(
    actions: list[str], segment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A look may fall between the append to the log and the emptying of the page."""
    directory = tmp_path_factory.mktemp("live") / "run.glens"
    script = Script(directory)
    script.log.longest = segment
    run = Run(directory)
    for action in [*actions, "look"]:
        script.act(action)
        if action == "look":
            run.refresh()
            script.check(run)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(steps, max_size=60))
def test_a_process_goes_on_while_it_is_looked_at(
    actions: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Something may happen before and after each page and log that a look reads: nothing is lost."""
    directory = tmp_path_factory.mktemp("live") / "run.glens"
    script = Script(directory)
    run = Run(directory)
    left = list(actions)

    def meanwhile(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapped(*args: object) -> Any:
            for _ in range(min(2, len(left))):
                script.act(left.pop(0))
            return method(*args)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for its, name in ((Page, "refresh"), (Page, "emptied"), (Log, "new")):
            patch.setattr(its, name, meanwhile(getattr(its, name)))
        while left:
            run.refresh()
        run.refresh()
    script.check(run)


def test_a_page_left_by_a_killed_process_is_read_once_flushed_or_not(tmp_path: Path) -> None:
    """The host flushes it after us; before that, and if the host dies too, we read it ourselves."""
    script = Script(tmp_path / "run.glens")
    for _ in range(5):
        script.run_op(0)
    before = Run(script.directory).main.op_count
    script.append()  # the host, which dies before it removes the page
    both = Run(script.directory).main
    (page,) = script.pages.iterdir()
    page.unlink()
    after = Run(script.directory).main

    assert (before, both.op_count, after.op_count) == (5, 5, 5)
    assert both.ranges(0, 9).low.tolist() == after.ranges(0, 9).low.tolist()


def test_a_process_that_died_while_it_emptied_its_page(tmp_path: Path) -> None:
    """Its generation stays odd for ever: take what there is, and do not wait."""
    script = Script(tmp_path / "run.glens")
    for _ in range(3):
        script.run_op(0)
    script.page.generation = 5
    script.show()

    assert Run(script.directory).main.rows(0, 9).seq.tolist() == [0, 1, 2]


def test_a_process_with_nothing_but_a_page_is_found(tmp_path: Path) -> None:
    """A short script is over before its first page is full; while it runs it has no log."""
    path = tmp_path / "run.glens"
    log = new_run(path)
    log.path.unlink()
    log.declared = 0
    page = PageWriter(log)
    page.events = [(Kind.DECLARATIONS, event) for event in seen(ran(0), leaves=[leaf(9)])]
    page.rows = [OpRow(0, [(1, 2)])]
    page.write(path / "pages")
    process = Run(path).main

    assert process.op_count == 1
    assert process.op(Seq(0)).outputs[0].high == 2


def test_the_running_op_is_named_from_the_page(tmp_path: Path) -> None:
    """While a script sleeps in an op, that op is what the screen shows."""
    script = Script(tmp_path / "run.glens")
    script.run_op(0)
    script.page.running = (1, 0, "")
    script.show()
    run = Run(script.directory)
    known = run.main.running()
    script.page.running = (1, None, "aten.mm.default, train.py:12")
    script.show()
    run.refresh()
    unknown = run.main.running()

    assert known is not None
    assert (known.seq, known.node, known.name) == (1, 0, "aten.add.Tensor")
    assert unknown is not None
    assert (unknown.node, unknown.name) == (None, "aten.mm.default, train.py:12")


def test_the_running_op_is_kept_after_the_end(tmp_path: Path) -> None:
    """The host notes it in run.json when it takes the page away."""
    running = {"p-4242-0badcafe": {"seq": 3, "node": None, "name": "aten.mm\x1b[31m", "since_ns": 5}}
    new_run(tmp_path / "run.glens", running=running).declare(*seen(ran(0))).ran(0)
    now = Run(tmp_path / "run.glens").main.running()

    assert now is not None
    assert (now.seq, now.name) == (3, "aten.mm\\x1b[31m")


def test_a_page_that_says_nonsense_is_a_gap(tmp_path: Path) -> None:
    """It is memory of the script's process, and the script may have written into it."""
    script = Script(tmp_path / "run.glens")
    script.run_op(0)
    (page,) = script.pages.iterdir()
    data = bytearray(page.read_bytes())
    data[At.TEXT : At.TEXT + 8] = (wire.TEXT_RECORD.size + 8).to_bytes(8, "little")
    data[wire.AT_TEXT : wire.AT_TEXT + 8] = wire.TEXT_RECORD.pack(8, Kind.DECLARATIONS)
    page.write_bytes(data)
    process = Run(script.directory).main

    assert [gap.kind for gap in process.gaps] == ["unreadable"]
    assert process.op_count in (0, 1)


def test_two_threads_take_turns(tmp_path: Path) -> None:
    """One counter for all threads, a page and blocks for each."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0), ran(1)))
    log.calls(
        CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train", strand=0),
        CallBegan(CallId(1), GraphId(0), Seq(1), 0, "eval", strand=1),
    )
    log.ran(OpRow(0, [(0, 0)]), OpRow(1, [(2, 2)]), strand=0, seqs=[0, 2])
    log.ran(OpRow(0, [(1, 1)]), OpRow(1, [(3, 3)]), strand=1, seqs=[1, 3])
    log.calls(CallEnded(CallId(0), Seq(2)))
    process = Run(tmp_path / "run.glens").main
    rows = process.rows(0, 9)

    assert rows.seq.tolist() == [0, 1, 2, 3]
    assert rows.node.tolist() == [0, 0, 1, 1]
    assert rows.call.tolist() == [0, 1, 0, 1]
    assert process.ranges(1, 4).low.tolist() == [1, 2, 3]
    assert process.strands(0, 9) is not None
    assert [call.last for call in process.calls()] == [2, 3]
