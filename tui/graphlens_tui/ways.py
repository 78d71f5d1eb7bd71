"""One graph as the lines of a screen: what each operation reads, the modules around it, and the lanes.

Worked out once a graph and used for each of its calls; a graph that grows is worked on at its end.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphlens.lanes import Lanes
from graphlens.scopes import OP, Lines, Outline
from graphlens.session import Process
from graphlens_tracers.events import GraphId, NodeId, ValueId

Ints = npt.NDArray[np.int64]
HIGHEST = 1 << 24
"""Node ids up to which a table of positions is worth its memory."""


@dataclass
class Way:
    """A graph in the order in which its operations run.

    Attributes:
        order: Its operations.
        place: For each of them its position in the order.
        reads: For each position those whose results it reads, each once, in argument order.
        users: For each position those that read what it makes, in order.
        derivatives: For a forward operation the positions of those that differentiate it.
    """

    graph: GraphId
    order: list[NodeId] = field(default_factory=list)
    place: dict[NodeId, int] = field(default_factory=dict)
    reads: list[tuple[int, ...]] = field(default_factory=list)
    users: list[list[int]] = field(default_factory=list)
    derivatives: dict[NodeId, list[int]] = field(default_factory=dict)
    outline: Outline = field(default_factory=Outline)
    _made: dict[ValueId, int] = field(default_factory=dict, repr=False)
    _views: dict[int, _View] = field(default_factory=dict, repr=False)

    def grow(self, process: Process) -> None:
        """Take in what the graph has grown by."""
        order = process.order(self.graph)
        if len(order) == len(self.order):
            return
        for position in range(len(self.order), len(order)):
            self._add(order[position], position, process)
        with process.lock:
            self.outline.grow(self.order, process)

    def _add(self, node: NodeId, position: int, process: Process) -> None:
        seen = process.nodes[node]
        self.place[node] = position
        self.order.append(node)
        makers = (self._made.get(value) for value in process.inputs(self.graph, node) if value is not None)
        self.reads.append(tuple(dict.fromkeys(made for made in makers if made is not None)))
        self.users.append([])
        for made in self.reads[position]:
            self.users[made].append(position)
        for output in seen.outputs:
            self._made.setdefault(output.value, position)
        if seen.twin is not None:
            self.derivatives.setdefault(seen.twin, []).append(position)

    def positions(self, nodes: Ints | npt.NDArray[np.uint32]) -> Ints:
        """The position of each node; -1 for one that is not of this graph."""
        highest = max(self.place, default=-1)
        if highest > HIGHEST:  # no tracer counts that far in one process; a damaged log may
            return np.array([self.place.get(NodeId(node), -1) for node in nodes.tolist()], np.int64)
        table = np.full(highest + 2, -1, np.int64)
        table[list(self.place)] = list(self.place.values())
        return table[np.minimum(nodes.astype(np.int64), highest + 1)]

    def view(self, folded: frozenset[str], width: int) -> View:
        """Its lines when these spans are folded, with `width` lanes."""
        kept = self._views.get(width)
        if kept is None or kept.folded != folded:
            kept = self._views[width] = _View(folded, View(Lanes(width)))
        if kept.ops != len(self.order):
            kept.view.grow(self, folded)
            kept.ops = len(self.order)
        return kept.view


@dataclass
class _View:
    folded: frozenset[str]
    view: View
    ops: int = -1


@dataclass
class View:
    """The lines of a graph under one choice of folds.

    Attributes:
        lines: Which operations each line stands for.
        lanes: The lanes beside the lines.
    """

    lanes: Lanes
    lines: Lines = field(default_factory=lambda: Outline().lines(()))

    def grow(self, way: Way, folded: Container[str]) -> None:
        """Take in what the graph has grown by."""
        kept = max(0, len(self.lines) - 1)  # the last line may have been a part of a folded module
        self.lines = way.outline.lines(folded)
        if not np.any(self.lines.span != OP):
            self.lanes.grow(way.reads, kept)
            return
        line_of, start, stop = (
            column.tolist() for column in (self.lines.line_of, self.lines.start, self.lines.stop)
        )
        reads = self.lanes.reads[:kept]
        for line in range(kept, len(start)):
            makers = (line_of[one] for k in range(start[line], stop[line]) for one in way.reads[k])
            reads.append(tuple(dict.fromkeys(one for one in makers if one != line)))
        self.lanes.grow(reads, kept)
