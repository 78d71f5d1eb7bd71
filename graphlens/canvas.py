"""A chart in the cells of a terminal: where boxes are, and which lines pass which cell.

Rows of boxes with channels between them. Lines bend in channels only, each source in a row of its own,
and pass rows of boxes in columns of their own; so no line runs through a box.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphlens.chart import Chart
from graphlens.layered import Columns, Item, Line, columns, layers

UP, DOWN, LEFT, RIGHT, ARROW = 1, 2, 4, 8, 16
"""Where lines leave a cell; the last: it is the head of an arrow that points down."""
LONG = 8
"""Rows of boxes that an edge passes at most; longer ones are said at both ends instead."""
GAP, LINE_GAP = 3, 1
"""Cells between boxes, and beside a line that passes."""


class Place(NamedTuple):
    """The cells of a box: from `x` and `y` on."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        """The column in which lines leave it."""
        return self.x + self.width // 2


@dataclass
class Canvas:
    """Boxes and lines in cells.

    Attributes:
        places: Of each box.
        rows: The boxes of each row, from left to right; `tops` are the rows' first lines.
        row_of: The row of each box.
        lines: For each line of cells those that a line passes: x to (where it leaves, box it comes from).
        before, after: For each box those that edges which are not drawn come from, and lead to.
        entries: For each edge that is drawn, the column in which it enters its target.
    """

    places: list[Place]
    rows: list[list[int]]
    tops: list[int]
    row_of: list[int]
    width: int = 0
    height: int = 0
    lines: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    before: dict[int, list[int]] = field(default_factory=dict)
    after: dict[int, list[int]] = field(default_factory=dict)
    entries: dict[tuple[int, int], int] = field(default_factory=dict)

    def boxes_at(self, y: int, left: int, right: int) -> list[int]:
        """The boxes that have cells in a line, between two columns."""
        row = bisect_right(self.tops, y) - 1
        if row < 0:
            return []
        found = []
        for box in self.rows[row]:
            place = self.places[box]
            if place.y <= y < place.y + place.height and place.x < right and left < place.x + place.width:
                found.append(box)
        return found

    def box_at(self, x: int, y: int) -> int | None:
        """The box in a cell."""
        return next(iter(self.boxes_at(y, x, x + 1)), None)

    def put(self, y: int, x: int, mask: int, source: int) -> None:
        """A line passes a cell. Where two cross, the one that goes down is on top."""
        cells = self.lines.setdefault(y, {})
        there = cells.get(x)
        if there is None or (mask == UP | DOWN and there[1] != source):
            cells[x] = mask, source
        elif there[1] == source or there[0] != UP | DOWN:
            cells[x] = there[0] | mask, there[1]


def long_edges(chart: Chart) -> set[tuple[int, int]]:
    """Edges that pass too many rows to be drawn; every box keeps one that comes from the row above."""
    lines = [Line(source, target) for source, target in chart.edges]
    layer = layers(len(chart.boxes), lines)
    nearest: dict[int, int] = {}
    for source, target in chart.edges:
        if target not in nearest or layer[source] > layer[nearest[target]]:
            nearest[target] = source
    return {
        (source, target)
        for source, target in chart.edges
        if layer[target] - layer[source] > LONG and nearest[target] != source
    }


def laid_out(chart: Chart, sizes: Sequence[tuple[int, int]], room: int = 2) -> Canvas:
    """Put a chart's boxes into cells.

    Args:
        sizes: Width and height of each box.
        room: Lines of cells between two rows of boxes at least.
    """
    cut = long_edges(chart)
    drawn = [edge for edge in chart.edges if edge not in cut]
    items = [Item(w // 2, w - w // 2, 0, h) for w, h in sizes]
    lines = [Line(a, b, key=a, trunk=(a, b) in chart.trunk) for a, b in drawn]
    found = columns(items, lines, item_gap=GAP, line_gap=LINE_GAP)
    x = _in_cells(found, items)
    rows = [[point for point in row if point < len(items)] for row in found.rows]
    ways = _Ways(chart, found, x, sizes, drawn)
    canvas = Canvas([Place(0, 0, 0, 0)] * len(items), rows, [], found.layer[: len(items)])
    for source, target in sorted(cut):
        canvas.after.setdefault(source, []).append(target)
        canvas.before.setdefault(target, []).append(source)
    y = 0
    for at, row in enumerate(rows):
        canvas.tops.append(y)
        height = max((sizes[box][1] for box in row), default=0)
        for box in row:
            width, own = sizes[box]
            canvas.places[box] = Place(x[box] - width // 2, y, width, own)
        ways.pass_row(canvas, at, y, height)
        y += height
        if at + 1 < len(rows):
            y += ways.fill_channel(canvas, at, y, room)
    canvas.height = y
    canvas.width = (
        max((x[point] + _right(sizes, point) for row in found.rows for point in row), default=0) + 1
    )
    canvas.entries = {edge: ways.entry[number] for number, edge in enumerate(drawn)}
    return canvas


def _right(sizes: Sequence[tuple[int, int]], point: int) -> int:
    """Cells of a point from its anchor on."""
    return sizes[point][0] - sizes[point][0] // 2 if point < len(sizes) else 1


def _in_cells(found: Columns, items: Sequence[Item]) -> list[int]:
    """Whole columns, the first one 1, with what stood apart still apart."""
    x = [0] * len(found.x)
    for row in found.rows:
        end = None
        for point in row:
            item = items[point] if point < len(items) else None
            left, right = (int(item.left), int(item.right)) if item else (0, 1)
            x[point] = round(found.x[point])
            if end is not None:
                x[point] = max(x[point], end + left)
            end = x[point] + right + LINE_GAP
    first = min((x[k] - int(item.left) for k, item in enumerate(items)), default=0)
    first = min([first, *x[len(items) :]])
    return [one - first + 1 for one in x]


class _Ways:
    """The lines of a canvas, worked out a row of boxes after the other."""

    def __init__(
        self,
        chart: Chart,
        found: Columns,
        x: list[int],
        sizes: Sequence[tuple[int, int]],
        drawn: Sequence[tuple[int, int]],
    ) -> None:
        self._found, self._x, self._sizes, self._drawn = found, x, sizes, drawn
        self.entry = [0] * len(drawn)
        self._below: list[dict[int, dict[int, None]]] = [{} for _ in found.rows]  # point to columns below it
        self._source: dict[int, int] = {}
        self._enter(chart)
        for number, route in enumerate(found.routes):
            for upper, lower in itertools.pairwise(route):
                at = x[lower] if lower != route[-1] else self.entry[number]
                self._below[found.layer[upper]].setdefault(upper, {})[at] = None
                self._source[upper] = route[0]

    def _enter(self, chart: Chart) -> None:
        """In which column each line enters its box: where it comes down, as far as there is room."""
        entering: dict[int, list[int]] = {}
        for number, (_, target) in enumerate(self._drawn):
            entering.setdefault(target, []).append(number)
        for target, numbers in entering.items():
            width = self._sizes[target][0]
            low = self._x[target] - width // 2 + 1
            high = low + max(0, width - 3)
            above = {number: self._x[self._found.routes[number][-2]] for number in numbers}
            trunk = next((k for k in numbers if self._drawn[k] in chart.trunk), None)
            if trunk is None and len(numbers) == 1:
                above[numbers[0]] = min(max(above[numbers[0]], low), high)
            ordered = sorted(numbers, key=lambda k: (above[k], k != trunk, k))
            step = 2 if 2 * (len(ordered) - 1) <= high - low else 1
            at = [min(max(above[k], low), high) for k in ordered]
            for k in range(1, len(at)):
                at[k] = max(at[k], at[k - 1] + step)
            at[-1] = min(at[-1], high)
            for k in range(len(at) - 2, -1, -1):
                at[k] = max(low, min(at[k], at[k + 1] - step))
            for k, number in enumerate(ordered):
                self.entry[number] = at[k]

    def pass_row(self, canvas: Canvas, at: int, y: int, height: int) -> None:
        """Lines that pass a row of boxes, and those that leave one that is lower than the others."""
        for point in self._found.rows[at]:
            if point in self._below[at]:
                own = self._sizes[point][1] if point < len(self._sizes) else 0
                for line in range(y + own, y + height):
                    canvas.put(line, self._x[point], UP | DOWN, self._source[point])

    def fill_channel(self, canvas: Canvas, at: int, y: int, room: int) -> int:
        """Draw the lines between a row and the next one; returns how many lines of cells that takes."""
        bends = self._below[at]
        tracks = _tracks({point: (self._x[point], list(to)) for point, to in bends.items()})
        height = max(room, 1 + max(tracks.values(), default=-1) + 1)
        heads = {
            self.entry[number]
            for number, route in enumerate(self._found.routes)
            if self._found.layer[route[-1]] == at + 1 and self._found.layer[route[-2]] == at
        }
        for point, to in sorted(bends.items(), key=lambda one: len(one[1]) > 1):
            source, begin = self._source[point], self._x[point]
            track = y + tracks[point] if point in tracks else y + height
            for line in range(y, min(track, y + height)):
                canvas.put(line, begin, UP | DOWN, source)
            if point in tracks:
                _across(canvas, track, begin, list(to), source)
                for column in to:
                    for line in range(track + 1, y + height):
                        canvas.put(line, column, UP | DOWN, source)
            for column in to:
                if column in heads:
                    canvas.lines.setdefault(y + height - 1, {})[column] = ARROW, source
        return height


def _across(canvas: Canvas, y: int, begin: int, to: Sequence[int], source: int) -> None:
    """A line from one column above to some below."""
    low, high = min(begin, *to), max(begin, *to)
    for column in range(low, high + 1):
        mask = (LEFT if column > low else 0) | (RIGHT if column < high else 0)
        mask |= (UP if column == begin else 0) | (DOWN if column in to else 0)
        canvas.put(y, column, mask, source)


def _tracks(bends: dict[int, tuple[int, list[int]]]) -> dict[int, int]:
    """A line of cells in a channel for each point whose lines go aside; those that would touch have two.

    A line that comes down in a column must be above one that goes down there, as far as that is
    possible for all.
    """
    spans = {p: (min(x, *to), max(x, *to)) for p, (x, to) in bends.items() if any(one != x for one in to)}
    begins = {bends[point][0]: point for point in spans}
    above: dict[int, set[int]] = {point: set() for point in spans}
    for point in spans:
        for column in bends[point][1]:
            other = begins.get(column)
            if other is not None and other != point:
                above[point].add(other)  # that one has left the column before this one comes down in it
    order: list[int] = []
    left = sorted(spans, key=lambda point: (spans[point][1] - spans[point][0], spans[point]))
    while left:
        ready = [point for point in left if not above[point] & set(left)] or left[:1]
        order += ready
        left = [point for point in left if point not in ready]
    tracks: dict[int, int] = {}
    for point in order:
        low, high = spans[point]
        track = max((tracks[one] + 1 for one in above[point] if one in tracks), default=0)
        taken = {tracks[one] for one in tracks if spans[one][0] <= high + 1 and low <= spans[one][1] + 1}
        while track in taken:
            track += 1
        tracks[point] = track
    return tracks
