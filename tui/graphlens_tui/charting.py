"""What the boxes of a chart say, and the chart of a graph laid out for it. Knows no widget."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from rich.cells import cell_len

from graphlens.canvas import Canvas, laid_out
from graphlens.categories import CALLS, PLUMBING, Category, category, short
from graphlens.chart import Box, Chart, Folds, chart_of
from graphlens.letters import spec_text
from graphlens.session import NAN, RAISED, Call, Process
from graphlens.text import clean
from graphlens_tracers.events import GraphId, NodeSeen, Phase, Spec
from graphlens_tui.decoded import Decoded, Ill, Numbers
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import elided
from graphlens_tui.timeline import LOOSE, Timeline
from graphlens_tui.ways import Way

LONGEST = 26
"""Cells of a name on a box."""
RANGE = 14
"""Cells that are kept for a range, where boxes show one."""


class Zoom(IntEnum):
    """How much a box says: its name in one line; its shape, too; its numbers, too."""

    COMPACT = 0
    NORMAL = 1
    WIDE = 2


class Asked(NamedTuple):
    """Which chart: of a graph, with the shapes of one of its calls."""

    graph: GraphId
    shapes: int
    ops: int
    folds: Folds
    zoom: Zoom


@dataclass(slots=True)
class Label:
    """What is the same on a box in every call of the graph.

    Attributes:
        name, under, shape: Its lines; `under` is of a folded module and of a part.
        node: The operation whose result leaves it; `specs` are those of its outputs.
    """

    name: str
    under: str
    shape: str
    category: Category
    backward: bool
    node: NodeSeen | None
    specs: tuple[Spec, ...]


@dataclass
class Drawn:
    """A chart with a place for everything."""

    asked: Asked
    chart: Chart
    canvas: Canvas
    labels: list[Label]


class Snapshot(NamedTuple):
    """What a chart is made from, while the run may go on."""

    asked: Asked
    process: Process
    call: Call | None
    way: Way
    names: dict[GraphId, str]


def snapshot(
    process: Process, timeline: Timeline, call: Call, folds: Folds, zoom: Zoom, *, live: bool
) -> Snapshot:
    """Take what is needed of the graph that a call ran through."""
    way = timeline.way(int(call.graph))
    names = {seen.graph: seen.name for seen in process.graphs()}
    if live:
        outline = copy.copy(way.outline)
        outline.spans = [copy.copy(span) for span in outline.spans]
        outline.inner = list(outline.inner)
        way = Way(way.graph, list(way.order), {}, list(way.reads), outline=outline)
    return Snapshot(Asked(call.graph, call.shapes, len(way.order), folds, zoom), process, call, way, names)


def drawn(taken: Snapshot, glyphs: Glyphs) -> Drawn:
    """Choose the boxes, write on them, and lay them out: some hundredths of a second for a hundred boxes."""
    asked, process, way = taken.asked, taken.process, taken.way
    plumbing = [category(process.nodes[node].op) in PLUMBING for node in way.order]
    chart = chart_of(way.reads, way.outline, plumbing, asked.folds)
    labels = [_label(taken, box, glyphs) for box in chart.boxes]
    sizes = [size_of(label, box, asked.zoom) for label, box in zip(labels, chart.boxes, strict=True)]
    canvas = laid_out(chart, sizes, 1 if asked.zoom is Zoom.COMPACT else 2)
    return Drawn(asked, chart, canvas, labels)


def _label(taken: Snapshot, box: Box, glyphs: Glyphs) -> Label:
    node = taken.process.nodes[taken.way.order[box.main]]
    specs = taken.process.specs(taken.call, node.node)
    shape = clean(spec_text(specs[0])) + (f" +{len(specs) - 1}" if len(specs) > 1 else "") if specs else ""
    backward = node.phase is Phase.BACKWARD
    many = "1 op" if box.ops == 1 else f"{box.ops:,} ops"
    family, under = category(node.op), ""
    if box.span is not None:
        name = box.span.name or box.span.path
        name += f"#{box.span.nth + 1}" if box.span.nth else ""
        under = " · ".join(filter(None, (clean(box.span.kind), many)))
        family = Category.MODULE
    elif box.part[1]:
        name, under, family = f"part {box.part[0]} of {box.part[1]}", many, Category.MODULE
        backward = False
    else:
        name = short(node.op)
        if node.calls is not None and name in CALLS:
            name = f"call {taken.names.get(node.calls, '?')}"
        if backward:
            name = name.removesuffix("_backward")
    dots = glyphs.text("…")
    name = elided(glyphs.text(clean(name)), LONGEST, dots, left=box.span is not None)
    shape, under = (elided(glyphs.text(one), LONGEST, dots) for one in (shape, under))
    name = (glyphs.backward if backward else "") + name
    return Label(name, under, shape, family, backward, node, specs)


def size_of(label: Label, box: Box, zoom: Zoom) -> tuple[int, int]:
    """Cells of a box, across and down."""
    name = cell_len(label.name) + 2 + (2 if box.key else 0)
    if zoom is Zoom.COMPACT:
        return name + 4 + (cell_len(label.under) + 2 if label.under else 0), 1
    inside = max(name, cell_len(label.under), cell_len(label.shape), RANGE if zoom is Zoom.WIDE else 9)
    lines = 2 + bool(label.under) + (2 if zoom is Zoom.WIDE else 0)
    return inside + 4, lines + 2


# ── what one call of the graph made of it ────────────────────────────────────────────────────


class Health(NamedTuple):
    """How a box's numbers are: a glyph's name in `Glyphs`, and whether NaN or infinity."""

    glyph: str
    ill: str = ""


class Calls:
    """The boxes of a chart in one call of its graph.

    Attributes:
        born: Boxes that are ill while nothing that they read is.
    """

    def __init__(self, drawn: Drawn, timeline: Timeline, decoded: Decoded, ill: Ill, stretch: int) -> None:
        self._drawn, self._timeline, self._decoded, self._ill = drawn, timeline, decoded, ill
        self._stretch = stretch
        self._health: dict[int, Health] = {}
        self._before: dict[int, list[int]] = {}
        for source, target in drawn.chart.edges:
            self._before.setdefault(target, []).append(source)

    def seq(self, position: int) -> int | None:
        """The operation at a position of the order; None when it did not run in this call."""
        return self._timeline.seq_at(self._stretch, position)

    def first(self, box: int) -> int | None:
        """The operation that a box is selected by: that which it is about, or a module's first."""
        one = self._drawn.chart.boxes[box]
        return self.seq(one.start)

    def worst(self, box: int) -> str:
        """Whether a box made a NaN or an infinity: "nan", "inf" or ""."""
        one = self._drawn.chart.boxes[box]
        first, last = self.seq(one.start), self.seq(one.main)
        if first is None or last is None:
            return ""
        nan, inf = self._ill.between(first, last + 1)
        for position in one.hidden:
            seq = self.seq(position)
            more = (0, 0) if seq is None else self._ill.between(seq, seq + 1)
            nan, inf = nan + more[0], inf + more[1]
        return "nan" if nan else "inf" if inf else ""

    def health(self, box: int) -> Health:
        """How a box's numbers are."""
        found = self._health.get(box)
        if found is None:
            found = self._health[box] = self._look(box)
        return found

    def _look(self, box: int) -> Health:
        one, label = self._drawn.chart.boxes[box], self._drawn.labels[box]
        numbers = self.numbers(box)
        worst = self.worst(box)
        if numbers is not None and numbers.flags & RAISED:
            return Health("raised", "nan")
        if one.key and worst:
            return Health(worst, worst)
        if not one.key and numbers is not None and numbers.flags:
            ill = "nan" if numbers.flags & NAN else "inf"
            return Health(ill, ill)
        if worst:  # what goes with it, and is not drawn
            return Health(worst, worst)
        output = None if numbers is None or label.node is None else numbers.telling(label.node, label.specs)
        return Health("fine" if output is not None and output.looked_at else "none")

    def numbers(self, box: int) -> Numbers | None:
        """The numbers of the operation whose result leaves a box."""
        seq = self.seq(self._drawn.chart.boxes[box].main)
        return None if seq is None else self._decoded.at(seq)

    def born(self, box: int) -> bool:
        """The box is ill, and nothing that it reads in this graph is."""
        return bool(self.health(box).ill) and not any(
            self.health(one).ill for one in self._before.get(box, ())
        )

    def before(self, box: int) -> list[int]:
        """The boxes that one reads."""
        return self._before.get(box, [])


def place_of(timeline: Timeline, seq: int) -> tuple[int, int, Call] | None:
    """(stretch, position, call) of an operation in a graph that can be drawn; None where there is none."""
    stretch, place = timeline.stretch_of(seq), timeline.position(seq)
    if stretch is None or place is None or place[0] == LOOSE:
        return None
    call = timeline.calls.get(timeline.call_in(stretch))
    return None if call is None else (stretch, place[1], call)


__all__ = ["Asked", "Calls", "Drawn", "Health", "Label", "Snapshot", "Zoom", "drawn", "place_of", "snapshot"]
