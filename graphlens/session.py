"""The one door between a run and its views: live or saved is the session's business, not theirs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

from graphlens import runs
from graphlens.follow import Delta
from graphlens.ops import Op, OutputSeen
from graphlens.rows import INF, NAN, RAISED, Ranges, Rows
from graphlens.store import Call, Process, Run, RunInfo, Running
from graphlens_tracers.events import Seq

__all__ = [
    "INF", "NAN", "RAISED", "Call", "Delta", "Op", "OutputSeen", "Process", "Ranges", "Rows", "Run",
    "RunInfo", "RunState", "Running", "Saved", "Session", "load", "state_of",
]  # fmt: skip


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    HELD = "held"  # a breakpoint, or somebody stepping
    FINISHED = "finished"
    LOST = "lost"  # it says running, but nobody runs it any more


class Session(Protocol):
    """What a view may ask of a run, live or saved."""

    @property
    def run(self) -> Run:
        """What was recorded so far."""
        ...

    @property
    def state(self) -> RunState:
        """Where it stands."""
        ...

    def watch(self, told: Callable[[Delta], None]) -> Callable[[], None]:
        """Call `told` after each batch, on the reader's thread; the result ends it.

        What is there already is told first, as one batch a process.
        """
        ...

    def output(self) -> bytes:
        """What the script printed so far."""
        ...

    def close(self) -> None:
        """End whatever the session does by itself. Safe to call twice."""
        ...


def load(run: str | Path) -> Run:
    """A recorded run.

    Args:
        run: A path, a name as `graphlens runs` prints it, or "last".

    Raises:
        UnknownRun: There is none.
        BadRunFile: It is damaged, of a newer format, or not a run.
    """
    return Run(path_of(run))


def path_of(run: str | PathLike[str]) -> Path:
    """The directory of a run, as `load` takes it."""
    return runs.resolve(run) if isinstance(run, str) else Path(fspath(run)).absolute()


def opened(run: Run | Path | str) -> Run:
    """The run itself, or the one that `load` finds."""
    return run if isinstance(run, Run) else load(run)


def state_of(info: RunInfo) -> RunState:
    """Where the run of this `run.json` stands: what it says, and whether its processes live."""
    record = {"state": info.state, "host": info.host, "pid": info.pid, "host_pid": info.host_pid}
    return RunState(runs.state_of(record))


def everything(run: Run) -> list[Delta]:
    """All that was read so far, as one batch a process."""
    deltas = []
    for process in run.processes():
        graphs = tuple(seen.graph for seen in process.graphs())
        deltas.append(Delta(process.id, graphs, (Seq(0), process.end)))
    return deltas


class Saved:
    """A session on a run that does not change any more."""

    def __init__(self, run: Run | Path | str) -> None:
        self._run = opened(run)
        self._state = state_of(self._run.info)

    @property
    def run(self) -> Run:
        """What was recorded."""
        return self._run

    @property
    def state(self) -> RunState:
        """Where it stood when it was opened."""
        return self._state

    def watch(self, told: Callable[[Delta], None]) -> Callable[[], None]:
        """Tell everything at once, on this thread; there is nothing to come."""
        for delta in everything(self._run):
            told(delta)
        return lambda: None

    def output(self) -> bytes:
        """What the script printed."""
        return self._run.output()

    def close(self) -> None:
        """Nothing to end."""
