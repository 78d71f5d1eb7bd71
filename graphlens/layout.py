"""A view with a place for everything: boxes, frames, and the way of every link.

Frames are laid out from the inside out, each as a layered graph of its own with ports on its
border, and stand in the frame around them as one box. So nothing overlaps, by construction: every
line bends between rows only, and passes rows in columns of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphlens.layered import Arranged, Item, Line, arrange
from graphlens.view import View

SIDE, HEAD, FOOT = 14.0, 30.0, 12.0
"""Between a frame's border and what is in it."""
PORT_GAP = 12.0
"""Between lines that enter or leave the same box at different places."""


class Size(NamedTuple):
    """What a box needs: its rectangle, and what stands right of the lines below and above it.

    `room_width` and `room_height` are kept free around its middle; its mirror image may be larger.
    """

    width: float
    height: float
    tag_width: float = 0.0
    tag_height: float = 0.0
    badge_width: float = 0.0
    badge_height: float = 0.0
    room_width: float = 0.0
    room_height: float = 0.0


class Rect(NamedTuple):
    """A rectangle by its corners; y grows downwards."""

    x0: float
    y0: float
    x1: float
    y1: float


Wire = list[tuple[float, float]]
"""Points from a maker's bottom to a user's top; stretches between them are vertical or bend softly."""


@dataclass
class Scene:
    """Where everything is, in the units of the sizes given.

    Attributes:
        boxes, frames, wires: For each box, frame and link of the view.
        width, height: Of the whole.
        crossings: How many pairs of wires cross.
        curved: Wires are Bézier curves: a point, then two that it is drawn to and the next, and so on.
    """

    boxes: list[Rect]
    frames: list[Rect]
    wires: list[Wire]
    width: float
    height: float
    crossings: int = 0
    curved: bool = False


_Where = tuple[str, int, int, tuple[int, int]]
"""An item of a level: ("box", i, …), ("frame", i, …), or a port: ("in" | "out", frame, source, value)."""
_NONE = (0, 0)
_Segment = tuple[int, _Where, _Where, _Where | None, _Where | None]
"""Of a link: its number, from which item to which, and the ports where those items are frames."""


@dataclass
class _Level:
    """What is directly in one frame (-1: the picture)."""

    items: list[_Where] = field(default_factory=list)
    segments: list[_Segment] = field(default_factory=list)
    index: dict[_Where, int] = field(default_factory=dict)
    placed: Arranged | None = None
    size: tuple[float, float] = (0.0, 0.0)
    inset: tuple[float, float] = (0.0, 0.0)


def room_of(size: Size) -> tuple[float, float, float, float]:
    """How far a box with all that belongs to it reaches from its middle: left, right, up and down."""
    half = max(size.width, size.room_width) / 2
    right = max(half, *(w + 8 if w else 0.0 for w in (size.tag_width, size.badge_width)))
    tall = max(size.height, size.room_height) / 2
    above = max(size.height / 2 + size.badge_height, tall)
    return half, right, above, max(size.height / 2 + size.tag_height, tall)


def place(view: View, sizes: Sequence[Size], heads: Sequence[float]) -> Scene:
    """Lay out a view. `heads`: how wide the title of each frame is at least."""
    return _Layout(view, sizes, heads).scene()


class _Layout:
    """One layout under way."""

    def __init__(self, view: View, sizes: Sequence[Size], heads: Sequence[float]) -> None:
        self.view, self.sizes, self.heads = view, sizes, heads
        self.levels: dict[int, _Level] = {at: _Level() for at in range(-1, len(view.frames))}
        self.parts: list[list[tuple[int, int]]] = [[] for _ in view.links]  # of a link: (frame, segment)
        self.depth: dict[int, int] = {-1: 0}
        for at, frame in enumerate(view.frames):
            self.depth[at] = self.depth[frame.parent] + 1

    def scene(self) -> Scene:
        """The whole."""
        self._sort_in()
        self._split_links()
        for at in sorted(self.levels, key=lambda one: (-self.depth[one], one)):
            self._arrange(at)
        return self._absolute()

    def _sort_in(self) -> None:
        """Boxes and frames in execution order: a frame comes where its first box comes."""
        done: set[int] = set()
        for at, box in enumerate(self.view.boxes):
            chain: list[int] = []
            frame = box.frame
            while frame >= 0 and frame not in done:
                chain.append(frame)
                done.add(frame)
                frame = self.view.frames[frame].parent
            for new in reversed(chain):
                self.levels[self.view.frames[new].parent].items.append(("frame", new, 0, _NONE))
            self.levels[box.frame].items.append(("box", at, 0, _NONE))

    def _around(self, box: int) -> list[int]:
        found: list[int] = []
        frame = self.view.boxes[box].frame
        while frame >= 0:
            found.append(frame)
            frame = self.view.frames[frame].parent
        return [*found, -1]

    def _split_links(self) -> None:
        """Cut every link at the borders that it crosses."""
        for number, link in enumerate(self.view.links):
            if link.source == link.target:
                continue
            source, target = min(link.source, link.target), max(link.source, link.target)
            value = link.value if link.source < link.target else (-2, number)
            out, into = self._around(source), self._around(target)
            common = next(frame for frame in out if frame in set(into))
            here: _Where = ("box", source, 0, _NONE)
            port: _Where | None = None
            for frame in out[: out.index(common)]:
                leave: _Where = ("out", frame, source, value)
                self._segment(frame, (number, here, leave, port, None))
                here, port = ("frame", frame, 0, _NONE), leave
            below: list[_Segment] = []
            there: _Where = ("box", target, 0, _NONE)
            entry: _Where | None = None
            for frame in into[: into.index(common)]:
                enter: _Where = ("in", frame, source, value)
                below.append((frame, enter, there, None, entry))
                there, entry = ("frame", frame, 0, _NONE), enter
            self._segment(common, (number, here, there, port, entry))
            for frame, enter, inner, from_port, to_port in reversed(below):
                self._segment(frame, (number, enter, inner, from_port, to_port))

    def _segment(self, frame: int, segment: _Segment) -> None:
        """A piece of a link, within one frame; pieces come in the link's own order."""
        self.parts[segment[0]].append((frame, len(self.levels[frame].segments)))
        self.levels[frame].segments.append(segment)

    def _item(self, where: _Where) -> Item:
        sort, at = where[0], where[1]
        if sort == "box":
            return Item(*room_of(self.sizes[at]))
        if sort == "frame":
            width, height = self.levels[at].size
            stack = 8.0 if self.view.frames[at].repeat > 1 else 0.0
            return Item(width / 2, width / 2 + stack, height / 2, height / 2 + stack)
        return Item(1.0, 1.0, 0.0, 0.0)

    def _port(self, where: _Where | None) -> float:
        """Where a line meets a frame's border, from the frame's middle."""
        if where is None:
            return 0.0
        level = self.levels[where[1]]
        assert level.placed is not None, f"frame {where[1]} is laid out after the one around it"
        return level.placed.x[level.index[where]] + level.inset[0] - level.size[0] / 2

    def _arrange(self, at: int) -> None:
        level = self.levels[at]
        ins = list(dict.fromkeys(one[1] for one in level.segments if one[1][0] == "in"))
        outs = list(dict.fromkeys(one[2] for one in level.segments if one[2][0] == "out"))
        order = [*ins, *level.items, *outs]
        level.index = {where: k for k, where in enumerate(order)}
        lines: list[Line] = []
        for number, here, there, port, entry in level.segments:
            link = self.view.links[number]
            key = (min(link.source, link.target), link.value if link.source < link.target else (-2, number))
            lines.append(
                Line(
                    level.index[here],
                    level.index[there],
                    self._port(port),
                    self._port(entry),
                    key,
                    link.trunk,
                )
            )
        placed = arrange(
            [self._item(where) for where in order],
            lines,
            first=range(len(ins)),
            last=range(len(order) - len(outs), len(order)),
        )
        level.placed = placed
        if at < 0:
            level.size = (placed.width, placed.height)
            return
        width = max(placed.width + 2 * SIDE, self.heads[at])
        level.inset = ((width - placed.width) / 2, HEAD)
        level.size = (width, placed.height + HEAD + FOOT)

    # ── from levels to the picture ───────────────────────────────────────────────────────────

    def _absolute(self) -> Scene:
        """Add up the levels, from the outside in."""
        view = self.view
        boxes = [Rect(0, 0, 0, 0)] * len(view.boxes)
        frames = [Rect(0, 0, 0, 0)] * len(view.frames)
        corner = {-1: (0.0, 0.0)}
        crossings = 0
        for at in sorted(self.levels, key=lambda one: (self.depth[one], one)):
            level = self.levels[at]
            placed = level.placed
            assert placed is not None
            crossings += placed.crossings
            left, top = corner[at][0] + level.inset[0], corner[at][1] + level.inset[1]
            for where in level.items:
                k = level.index[where]
                x, y = left + placed.x[k], top + placed.y[k]
                if where[0] == "box":
                    size = self.sizes[where[1]]
                    boxes[where[1]] = _rect(x, y, size.width, size.height)
                else:
                    width, height = self.levels[where[1]].size
                    frames[where[1]] = _rect(x, y, width, height)
                    corner[where[1]] = (x - width / 2, y - height / 2)
        wires = [self._wire(parts, corner) for parts in self.parts]
        self._ends(boxes, wires)
        width, height = self.levels[-1].size
        return Scene(boxes, frames, wires, width, height, crossings)

    def _wire(self, parts: list[tuple[int, int]], corner: dict[int, tuple[float, float]]) -> Wire:
        """Two points in the row of its source, two in that of its target; in between, bends and borders."""
        wire: Wire = []
        for frame, k in parts:
            level = self.levels[frame]
            assert level.placed is not None
            _, here, there, _, _ = level.segments[k]
            left, top = corner[frame][0] + level.inset[0], corner[frame][1] + level.inset[1]

            if here[0] == "in":
                at = level.index[here]
                wire.append((left + level.placed.x[at], top + level.placed.y[at]))
            for x, y0, y1 in level.placed.bends[k]:
                wire += [(left + x, top + y0), (left + x, top + y1)]
            if there[0] == "out":
                at = level.index[there]
                wire.append((left + level.placed.x[at], top + level.placed.y[at]))
        return wire

    def _ends(self, boxes: list[Rect], wires: list[Wire]) -> None:
        """Where wires leave and enter boxes: the trunk in the middle, others beside it in order."""
        leaving: dict[int, dict[object, list[int]]] = {}
        entering: dict[int, list[int]] = {}
        for number, link in enumerate(self.view.links):
            source, target = min(link.source, link.target), max(link.source, link.target)
            if source == target:
                continue
            key = link.value if link.source < link.target else (-2, number)
            leaving.setdefault(source, {}).setdefault(key, []).append(number)
            entering.setdefault(target, []).append(number)
        for box, groups in leaving.items():
            ordered = sorted(
                groups.values(), key=lambda those: sum(wires[k][2][0] for k in those) / len(those)
            )
            trunks = [any(self.view.links[k].trunk for k in those) for those in ordered]
            rect = boxes[box]
            for those, x in zip(ordered, _spread(trunks, rect), strict=True):
                for k in those:
                    wires[k][:2] = [(x, rect.y1), (x, wires[k][1][1])]
        for box, numbers in entering.items():
            single = sorted(numbers, key=lambda k: (wires[k][-3][0], k))
            rect = boxes[box]
            for k, x in zip(single, _spread([self.view.links[k].trunk for k in single], rect), strict=True):
                wires[k][-2:] = [(x, wires[k][-2][1]), (x, rect.y0)]
        for number, link in enumerate(self.view.links):
            if link.source > link.target:
                wires[number].reverse()


def _rect(x: float, y: float, width: float, height: float) -> Rect:
    return Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _spread(trunks: Sequence[bool], rect: Rect) -> list[float]:
    """x of each of several neighbouring lines at a box; the trunk among them is in the middle."""
    count = len(trunks)
    width = rect.x1 - rect.x0
    gap = min(PORT_GAP, max(width - 24, 8.0) / max(count - 1, 1))
    centre = trunks.index(True) if True in trunks else (count - 1) / 2
    furthest = max(centre, count - 1 - centre) * gap
    scale = min(1.0, max(width / 2 - 10, 1.0) / furthest) if furthest else 1.0
    return [(rect.x0 + rect.x1) / 2 + (k - centre) * gap * scale for k in range(count)]
