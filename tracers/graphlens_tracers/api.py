"""The contract between a tracer, the place it writes to, and the code that starts it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from graphlens_tracers.events import Event

Level = Literal["structure", "health"]
SET_BY_US = "GRAPHLENS_SET"
"""The variable that names those which we have put into the environment, for child processes, too."""

LEVELS: tuple[Level, ...] = ("structure", "health")


@dataclass(frozen=True, slots=True)
class Keep:
    """Whose elements are kept.

    Attributes:
        bad: Outputs and inputs of an operation that made something not finite out of what was finite.
        first, stop: Everything in the steps from `first` up to, not including, `stop`; -1 is what is
            before the first step, and None the end. Equal ones are none.
    """

    bad: bool = True
    first: int = 0
    stop: int | None = 0

    @classmethod
    def of(cls, words: str) -> Keep:
        """What "none", "bad", "all", "step:A:B" mean.

        Raises:
            ValueError: It is none of these.
        """
        match = re.fullmatch(r"step:([0-9]{0,9}):([0-9]{0,9})", words)
        if match is not None:
            return cls(True, int(match[1] or 0), int(match[2]) if match[2] else None)
        known = {"none": cls(False), "bad": cls(), "all": cls(True, -1, None)}
        if words not in known:
            raise ValueError(f"{words!r} is none of none, bad, step:A:B, all")
        return known[words]

    def everything(self, step: int | None) -> bool:
        """Whether every tensor of a step is kept; None: of what is before the first."""
        at = -1 if step is None else step
        return self.first <= at and (self.stop is None or at < self.stop)

    @property
    def whole_steps(self) -> bool:
        """Whether there is a step of which everything is kept."""
        return self.stop is None or self.first < self.stop


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at, as chosen on the command line.

    Attributes:
        level: "structure", or "health": minimum, maximum and non-finite counts too.
        steps: Only the training steps from the first up to, not including, the second.
        compiled: Compiled regions stay compiled, and are one operation each; otherwise they run as
            written, so that their operations are seen.
        keep: Whose elements are kept.
        late: The framework was imported before: models and optimizers may be there already.
    """

    level: Level = "health"
    steps: tuple[int, int | None] = (0, None)
    compiled: bool = False
    keep: Keep = Keep()
    late: bool = False


HOLD = "GRAPHLENS_HOLD"
"""Set in the environment of a script that is to stop at its first operation."""


class Sink(Protocol):
    """Where a tracer puts what it saw. Nothing here raises into the traced program."""

    def declare(self, event: Event) -> None:
        """Record something that is said once; the next `row` may refer to it."""

    def gap(self, kind: str, what: str, count: int = 1) -> None:
        """Count something that was not looked at."""


class Tracer(Protocol):
    """Turns one framework's execution into events.

    The traced program's results stay bit for bit what they were, its random state and its
    exceptions included. Order is part of the contract: declared before referred to.
    """

    def start(self, sink: Sink, options: Options) -> None:
        """Begin: at first import, later (attach, notebook), or again; state is per instance."""

    def stop(self) -> None:
        """Undo everything `start` did. Safe to call twice."""

    def attend(self, gate: Any) -> None:
        """Let the gate (`gate.Gate`) stop what runs: called before it is armed for the first time."""

    def forked(self) -> None:
        """In a forked child: go on in logs of its own, from its first operation on.

        The parent's sinks are forgotten already; they are renewed when there is something to record.
        """


@dataclass(frozen=True, slots=True)
class TracerSpec:
    """How to find a tracer without importing its framework.

    Attributes:
        name: What people type ("pytorch").
        trigger: The module whose first import starts it ("torch").
        factory: "module:callable" that makes the `Tracer`.
        needs: Version range as a requirement ("torch>=2.4"), for `graphlens doctor`.
        environment: Variables, as (name, value), that the framework must find when it is imported;
            one that is already set is left as it is.
        uncompiled: The same, when compiled regions are to run as written.
    """

    name: str
    trigger: str
    factory: str
    needs: str
    environment: tuple[tuple[str, str], ...] = ()
    uncompiled: tuple[tuple[str, str], ...] = ()
