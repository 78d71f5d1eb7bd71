"""Which call an operation belongs to: calls begin late, nest, and are only sure when they have ended."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphlens.rows import Ints
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    CallsRan,
    CallTurned,
    GraphId,
    NodeId,
    Seq,
)

Calls = npt.NDArray[np.int32]
NEVER = 1 << 62
"""Later than any operation."""


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
        thread: The name of its thread, where that is not the one whose log it is in.
        at: The node of that call which made it.
        epoch: The epoch that it is in, as the script or Keras counts them; None where that is not known,
            and where it was made in another call: it is in the same one.
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
    thread: str = ""
    at: NodeId | None = None
    epoch: int | None = None


@dataclass(slots=True)
class _Known:
    """A call as last said."""

    began: CallBegan
    graph: GraphId
    ended: CallEnded | None = None
    lost: int | None = None  # its last operation before a part of the log that cannot be read
    frozen: Call | None = None  # what it was when it had ended

    @property
    def key(self) -> tuple[int, CallId]:
        return self.began.first, self.began.call

    @property
    def last(self) -> int:
        """Its last operation as it says itself; later than all when it has not ended."""
        if self.ended is not None:
            return self.ended.last
        return NEVER if self.lost is None else self.lost

    @property
    def step(self) -> int | None:
        if self.ended is None or self.ended.step is None:
            return self.began.step
        return self.ended.step if self.ended.step >= 0 else None

    @property
    def epoch(self) -> int | None:
        if self.ended is None or self.ended.epoch is None:
            return self.began.epoch
        return _or_none(self.ended.epoch)

    @property
    def role(self) -> str:
        return self.ended.role if self.ended is not None and self.ended.role is not None else self.began.role


def _order(call: Call) -> tuple[int, CallId]:
    return call.first, call.call


class _Strand:
    """The calls of one thread, and from where on operations belong to which.

    Attributes:
        order: (first operation, call), sorted.
    """

    def __init__(self) -> None:
        self.order: list[tuple[int, CallId]] = []
        self._bounds: list[int] = [-1]
        self._calls: list[int] = [-1]
        # (place in `order`, length of `_bounds`) where nothing was open: a sweep may begin there.
        self._starts: list[tuple[int, int]] = [(0, 1)]
        self._dirty = 0
        self._arrays: tuple[Ints, Calls] | None = None

    def touch(self, key: tuple[int, CallId]) -> None:
        """A call is new, or has changed: what was worked out from it on is stale."""
        place = bisect_left(self.order, key)
        if place == len(self.order) or self.order[place] != key:
            self.order.insert(place, key)
        self._dirty = min(self._dirty, place)
        self._arrays = None

    def timeline(self, known: dict[CallId, _Known]) -> tuple[Ints, Calls]:
        """(bounds, calls): operations from bounds[k] on belong to calls[k]; -1 for none."""
        if self._arrays is None:
            # Not at the stale place itself: the one before it was closed with regard to it.
            while len(self._starts) > 1 and self._starts[-1][0] >= self._dirty:
                self._starts.pop()
            start, length = self._starts[-1]
            del self._bounds[length:], self._calls[length:]
            self._sweep(start, known)
            self._dirty = len(self.order)
            self._arrays = np.array(self._bounds, np.int64), np.array(self._calls, np.int32)
        return self._arrays

    def _sweep(self, start: int, known: dict[CallId, _Known]) -> None:
        bounds, calls = self._bounds, self._calls
        within: list[tuple[int, CallId]] = []  # (last, call) of the calls that are open, innermost last

        def close_before(at: int) -> None:
            while within and within[-1][0] < at:
                last, _ = within.pop()
                while within and within[-1][0] <= last:
                    within.pop()
                bounds.append(last + 1)
                calls.append(within[-1][1] if within else -1)

        for place in range(start, len(self.order)):
            first, call = self.order[place]
            one = known[call]
            last = one.last
            if last < first:
                continue
            close_before(first)
            while within and within[-1][1] != one.began.parent:
                within.pop()  # a call that began late takes what follows from the one before it
            if not within and place > self._starts[-1][0]:
                self._starts.append((place, len(bounds)))
            within.append((last, call))
            bounds.append(first)
            calls.append(call)
        close_before(NEVER)


def spread(event: CallsRan) -> Iterator[CallBegan | CallEnded]:
    """The same as events of single calls."""
    for call, (graph, first, last, step, parent, at, iteration) in enumerate(event.calls, event.call):
        yield CallBegan(
            CallId(call), GraphId(graph), Seq(first), _or_none(step), event.role, event.strand,
            parent=None if parent < 0 else CallId(parent), at=None if at < 0 else NodeId(at),
            iteration=_or_none(iteration), epoch=event.epoch,
        )  # fmt: skip
        place = call - event.call
        shapes = event.shapes[place] if place < len(event.shapes) else 0
        yield CallEnded(CallId(call), Seq(last), shapes=shapes)


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


class CallTable:
    """All calls of one process."""

    def __init__(self) -> None:
        self._known: dict[CallId, _Known] = {}
        self._strands: dict[int, _Strand] = {}
        self._settled: list[Call] = []
        self._going: dict[CallId, None] = {}  # those that are not among the settled ones, in order

    def fold(self, event: CallBegan | CallTurned | CallEnded) -> None:
        """Take one event in; one that came before changes nothing."""
        known = self._known.get(event.call)
        match event:
            case CallBegan():
                if known is None:
                    known = self._known[event.call] = _Known(event, event.graph)
                    self._going[event.call] = None
                    self._strands.setdefault(event.strand, _Strand()).touch(known.key)
            case CallTurned():
                if known is not None and known.ended is None:
                    known.graph = event.graph
            case CallEnded():
                if known is not None:  # else its beginning is in a part that cannot be read
                    if event.call not in self._going:  # said anew
                        self._settled, self._going = [], dict.fromkeys(self._known)
                    known.ended, known.frozen = event, None
                    if event.graph is not None:
                        known.graph = event.graph
                    self._strands[known.began.strand].touch(known.key)

    def lose(self, last_of: dict[int, int]) -> None:
        """A part of the log is missing here: calls that go on may have ended in it.

        Args:
            last_of: The last operation of each strand so far.
        """
        for known in self._known.values():
            if known.ended is None and known.lost is None:
                known.lost = last_of.get(known.began.strand, -1)
                self._strands[known.began.strand].touch(known.key)

    def __len__(self) -> int:
        return len(self._known)

    def call(self, call: CallId, last_of: dict[int, int]) -> Call:
        """One call; `last_of` is the last operation of each strand so far."""
        known = self._known[call]
        if known.frozen is not None:
            return known.frozen
        began, ended = known.began, known.ended
        last = known.last
        if ended is None:
            last = min(last, last_of.get(began.strand, -1))
            later = self._next_on_strand(known)
            last = max(last if later is None else min(last, later - 1), began.first - 1)
        found = Call(
            call,
            known.graph,
            began.first,
            Seq(last),
            known.step,
            known.role,
            began.strand,
            ended.shapes if ended else 0,
            ended is not None,
            ended.error if ended else None,
            began.parent,
            began.iteration,
            began.thread,
            began.at,
            known.epoch,
        )
        if ended is not None:
            known.frozen = found
        return found

    def _next_on_strand(self, known: _Known) -> int | None:
        """Where the next call that is not made inside this one begins."""
        order = self._strands[known.began.strand].order
        for first, call in order[bisect_left(order, known.key) + 1 :]:
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
        going = []
        for number in list(self._going):
            call = self.call(number, last_of)
            if self._known[number].frozen is None:
                going.append(call)
            else:
                del self._going[number]
                insort(self._settled, call, key=_order)
        found = list(self._settled)
        for call in going:
            insort(found, call, key=_order)
        return found

    def timeline(self, strand: int) -> tuple[Ints, Calls]:
        """(bounds, calls): operations of the strand from bounds[k] on belong to calls[k]; -1 for none."""
        if strand not in self._strands:
            return np.array([-1]), np.array([-1], np.int32)
        return self._strands[strand].timeline(self._known)

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
