"""What ran of a part of a graph: once, or as often as the loops of TensorFlow 1 in it went round.

Such loops and branches are operations of the graph itself. What decides is a truth value each time: which
way a branch goes, and whether a loop goes on. With all of those, in the order in which they came, it is
known which operations ran in which iteration, and so to which of them a number belongs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from graphlens_tracers.tf.bodies import At, Body, Ran, Tensor, Vector
from graphlens_tracers.tf.flow import Conditions, Loops
from graphlens_tracers.tf.watched import MOST_WAYS

Ends = tuple[float, float]
"""Minimum and maximum of a tensor; of a truth value: twice what it is, 0 or 1."""
NOTHING = (float("inf"), float("-inf"))
"""Those of no numbers."""
Told = Mapping[Tensor, list[Ends]]
"""What is known of tensors, each time they were made, in order."""
Truths = dict[Tensor, bool]


class Place(NamedTuple):
    """Where a range goes, the tensor that tells it, and when it is that of the place."""

    at: At
    source: Tensor
    when: Conditions


@dataclass(eq=False)
class Frame:
    """Operations that run together: those outside of loops, or those of an iteration of one.

    Attributes:
        body: Where in the numbers of an iteration its ranges are found.
        loops: The loops that it is in.
        condition: What says whether its loop goes on; None outside of loops.
        entered: When it is, in an iteration of the frame around it.
        truths: What decides in it, and when that is there, in order.
        sources: Tensors that are looked at, and when.
        rows: Operations that run in it, and when.
        inner: The loops inside of it.
    """

    body: Body
    loops: Loops = ()
    condition: Tensor | None = None
    entered: Conditions = frozenset()
    truths: list[tuple[Tensor, Conditions]] = field(default_factory=list)
    sources: dict[Tensor, Conditions] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    rows: list[tuple[int, Conditions]] = field(default_factory=list)
    inner: list[Frame] = field(default_factory=list)

    def all(self) -> Iterator[Frame]:
        """It and those inside of it."""
        yield self
        for one in self.inner:
            yield from one.all()

    def record(self, numbers: Mapping[Tensor, Ends], known: Truths) -> Vector:
        """The numbers of one iteration, as `Body` has them."""
        body = self.body
        ends = {
            wide: np.tile(np.array(NOTHING, np.float64), (count, 1))
            for wide, count in ((False, body.narrow), (True, body.wide))
        }
        for at, source, when in self.places:
            if source in numbers and holds(when, known):
                ends[at.wide][at.pair] = numbers[source]
        with np.errstate(over="ignore"):
            narrow = ends[False].astype(np.float32).reshape(-1)
        number = np.array([body.number], np.float32)
        return np.concatenate([number, narrow, ends[True].reshape(-1).view(np.float32)])


class Visit(NamedTuple):
    """One iteration of a frame: what is known in it, and the numbers of its sources."""

    frame: Frame
    iteration: int | None
    known: Truths
    numbers: dict[Tensor, Ends]
    inside: list[Visit]


class Way(NamedTuple):
    """What ran, as far as it is the same for many runs: the frames, and what decided in each."""

    frame: Frame
    known: frozenset[tuple[Tensor, bool]]
    inside: tuple[Way, ...]


class Walk:
    """Goes through a run as it went.

    Attributes:
        lost: Whether what was told does not fit together: then nobody knows how the run went.
    """

    def __init__(self, top: Frame, told: Told, fed: Truths) -> None:
        """`fed`: truth values that are known before the run."""
        self._told = told
        self._used: Counter[Tensor] = Counter()
        self.visit = self._once(top, None, fed)
        deciding = [truth for frame in top.all() for truth, _ in frame.truths]
        self.lost = any(self._used[truth] != len(told.get(truth, ())) > 0 for truth in deciding)
        self._odd = {tensor for tensor, ends in told.items() if self._used[tensor] != len(ends)}

    def _take(self, tensor: Tensor) -> Ends | None:
        ends, at = self._told.get(tensor, ()), self._used[tensor]
        self._used[tensor] += 1
        return ends[at] if at < len(ends) else None

    def _once(self, frame: Frame, iteration: int | None, around: Truths) -> Visit:
        known = dict(around)
        for truth, when in frame.truths:
            if truth not in known and holds(when, known) and (ends := self._take(truth)) is not None:
                known[truth] = ends[0] != 0.0
        taken = {source: self._take(source) for source, when in frame.sources.items() if holds(when, known)}
        numbers = {source: ends for source, ends in taken.items() if ends is not None}
        visit = Visit(frame, iteration, known, numbers, [])
        for inner in frame.inner:
            if holds(inner.entered, known):
                visit.inside.extend(self._loop(inner, known))
        return visit

    def _loop(self, frame: Frame, around: Truths) -> Iterator[Visit]:
        again, iteration = True, 0
        while again:
            visit = self._once(frame, iteration, around)
            again = frame.condition is not None and visit.known.get(frame.condition, False)
            iteration += 1
            if frame.condition in visit.known:
                yield visit

    def way(self, visit: Visit | None = None) -> Way:
        """Which way it went."""
        visit = visit or self.visit
        return Way(visit.frame, frozenset(visit.known.items()), tuple(map(self.way, visit.inside)))

    def vector(self) -> Vector:
        """The numbers of all iterations, one after another."""
        return np.concatenate(list(self._records(self.visit)))

    def _records(self, visit: Visit) -> Iterator[Vector]:
        numbers = {source: ends for source, ends in visit.numbers.items() if source not in self._odd}
        yield visit.frame.record(numbers, visit.known)
        for inner in visit.inside:
            yield from self._records(inner)


class Ways:
    """The executions that are written: the same one for all runs that go the same way."""

    def __init__(self, rows: int, made: Callable[[Ran], None]) -> None:
        """Args: rows: How many there are; `made`: called with each execution that is new."""
        self._rows, self._made = rows, made
        self._known: dict[Way, Ran] = {}
        self._left_out: dict[tuple[Frame, frozenset[int]], frozenset[int]] = {}

    def ran(self, walk: Walk) -> Ran:
        """What ran, and its numbers."""
        way = walk.way()
        ran = self._known.get(way)
        if ran is None:
            while len(self._known) >= MOST_WAYS:
                del self._known[next(iter(self._known))]
            ran, _ = self._ran(walk.visit, None, 0)
            self._known[way] = ran
        ran.told = walk.vector()
        return ran

    def _ran(self, visit: Visit, outer: Ran | None, at: int) -> tuple[Ran, int]:
        """One iteration, whose record begins at a place; and where the records of what is inside end."""
        frame = visit.frame
        rows = frozenset(row for row, when in frame.rows if holds(when, visit.known))
        left_out = self._left_out.setdefault((frame, rows), frozenset(range(self._rows)) - rows)
        ran, stop = Ran(frame.body, visit.iteration, at, outer, left_out=left_out), at + frame.body.length
        self._made(ran)
        for inner in visit.inside:
            one, stop = self._ran(inner, ran, stop)
            ran.inside.append(one)
        return ran, stop


def holds(conditions: Conditions, known: Mapping[Tensor, bool]) -> bool:
    """Whether all of these are."""
    return all(truth in known and known[truth] == bool(which) for truth, which in conditions)
