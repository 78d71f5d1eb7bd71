"""The list of graphs, other processes, an operation over its calls, its kin: against plain walks."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories import LogWriter, graph, new_run, ran, seen, site, small_run, write_function_run
from graphlens.catalog import catalog, parting, parting_of
from graphlens.session import Process, Saved, Session
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    GraphId,
    RunStarted,
    Seq,
)
from graphlens_tui.timeline import Timeline
from graphlens_tui.tracing import Kin, Trace
from graphlens_tui.ways import Way
from graphlens_tui.widgets.picker import Graphs
from screens import Screen, same_as_golden, saved, showing


def ways_run(path: Path) -> LogWriter:
    """Steps of two ways: "train" three times, "train#2", which parts at its third operation, once."""
    log = new_run(path)
    nodes = [ran(k, inputs=[k - 1] if k else [], site=k) for k in range(5)]
    log.declare(*seen(*nodes[:4], name="train"), *(site(k, 10 + k) for k in range(5)))
    log.declare(nodes[4], graph(4, graph=1, name="train#2", base=GraphId(0), keep=2))
    for step, (way, ops) in enumerate(
        ((0, (0, 1, 2, 3)), (0, (0, 1, 2, 3)), (1, (0, 1, 4)), (0, (0, 1, 2, 3)))
    ):
        first = log.seq
        log.calls(CallBegan(CallId(step), GraphId(way), Seq(first), step, "train"))
        log.ran(*ops)
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    return log.finish()


def two_processes(path: Path) -> Session:
    """The one that trains, of two operations, and a worker that ran nine."""
    log = small_run(path, ran(0), steps=2).finish()
    worker = LogWriter(log.directory, pid=77, nonce="00000001")
    worker.declare(RunStarted(("train.py",), 77, worker="DataLoader worker 0", parent=4242, began=1.0))
    worker.declare(
        *seen(ran(0, op="aten.evil.\x1b[2J")),
    ).ran(*[0] * 9).finish()
    return Saved(log.directory)


def picked(screen: Screen) -> list[str]:
    """The lines of the list."""
    graphs = screen.app.screen.query_one(Graphs)
    return [graphs.render_line(y).text.rstrip() for y in range(graphs.size.height)]


# ── the list ─────────────────────────────────────────────────────────────────────────────────


def test_where_ways_part(tmp_path: Path) -> None:
    """The first operation that is not the same; how often each ran."""
    process = Saved(ways_run(tmp_path / "r.glens").directory).run.main
    entries = catalog(process)
    found = parting(process, GraphId(1), GraphId(0))

    assert [(one.seen.name, one.calls, one.nodes) for one in entries] == [("train", 3, 4), ("train#2", 1, 3)]
    assert found is not None and (found.position, found.node, found.instead) == (2, 4, 2)
    assert parting_of(process, entries[1]) == "op 2: add train.py:14, not add train.py:12"
    assert parting(process, GraphId(0), GraphId(0)) is None
    back = parting(process, GraphId(0), GraphId(1))
    assert back is not None and (back.position, back.node, back.instead) == (2, 2, 4)


async def test_choosing_a_way(tmp_path: Path) -> None:
    """Its first call is gone to; backspace comes back; / looks for one; a click chooses."""
    async with showing(Saved(ways_run(tmp_path / "r.glens").directory), (120, 30)) as screen:
        await screen.press("j", "P")
        lines = picked(screen)
        assert "train " in lines[0] and " 3× " in lines[0] and "train#2" in lines[1] and " 1× " in lines[1]
        assert "op 2: " in lines[1] and "train.py:14" in lines[1]
        await screen.press("j", "enter")
        assert screen.app.graph.on_headline and screen.app.at == 8
        await screen.press("backspace")
        assert screen.app.at == 0
        await screen.press("P", "/", "#", "2", "enter")
        assert screen.app.at == 8
        await screen.press("P", "/", "q", "escape", "k", "escape")
        assert screen.app.at == 8 and len(screen.app.screen_stack) == 1
        await screen.press("P")
        await screen.pilot.click(Graphs, offset=(5, 0))
        await screen.rest()
        assert screen.app.at == 0


async def test_into_a_function_from_the_list(tmp_path: Path) -> None:
    """A function that ran in a step; the cursor of the list begins on the graph that the cursor is in."""
    async with showing(Saved(write_function_run(tmp_path / "f.glens")), (120, 30)) as screen:
        await screen.press("G", "P")
        assert sum(line[2] == "●" for line in picked(screen) if len(line) > 2) == 1
        await screen.press("/", "d", "o", "u", "b", "l", "e", "enter")
        assert screen.app.graph.on_headline and screen.app.at == 0
        assert "double" in screen.status()


async def test_another_process(tmp_path: Path) -> None:
    """Its operations are shown, and the bars say so; backspace leads back to where one was."""
    async with showing(two_processes(tmp_path / "run.glens"), (140, 30)) as screen:
        app = screen.app
        await screen.press("G")
        at = app.at
        await screen.press("P")
        lines = picked(screen)
        assert lines[0].endswith("2 ops") and "process 0: main" in lines[0]
        assert any("process 1: DataLoader worker 0" in line and "9 ops" in line for line in lines)
        await screen.press("G", "enter")
        assert "no call of it was recorded" in screen.status()
        await screen.press("P", "G", "k", "enter")
        await screen.wait(lambda: app.model.ill.known)
        await screen.rest(0.2)
        assert app.model.who().number == 1  # type: ignore[union-attr]  # it is shown
        assert screen.text().splitlines()[0].endswith("DataLoader worker 0, 1 of 2 processes")
        await screen.press("G", "s", "s", "t", ")", "(")
        assert app.at == 8 and "\x1b" not in screen.text()
        await screen.press("backspace")
        assert app.model.who().number == 0 and app.at == at  # type: ignore[union-attr]  # it is shown


# ── the same operation in other calls ────────────────────────────────────────────────────────


def occurrences(process: Process, node: int) -> list[int]:
    """Every row of a node, one by one."""
    return [seq for seq in range(process.end) if process.op(Seq(seq)).node.node == node]


def test_every_call_of_a_node(tmp_path: Path) -> None:
    """Whatever way the call took, and without a row being read."""
    timeline = Timeline(Saved(ways_run(tmp_path / "r.glens").directory).run.main)
    timeline.update()
    for node in timeline.process.nodes:
        assert timeline.occurrences(node).tolist() == occurrences(timeline.process, node)


async def test_scrubbing(tmp_path: Path) -> None:
    """( and ) keep the operation and change the step; the ends are said; a click on a cell goes there."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        app = screen.app
        await screen.press("!")
        process = app.model.shown.process  # type: ignore[union-attr]  # it is shown
        seqs = occurrences(process, process.op(app.at).node.node)  # type: ignore[arg-type]  # there is one
        place = seqs.index(app.at)  # type: ignore[arg-type]  # there is one
        for key, step in ((")", 1), ("(", -1), ("(", -1)):
            place += step
            await screen.press(key)
            assert app.at == seqs[place]
        await screen.press("(")
        assert "it did not run before this" in screen.status()
        await screen.rest(0.3)
        bar = screen.text().splitlines()[-3]
        assert "1 of 3 ▶" in bar and bar.count("✖") == 2  # as many steps as have a NaN there
        first = bar.index("▶") + 1
        await screen.pilot.click("#scrubber", offset=(first + 2, 0))
        await screen.rest()
        assert app.at == seqs[2]
        await screen.press("}", "{", "{", ")")
        assert app.graph.on_headline


async def test_the_bar_of_a_run_of_many_steps(tmp_path: Path) -> None:
    """A cell may stand for many calls, and no more of them are looked at than there are cells."""
    async with showing(saved(tmp_path, nodes=60, steps=400, nan_from=300), (120, 40)) as screen:
        await screen.press("}", "j", "j", "j")
        await screen.rest(0.5)
        calls = screen.app.scrubber.calls
        bar = screen.text().splitlines()[-3]

        assert calls is not None and len(calls.seqs) == 400
        assert "1 of 400" in bar and "calls each" in bar
        assert len(calls.samples(80)) == 80 and len(screen.app.scrubber._sizes) < 3 * 100
        await screen.press("(")
        assert "it did not run before this" in screen.status()


# ── what it came from ────────────────────────────────────────────────────────────────────────


def test_kin_is_what_a_plain_walk_finds(tmp_path: Path) -> None:
    """Of every operation of a step: its sources and readers by walking over inputs of all rows."""
    process = saved(tmp_path).run.main
    call = process.calls()[1]
    way = Way(call.graph)
    way.grow(process)
    made: list[set[int]] = []
    for at, seq in enumerate(range(call.first, call.last + 1)):
        makers = {
            by - call.first for _, by in process.op(Seq(seq)).inputs if by is not None and by >= call.first
        }
        made.append(makers.union(*(made[one] for one in makers)))
        assert Trace.of(way, call.call, call.graph, at).sources.tolist() == sorted(made[at])
    for at in (0, 7, 40):
        readers = [other for other, sources in enumerate(made) if at in sources]
        trace = Trace.of(way, call.call, call.graph, at)
        assert trace.readers.tolist() == readers and not trace.cut
        assert trace.kin(at, at + 1) is Kin.ITSELF


async def test_highlighting(tmp_path: Path) -> None:
    """t marks sources and readers in the lanes, in this call alone, and takes it away again."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        app = screen.app
        await screen.press("!", "t")
        trace = app.graph.trace
        assert trace is not None
        marks = {}
        for line in screen.text().splitlines()[2:-3]:
            words = line[2:].split()
            if words and words[0].isdigit():
                marks[int(words[0])] = line[1]
        call = app.model.shown.process.call_at(app.at)  # type: ignore[union-attr, arg-type]  # it is shown
        assert call is not None
        for seq, mark in marks.items():
            kin = trace.kin(seq - call.first, seq - call.first + 1)
            assert mark == {Kin.SOURCE: "⇡", Kin.READER: "⇣"}.get(kin, " "), seq
        assert "⇡" in marks.values() and "⇣" in marks.values()
        assert f"computed from {len(trace.sources):,}" in screen.status()
        same_as_golden(screen.text(), "traced_120x40")
        await screen.press("t")
        assert app.graph.trace is None


# ── how it looks ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_list(tmp_path: Path, size: tuple[int, int]) -> None:
    """Names, how often each ran, how large it is, where its way parts."""
    async with showing(Saved(ways_run(tmp_path / "r.glens").directory), size) as screen:
        await screen.press("P")
        same_as_golden(screen.text(), f"graphs_{size[0]}x{size[1]}")
