"""Which boxes a graph is drawn as on a terminal, and which lead to which: every operation is in one box.

Boxes are stretches of the order in which operations ran: an operation, a folded module call, or a part
of a list that is too long. So a box never depends on itself, whatever is folded.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphlens.scopes import OP, Lines, Outline, Span

BUDGET = 100
"""Boxes up to which module calls are opened, the outer and the larger ones first."""
MOST = 300
"""Boxes at most: a longer list is drawn in parts."""


class Folds(NamedTuple):
    """What a person wants to see.

    Attributes:
        folded: Keys of module calls that stay one box.
        opened: Keys of module calls and of parts that are open, whatever the budget says.
        depth: Open so many levels of modules instead of going by the budget.
        hide: Operations that only move numbers go into the box that they take them from.
        focus: Positions whose modules are opened before all others.
    """

    folded: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    depth: int | None = None
    hide: bool = True
    focus: tuple[int, ...] = ()


@dataclass(slots=True)
class Box:
    """A box of the chart.

    Attributes:
        start, stop: The stretch of the order that it stands for, without what is hidden in it.
        span: The folded module call; None for an operation and for a part.
        part: Which part of how many; (0, 0) for what is none.
        key: What it is opened by; "" for an operation.
        hidden: Positions outside its stretch that go with it.
    """

    start: int
    stop: int
    span: Span | None = None
    part: tuple[int, int] = (0, 0)
    key: str = ""
    hidden: list[int] = field(default_factory=list)

    @property
    def main(self) -> int:
        """The operation whose result leaves it."""
        return self.stop - 1

    @property
    def ops(self) -> int:
        """How many operations it stands for."""
        return self.stop - self.start + len(self.hidden)


@dataclass
class Chart:
    """Boxes in execution order; an edge leads from a box to a later one.

    Attributes:
        of: For each position in the order its box.
        edges: (source, target), each once, sorted.
        trunk: Those on the longest way through the graph.
        hidden: How many operations are not drawn as boxes of their own because they compute nothing.
        folded: How many module calls were folded, and parts made, to keep it small.
    """

    boxes: list[Box]
    of: list[int]
    edges: list[tuple[int, int]]
    trunk: set[tuple[int, int]]
    hidden: int = 0
    folded: int = 0


def chart_of(
    reads: Sequence[Sequence[int]],
    outline: Outline,
    plumbing: Sequence[bool],
    folds: Folds,
    *,
    budget: int = BUDGET,
    most: int = MOST,
) -> Chart:
    """Choose the boxes.

    Args:
        reads: For each position of the order those whose results it reads, all of them earlier.
        outline: The modules around the positions.
        plumbing: Which operations only move numbers.
    """
    home = _homes(reads, plumbing) if folds.hide else list(range(len(reads)))
    closed = _closed(outline, home, folds, budget)
    wanted = {outline.spans[index].key for index in closed}
    boxes, by_itself = _boxes(outline, outline.lines(wanted), home, folds.opened, most)
    of = [-1] * len(reads)
    for number, box in enumerate(boxes):
        of[box.start : box.stop] = [number] * (box.stop - box.start)
    for position in _hide(of, reads, home):
        boxes[of[position]].hidden.append(position)
    edges = {(of[maker], of[position]) for position, row in enumerate(reads) for maker in row}
    found = sorted((a, b) for a, b in edges if a != b)
    alone = sum(1 for index in closed if outline.spans[index].key not in folds.folded)
    hidden = sum(1 for position, at in enumerate(home) if position != at)
    return Chart(boxes, of, found, _trunk(len(boxes), found), hidden, alone + by_itself)


def _homes(reads: Sequence[Sequence[int]], plumbing: Sequence[bool]) -> list[int]:
    """For each position that with which it is drawn: itself, or the one operation it takes numbers from.

    One that takes them from none (a parameter is transposed) goes with the first that computes with them.
    Operations that take numbers from several are drawn: in one of them, they could make it depend on itself.
    """
    loose = [False] * len(reads)
    users: dict[int, list[int]] = {}
    for position, row in enumerate(reads):
        loose[position] = plumbing[position] and len(row) < 2 and all(loose[maker] for maker in row)
        for maker in row:
            users.setdefault(maker, []).append(position)
    home = list(range(len(reads)))
    for position in range(len(reads) - 1, -1, -1):
        if loose[position] and position in users:
            home[position] = min(home[user] for user in users[position])
    for position, row in enumerate(reads):
        if plumbing[position] and not loose[position] and len(row) == 1:
            home[position] = home[row[0]]
    return home


def _hide(of: list[int], reads: Sequence[Sequence[int]], home: Sequence[int]) -> list[int]:
    """Give those that no box covers the box of what they go with; which those are, in order.

    That may be a folded module which hides what they go with, too: not the box where that would be drawn.
    """
    left = [position for position, box in enumerate(of) if box < 0]
    first = dict.fromkeys(left, len(of))  # of those who read them
    for position in range(len(of) - 1, -1, -1):
        if of[position] < 0 and home[position] > position:
            of[position] = first[position]
        if of[position] >= 0:
            for maker in reads[position]:
                if maker in first:
                    first[maker] = min(first[maker], of[position])
    for position in left:
        if of[position] < 0:
            of[position] = of[reads[position][0]]
    return left


def _closed(outline: Outline, home: Sequence[int], folds: Folds, budget: int) -> set[int]:
    """The outermost span around each place that is drawn as one box."""
    spans = outline.spans
    inner: list[list[int]] = [[] for _ in spans]
    tops: list[int] = []
    shown = [0] * (len(spans) + 1)  # boxes directly in each span; behind them those outside all
    for index, span in enumerate(spans):
        (tops if span.parent < 0 else inner[span.parent]).append(index)
        shown[span.parent] += 1
    for position, index in enumerate(outline.inner):
        shown[index] += home[position] == position
    around = {index for position in folds.focus for index, _ in outline.around(position)}
    visible = shown[-1]
    heap = [_entry(spans, index, around, folds.opened) for index in tops]
    heapq.heapify(heap)
    closed: set[int] = set()
    while heap:
        aside, _, _, index = heapq.heappop(heap)
        span = spans[index]
        fits = visible + shown[index] - 1 <= budget
        if folds.depth is not None:
            fits = span.depth < folds.depth
        if span.key in folds.folded or not (fits or aside == 0):
            closed.add(index)
            continue
        visible += shown[index] - 1
        for one in inner[index]:
            heapq.heappush(heap, _entry(spans, one, around, folds.opened))
    return closed


def _entry(
    spans: Sequence[Span], index: int, around: Container[int], opened: Container[str]
) -> tuple[int, int, int, int]:
    """In which order spans are opened: those a person has opened, those in the focus, the others."""
    span = spans[index]
    aside = 0 if span.key in opened else 1 if index in around else 2
    return aside, span.depth, span.start - span.stop, index


def _boxes(
    outline: Outline, lines: Lines, home: Sequence[int], opened: Container[str], most: int
) -> tuple[list[Box], int]:
    """A box a line that is drawn; those of a list that is too long in parts, and how many parts."""
    boxes: list[Box] = []
    columns = (lines.start.tolist(), lines.stop.tolist(), lines.span.tolist())
    for start, stop, index in zip(*columns, strict=True):
        if index != OP:
            span = outline.spans[index]
            boxes.append(Box(start, stop, span, key=span.key))
        elif home[start] == start:
            boxes.append(Box(start, stop))
    found: list[Box] = []
    parts = 0
    lists = [boxes]
    while lists:  # opened parts are cut as the whole is
        these = lists.pop()
        if len(these) <= most:
            found += these
            continue
        count = min(most // 3, -(-len(these) // 20))
        cuts = [len(these) * k // count for k in range(count + 1)]
        for k in range(count - 1, -1, -1):
            inside = these[cuts[k] : cuts[k + 1]]
            key = f"part {inside[0].start}–{inside[-1].stop}"
            if key in opened:
                lists.append(inside)
            else:
                lists.append([_part(inside, key, (k + 1, count))])
                parts += 1
    return found, parts


def _part(boxes: Sequence[Box], key: str, part: tuple[int, int]) -> Box:
    """One box for several neighbouring ones."""
    return boxes[0] if len(boxes) == 1 else Box(boxes[0].start, boxes[-1].stop, None, part, key)


def _trunk(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The edges of a longest way."""
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        after[source].append(target)
    length = [0] * count
    for box in range(count - 1, -1, -1):
        length[box] = max((length[one] + 1 for one in after[box]), default=0)
    at = max(range(count), key=lambda box: (length[box], -box), default=-1)
    trunk: set[tuple[int, int]] = set()
    while at >= 0 and after[at]:
        furthest = max(after[at], key=lambda one: (length[one], -one))
        trunk.add((at, furthest))
        at = furthest
    return trunk
