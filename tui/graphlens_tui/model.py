"""What the panes look at: one process of the run, and what has been worked out about it so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from graphlens.live import Live
from graphlens.processes import Who, gaps, who_is
from graphlens.session import Process, Running, RunState, Session
from graphlens_tracers.events import Gap, Seq
from graphlens_tui.decoded import Decoded, Ill
from graphlens_tui.sieve import Sieve


class Mode(StrEnum):
    """What the whole screen is for."""

    GRAPH = "graph"
    STEP = "step"
    TENSOR = "tensor"
    HEALTH = "health"
    RUNS = "runs"


class Place(NamedTuple):
    """An operation of a process, by the process's number; None for the process as it was left."""

    process: int
    seq: Seq | None


@dataclass
class Shown:
    """A process with its lines and its numbers."""

    process: Process
    timeline: Sieve
    decoded: Decoded


@dataclass
class Model:
    """The run as far as it is known here.

    Attributes:
        shown: None while nothing has been recorded.
        ill: Which operations are not finite.
        version: Counts up with every change that lines can show.
    """

    session: Session
    shown: Shown | None = None
    ill: Ill = field(default_factory=Ill)
    version: int = 0
    _left: dict[int, Shown] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether the script may still do something."""
        return self.session.state in (RunState.RUNNING, RunState.HELD)

    def process(self) -> Process | None:
        """The process that is shown: the run's main one when we first looked."""
        return None if self.shown is None else self.shown.process

    def who(self) -> Who | None:
        """Under which name and number the process that is shown is known."""
        return None if self.shown is None else who_is(self.session.run, self.shown.process)

    @property
    def trouble(self) -> str:
        """Why the run cannot be followed any further; "" while all is well."""
        session = self.session
        return str(session.trouble) if isinstance(session, Live) and session.trouble is not None else ""

    def update(self) -> None:
        """Take in what has been recorded since the last time."""
        if self.shown is None:
            if not any(one.op_count for one in self.session.run.processes()):
                return
            process = self.session.run.main
            self.shown = Shown(process, Sieve(process), Decoded(process))
        end = self.shown.timeline.end
        self.shown.timeline.update()
        self.shown.decoded.forget(end)
        self.version += 1

    def switch(self, process: Process) -> None:
        """Show another process; one that was shown before has its folds as they were."""
        if self.shown is not None:
            self._left[self.shown.process.id] = self.shown
        known = self._left.get(process.id)
        self.shown = known or Shown(process, Sieve(process), Decoded(process))
        self.ill = Ill()
        self.update()

    def look_ill(self, ill: Ill) -> None:
        """Which operations are ill is known anew."""
        self.ill = ill
        self.version += 1

    def running(self) -> Running | None:
        """What runs now, or ran when the script ended; what has only just begun is not worth saying."""
        if self.shown is None:
            processes = self.session.run.processes()
            running = next((found for one in processes if (found := one.running()) is not None), None)
        else:
            running = self.shown.process.running()
        if running is None or (self.live and time.monotonic_ns() - running.since_ns < 300_000_000):
            return None
        return running

    def gaps(self) -> list[Gap]:
        """What was not looked at, in all processes, with what was dropped and not traced at all."""
        return [gap for _, gap in gaps(self.session.run)]
