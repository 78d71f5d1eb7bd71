"""A run that grows while somebody looks at it."""

from __future__ import annotations

from pathlib import Path

from factories import LogWriter, OpRow, new_run, ran, run_json, seen, site
from graphlens.session import RunState
from graphlens_tracers.events import CallBegan, CallEnded, CallId, Gap, GraphGrew, GraphId, NodeId, Seq
from screens import FakeSession, showing

NODES = [
    ran(0, inputs=[900], op="aten.mm.default"),
    ran(1, inputs=[0], op="aten.relu.default"),
    ran(2, inputs=[1, 0], op="aten.add.Tensor", site=0),
]


def growing(path: Path) -> LogWriter:
    """A run that is being recorded: its first step is under way."""
    log = new_run(path, state="running", exit_code=None, ended=None)
    log.declare(site(0, 3), *seen(*NODES))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    return log


def step(log: LogWriter, number: int, low: float = -1.0) -> None:
    """One more step of it, the one before ended."""
    if number:
        log.calls(CallEnded(CallId(number - 1), Seq(log.seq - 1)))
        log.calls(CallBegan(CallId(number), GraphId(0), Seq(log.seq), number, "train"))
    log.ran(*[OpRow(node, [(low, 2.0)]) for node in range(3)])


async def test_follows_the_end_until_the_cursor_moves(tmp_path: Path) -> None:
    """And again after G."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 20)) as screen:
        graph = screen.app.graph
        await screen.wait(lambda: graph.at == 2)
        for number in range(1, 6):
            step(log, number)
        session.grow()
        await screen.wait(lambda: graph.at == 17)
        assert "follow: on" in screen.status()
        assert "17 " in screen.text()

        await screen.press("k")
        step(log, 6)
        session.grow()
        await screen.wait(lambda: graph.model.shown is not None and graph.model.shown.timeline.end == 21)
        await screen.rest()
        assert graph.at == 16
        assert "follow: off" in screen.status()
        await screen.press("G")
        assert graph.at == 20 and graph.following


async def test_what_turns_out_later_is_shown(tmp_path: Path) -> None:
    """A step that is said to have begun in the past takes its operations over."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    log.ran(0, 1, 2)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 20)) as screen:
        await screen.wait(lambda: screen.app.graph.at == 5)
        assert screen.text().count("▾ step 0 ·") == 1 and "step 1 ·" not in screen.text()
        log.calls(CallEnded(CallId(0), Seq(2)), CallBegan(CallId(1), GraphId(0), Seq(3), 1, "train"))
        session.grow()
        await screen.wait(lambda: "step 1 ·" in screen.text())

        assert " 3 ops" in screen.text()


async def test_a_graph_that_grows(tmp_path: Path) -> None:
    """Nodes are declared while the first call runs; lanes go on where they were."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 20)) as screen:
        await screen.wait(lambda: screen.app.graph.at == 2)
        log.declare(
            ran(3, inputs=[2], op="aten.sum.default"), ran(4, inputs=[3, 2], op="aten.div.Tensor"),
            GraphGrew(GraphId(0), (NodeId(3), NodeId(4))),
        )  # fmt: skip
        log.ran(OpRow(3, [(1.0, 1.0)]), OpRow(4, [(0.0, 1.0)]))
        session.grow()
        await screen.wait(lambda: screen.app.graph.at == 4)

        shown = screen.app.model.shown
        assert shown is not None
        way = shown.timeline.way(0)
        assert way.reads == [(), (0,), (1, 0), (2,), (3, 2)]
        assert "div" in screen.text() and "sum" in screen.text()


async def test_ill_numbers_are_counted_as_they_come(tmp_path: Path) -> None:
    """The top bar says so within a moment."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 20)) as screen:
        assert "NaN" not in screen.text().splitlines()[0]
        step(log, 1, low=float("nan"))
        session.grow()
        await screen.wait(lambda: "NaN 3" in screen.text().splitlines()[0])
        await screen.press("!")
        await screen.wait(lambda: screen.app.at == 3)


async def test_how_it_ended_is_said(tmp_path: Path) -> None:
    """Killed by whom, and what was not seen."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (120, 20)) as screen:
        assert "running" in screen.text().splitlines()[0]
        log.facts(Gap("compiled", "a compiled function", Seq(1), 4))
        run_json(tmp_path / "live.glens", signal=9, exit_code=None)
        session.grow()
        session.state = RunState.FINISHED
        session.grow()
        log.ran(0)
        session.grow()
        await screen.wait(lambda: "killed by SIGKILL" in screen.text().splitlines()[0])
        assert "1 gap" in screen.status()
        await screen.press("a")
        assert "a compiled function" in screen.text() and "4 times" in screen.text()


async def test_leaving_a_script_that_runs(tmp_path: Path) -> None:
    """It asks; cancel stays, leave leaves; one that is not ours to stop is said to be so."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    async with showing(FakeSession(tmp_path / "live.glens"), (100, 24)) as screen:
        await screen.press("q")
        assert "leave it running" in screen.text()
        await screen.press("c")
        assert screen.app.is_running and len(screen.app.screen_stack) == 1
        await screen.press("q", "s")
        assert "stop it there" in screen.status()
        await screen.press("q", "escape", "q", "l")
        assert not screen.app.is_running


async def test_waiting_for_the_first_operation(tmp_path: Path) -> None:
    """An empty screen would look as if something were broken."""
    log = new_run(tmp_path / "live.glens", state="running", exit_code=None, ended=None)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 20)) as screen:
        assert "waiting for the first operation" in screen.text()
        log.declare(*seen(*NODES))
        log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
        step(log, 0)
        session.grow()
        await screen.wait(lambda: "relu" in screen.text())


async def test_output_as_it_is_printed(tmp_path: Path) -> None:
    """A progress bar that is drawn over and over is one line."""
    log = growing(tmp_path / "live.glens")
    step(log, 0)
    session = FakeSession(tmp_path / "live.glens", printed=b"loading\r\n")
    async with showing(session, (100, 40)) as screen:
        await screen.wait(lambda: "loading" in screen.text())
        session.printed += b"".join(b"\r%d%%" % k for k in range(0, 101, 5))
        step(log, 1)
        session.grow()
        await screen.wait(lambda: "100%" in screen.text())

        assert len(screen.app.output.printed) == 2
