"""What the panes look at: one process of the run, and what has been worked out about it so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from graphlens.live import Live
from graphlens.session import Process, Running, RunState, Session
from graphlens_tracers.events import Gap, Seq
from graphlens_tui.decoded import Decoded, Ill
from graphlens_tui.timeline import Timeline


@dataclass
class Shown:
    """A process with its lines and its numbers."""

    process: Process
    timeline: Timeline
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

    @property
    def live(self) -> bool:
        """Whether the script may still do something."""
        return self.session.state in (RunState.RUNNING, RunState.HELD)

    def process(self) -> Process | None:
        """The process that is shown: the one with the most operations when we first looked."""
        return None if self.shown is None else self.shown.process

    @property
    def trouble(self) -> str:
        """Why the run cannot be followed any further; "" while all is well."""
        session = self.session
        return str(session.trouble) if isinstance(session, Live) and session.trouble is not None else ""

    def update(self) -> None:
        """Take in what has been recorded since the last time."""
        if self.shown is None:
            candidates = [one for one in self.session.run.processes() if one.op_count]
            if not candidates:
                return
            process = max(candidates, key=lambda one: (one.op_count, -one.id))
            self.shown = Shown(process, Timeline(process), Decoded(process))
        end = self.shown.timeline.end
        self.shown.timeline.update()
        self.shown.decoded.forget(end)
        self.version += 1

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
        run = self.session.run
        found = [gap for process in run.processes() for gap in process.gaps]
        for version, count in run.info.untraced.items():
            found.append(Gap("untraced", f"Python {version} is too old to be recorded", Seq(0), count))
        dropped = sum(process.dropped for process in run.processes())
        if dropped:
            found.append(Gap("dropped", "operations ran without a row", Seq(0), dropped))
        return found
