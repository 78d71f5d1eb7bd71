"""Which call an operation belongs to: calls begin late, nest, and are only sure when they have ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphlens.rows import Ints
from graphlens_tracers.events import CallBegan, CallEnded, CallEvent, CallId, CallTurned, GraphId, Seq

Calls = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of a graph, as far as is known.

    Attributes:
        first, last: Its first and last operation, both inclusive; `last` is `first - 1` when it
            ran none, and the last one so far while it runs.
        step: The training step; None before the first one.
        strand: The thread it runs on.
        shapes: Which `ShapesSeen` of its graph; 0: as the nodes declare.
        parent: The call it was made in.
    """

    call: CallId
    graph: GraphId
    first: Seq
    last: Seq
    step: int | None
    role: str
    strand: int = 0
    shapes: int = 0
    ended: bool = False
    error: str | None = None
    parent: CallId | None = None
    iteration: int | None = None


@dataclass(slots=True)
class _Known:
    """A call as last said. `stop`: operations from here on are not its, whatever it says later."""

    began: CallBegan
    graph: GraphId
    ended: CallEnded | None = None
    lost: int | None = None  # its last operation before a part of the log that cannot be read

    @property
    def first(self) -> int:
        return self.began.first

    @property
    def step(self) -> int | None:
        if self.ended is None or self.ended.step is None:
            return self.began.step
        return self.ended.step if self.ended.step >= 0 else None

    @property
    def role(self) -> str:
        return self.ended.role if self.ended is not None and self.ended.role is not None else self.began.role


class CallTable:
    """All calls of one process."""

    def __init__(self) -> None:
        self._known: dict[CallId, _Known] = {}
        self._timelines: dict[int, tuple[Ints, Calls]] = {}
        self._stale = True

    def fold(self, event: CallEvent) -> None:
        """Take one event in; one that came before changes nothing."""
        self._stale = True
        known = self._known.get(event.call)
        match event:
            case CallBegan():
                if known is None:
                    self._known[event.call] = _Known(event, event.graph)
            case CallTurned():
                if known is not None and known.ended is None:
                    known.graph = event.graph
            case CallEnded():
                if known is not None:  # else its beginning is in a part that cannot be read
                    known.ended = event
                    if event.graph is not None:
                        known.graph = event.graph

    def lose(self, last_of: dict[int, int]) -> None:
        """A part of the log is missing here: calls that go on may have ended in it.

        Args:
            last_of: The last operation of each strand so far.
        """
        self._stale = True
        for known in self._known.values():
            if known.ended is None and known.lost is None:
                known.lost = last_of.get(known.began.strand, -1)

    def __len__(self) -> int:
        return len(self._known)

    def call(self, call: CallId, last_of: dict[int, int]) -> Call:
        """One call; `last_of` is the last operation of each strand so far."""
        known = self._known[call]
        began, ended = known.began, known.ended
        if ended is None:
            last = last_of.get(began.strand, -1) if known.lost is None else known.lost
            later = self._next_on_strand(known)
            last = max(last if later is None else min(last, later - 1), began.first - 1)
        else:
            last = ended.last
        return Call(
            call,
            known.graph,
            Seq(known.first),
            Seq(last),
            known.step,
            known.role,
            began.strand,
            ended.shapes if ended else 0,
            ended is not None,
            ended.error if ended else None,
            began.parent,
            began.iteration,
        )

    def _next_on_strand(self, known: _Known) -> int | None:
        """Where the next call that is not made inside this one begins."""
        self._sort()
        for first, call in self._firsts[known.began.strand][self._place[known.began.call] + 1 :]:
            if not self._inside(call, known.began.call):
                return first
        return None

    def _inside(self, call: CallId, outer: CallId) -> bool:
        seen: set[CallId] = set()
        at: CallId | None = call
        while at is not None and at not in seen and at in self._known:
            if at == outer:
                return True
            seen.add(at)
            at = self._known[at].began.parent
        return False

    def calls(self, last_of: dict[int, int]) -> list[Call]:
        """All calls, in order of their first operation."""
        found = [self.call(call, last_of) for call in self._known]
        return sorted(found, key=lambda call: (call.first, call.call))

    def _sort(self) -> None:
        if not self._stale:
            return
        self._stale = False
        self._timelines.clear()
        self._firsts: dict[int, list[tuple[int, CallId]]] = {}
        for call, known in self._known.items():
            self._firsts.setdefault(known.began.strand, []).append((known.first, call))
        self._place: dict[CallId, int] = {}
        for firsts in self._firsts.values():
            firsts.sort()
            self._place.update({call: k for k, (_, call) in enumerate(firsts)})

    def timeline(self, strand: int) -> tuple[Ints, Calls]:
        """(bounds, calls): operations of the strand from bounds[k] on belong to calls[k]; -1 for none."""
        self._sort()
        found = self._timelines.get(strand)
        if found is None:
            found = self._timelines[strand] = self._sweep(strand)
        return found

    def _sweep(self, strand: int) -> tuple[Ints, Calls]:
        bounds, calls = [-1], [-1]
        open_calls: list[tuple[int, CallId]] = []  # (last, call), innermost last

        def mark(at: int) -> None:
            bounds.append(at)
            calls.append(open_calls[-1][1] if open_calls else -1)

        def close_before(at: int) -> None:
            while open_calls and open_calls[-1][0] < at:
                last, _ = open_calls.pop()
                while open_calls and open_calls[-1][0] <= last:
                    open_calls.pop()
                mark(last + 1)

        for first, call in self._firsts.get(strand, ()):
            known = self._known[call]
            last = known.ended.last if known.ended else 1 << 62 if known.lost is None else known.lost
            if last < first:
                continue
            close_before(first)
            while open_calls and open_calls[-1][1] != known.began.parent:
                open_calls.pop()  # a call that began late takes what follows from the one before it
            open_calls.append((last, call))
            mark(first)
        close_before(1 << 62)
        return np.array(bounds, np.int64), np.array(calls, np.int64).astype(np.int32)

    def of(self, seqs: Ints, strands: Ints | None, only: int) -> Calls:
        """The call of each operation, -1 where none is known.

        Args:
            seqs: Sorted.
            strands: Of each operation; None when all are of the strand `only`.
        """
        if strands is None:
            bounds, calls = self.timeline(only)
            cuts = np.searchsorted(seqs, bounds)
            return np.repeat(calls, np.diff(cuts, append=len(seqs)))
        found = np.full(len(seqs), -1, np.int32)
        for strand in np.unique(strands).tolist():
            here = strands == strand
            found[here] = self.of(seqs[here], None, strand)
        return found
