"""The lines of a run that grows are those of the run when it is over."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from factories import LogWriter, new_run, ran, seen
from graphlens.session import load
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, NodeId, Seq
from graphlens_tui.sieve import Sieve
from graphlens_tui.timeline import Timeline

CLOSED = {CallId(2), CallId(7), CallId(9)}


def grow(log: LogWriter, number: int, random: Random) -> None:
    """One more step, in which the function runs some times; the step may not end."""
    call = 4 * number
    log.calls(CallBegan(CallId(call), GraphId(1), Seq(log.seq), number, "train"))
    for inner in range(1, 1 + random.randrange(4)):
        log.calls(
            CallBegan(
                CallId(call + inner), GraphId(0), Seq(log.seq), number, "train",
                parent=CallId(call), at=NodeId(2),
            )
        )  # fmt: skip
        log.ran(0, 1)
        if random.random() < 0.8:
            log.calls(CallEnded(CallId(call + inner), Seq(log.seq - 1)))
    log.ran(2, 3)
    if random.random() < 0.8:
        log.calls(CallEnded(CallId(call), Seq(log.seq - 1)))


def lines(timeline: Timeline) -> list[object]:
    """Each line, and whose it is."""
    return [(line := timeline.line(k), timeline.call_of(line)) for k in range(len(timeline))]


@pytest.mark.parametrize("closed", [set(), CLOSED], ids=["open", "some closed"])
@pytest.mark.parametrize("seed", range(6))
def test_lines_that_come_in_pieces_are_those_of_the_whole(
    tmp_path: Path, seed: int, closed: set[CallId]
) -> None:
    """Headlines, depths and closed calls, with calls inside of calls that may never end."""
    random = Random(seed)
    log = new_run(tmp_path / "growing.glens")
    log.declare(*seen(ran(0), ran(1, inputs=[0]), name="double", kind="function"))
    log.declare(*seen(ran(2, calls=GraphId(0)), ran(3, inputs=[2]), graph=1))
    run = None
    timeline: Timeline | None = None
    for number in range(12):
        grow(log, number, random)
        run = load(log.directory) if run is None else run
        run.refresh()
        timeline = Sieve(run.main) if timeline is None else timeline
        if number == 3:
            timeline.fold(frozenset(), set(closed))
        timeline.update()

        fresh = Timeline(load(log.directory).main)
        fresh.fold(frozenset(), set(closed) if number >= 3 else set())
        fresh.update()
        assert len(timeline) == len(fresh) > number
        assert lines(timeline) == lines(fresh)
        assert timeline.calls == fresh.calls
        calls = [one.call for one in fresh.calls.values()]
        assert [timeline.headline_of(one) for one in calls] == [fresh.headline_of(one) for one in calls]
