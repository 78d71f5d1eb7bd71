"""A run as the lines of a screen: every operation in the order in which it ran, a headline a call.

Lines are never made: what is kept is a stretch for each unbroken piece of a call, and where its lines
begin. Any line of a million is found, and told apart, in the time of a binary search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens.scopes import OP, Span
from graphlens.session import Call, Process
from graphlens_tracers.events import CallId, GraphId, NodeId, Seq
from graphlens_tui.headlines import Headlines
from graphlens_tui.ways import View, Way

Ints = npt.NDArray[np.int64]
LOOSE = -1
"""As the graph of a stretch: its operations belong to no call that is known."""


class Sort(StrEnum):
    """What a line stands for."""

    CALL = "call"  # the headline of a step
    OP = "op"
    SPAN = "span"  # a folded call of a module


class Line(NamedTuple):
    """One line.

    Attributes:
        seq, stop: The operations that it stands for, up to, not including, `stop`.
        stretch: The number of its stretch.
        place: Its line in the view of its graph; -1 for a headline or a loose operation.
        position: That of `seq` in the order of its graph; -1 where there is none.
        span: Of a folded module call.
        folded: Of a headline: its operations are hidden.
        call, depth: Of a headline: whose it is, and how many calls are around that.
    """

    sort: Sort
    seq: int
    stop: int
    stretch: int
    place: int = -1
    position: int = -1
    span: Span | None = None
    folded: bool = False
    call: CallId | None = None
    depth: int = 0


@dataclass
class Stretches:
    """Unbroken pieces of calls, a column a property: sequence numbers and positions count up together."""

    first: Ints
    count: Ints
    call: Ints
    graph: Ints
    position: Ints

    @classmethod
    def none(cls) -> Stretches:
        """Without any."""
        return cls(*(np.empty(0, np.int64) for _ in range(5)))

    def __len__(self) -> int:
        return len(self.first)

    def columns(self) -> tuple[Ints, ...]:
        """In the order of their declaration."""
        return self.first, self.count, self.call, self.graph, self.position

    def before(self, seq: int) -> Stretches:
        """What lies before an operation."""
        whole = int(np.searchsorted(self.first, seq))
        cut = Stretches(*(column[:whole].copy() for column in self.columns()))
        if whole:
            cut.count[-1] = min(int(cut.count[-1]), seq - int(cut.first[-1]))
        return cut

    def followed_by(self, other: Stretches) -> Stretches:
        """Both; one stretch where the second goes on as the first ended."""
        if len(self) and len(other):
            last = len(self) - 1
            goes_on = (
                self.call[last] == other.call[0]
                and self.graph[last] == other.graph[0]
                and self.first[last] + self.count[last] == other.first[0]
                and (self.graph[last] == LOOSE or self.position[last] + self.count[last] == other.position[0])
            )
            if goes_on:
                self.count[last] += other.count[0]
                other = Stretches(*(column[1:] for column in other.columns()))
        return Stretches(
            *(np.concatenate(pair) for pair in zip(self.columns(), other.columns(), strict=True))
        )


class Timeline:
    """The lines of one process.

    Attributes:
        folded: Keys of the module calls that are folded, in every call of every graph.
        closed: Calls of which only the headline is shown.
        end: One more than the last sequence number.
        last_step: The training step that it has come to; None before the first one.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.folded: frozenset[str] = frozenset()
        self.closed: set[CallId] = set()
        self.end = 0
        self.ways: dict[int, Way] = {}
        self.calls: dict[int, Call] = {}
        self.last_step: int | None = None
        self._known: list[Call] = []
        self._stretches = Stretches.none()
        self._heads = Headlines()
        self._graph_names: dict[GraphId, str] = {}
        self._tops = np.zeros(1, np.int64)
        self._views: dict[int, View] = {}
        self._width = 8

    def __len__(self) -> int:
        return int(self._tops[-1])

    # ── reading on ───────────────────────────────────────────────────────────────────────────

    def update(self) -> None:
        """Take in what has been recorded since the last time."""
        with self.process.lock:  # calls, graphs and rows of one moment
            kept = self._read_on()
        self._place(kept)

    def _read_on(self) -> int:
        """How many stretches belong to the calls that they belonged to."""
        calls = list(self.process.calls())
        low, first = self._first_change(calls)
        start = min(self.end, first)
        for call in self._known[low:]:
            self.calls.pop(call.call, None)
        self.calls.update((call.call, call) for call in calls[low:])
        self._known = calls
        steps = (call.step for call in calls[-64:] if call.step is not None)
        self.last_step = max(steps, default=self.last_step)
        for way in self.ways.values():
            way.grow(self.process)
        ran = self.process.calls_of(start, self.process.end)
        before = self._stretches.before(start)
        self._stretches = before.followed_by(self._cut(*ran))
        self.end = int(self.process.end)
        return len(before)

    def _first_change(self, calls: list[Call]) -> tuple[int, int]:
        """How many calls are the same; the first operation that is of another call, or graph, than it was."""
        known = self._known
        low, high = 0, min(len(known), len(calls))
        while low < high:  # calls that have ended are the same objects, so this compares pointers
            middle = (low + high + 1) // 2
            if known[low:middle] == calls[low:middle]:
                low = middle
            else:
                high = middle - 1
        for before, now in zip(known[low:], calls[low:], strict=False):
            if (before.call, before.graph, before.first) != (now.call, now.graph, now.first):
                return low, min(int(before.first), int(now.first))
            if now.last < before.last:
                return low, int(now.last) + 1
        longer = known[len(calls) :] + calls[len(known) :]
        return low, min((int(call.first) for call in longer), default=self.end)

    def _cut(self, seq: Ints, node: Ints, call: Ints) -> Stretches:
        """The stretches of some operations."""
        if not len(seq):
            return Stretches.none()
        turns = np.flatnonzero(np.diff(call, prepend=call[0] - 1))
        graphs = [LOOSE if one < 0 else int(self.calls[one].graph) for one in call[turns].tolist()]
        graph = np.repeat(np.array(graphs, np.int64), np.diff(np.append(turns, len(call))))
        position = self._positions(graph, node)
        graph[position < 0] = LOOSE
        cut = np.ones(len(seq), np.bool_)
        cut[1:] = (
            (np.diff(seq) != 1)
            | (np.diff(call) != 0)
            | (np.diff(graph) != 0)
            | ((np.diff(position) != 1) & (graph[1:] != LOOSE))
        )
        at = np.flatnonzero(cut)
        count = np.diff(np.append(at, len(seq)))
        return Stretches(seq[at], count, call[at], graph[at], position[at])

    def _positions(self, graph: Ints, node: Ints) -> Ints:
        position = np.full(len(graph), -1, np.int64)
        turns = np.flatnonzero(np.diff(graph, prepend=graph[0] - 1))
        for one in set(graph[turns].tolist()) - {LOOSE}:
            here = graph == one
            position[here] = self.way(one).positions(node[here])
        return position

    def way(self, graph: int) -> Way:
        """One graph of the run."""
        found = self.ways.get(graph)
        if found is None:
            found = self.ways[graph] = Way(GraphId(graph))
            found.grow(self.process)
        return found

    # ── folding, and the room for lanes ──────────────────────────────────────────────────────

    def fold(self, folded: frozenset[str], closed: set[CallId]) -> None:
        """Show these module calls as one line, and of these calls only the headline."""
        self.folded, self.closed = folded, closed
        self._place()

    def set_width(self, lanes: int) -> None:
        """How many lanes there is room for."""
        if lanes != self._width:
            self._width = lanes
            self._views.clear()

    @property
    def lane_room(self) -> int:
        """How many lanes there is room for."""
        return self._width

    def view(self, graph: int) -> View:
        """The lines of a graph as they are folded now."""
        found = self._views.get(graph)
        if found is None:
            found = self._views[graph] = self.way(graph).view(self.folded, self._width)
        return found

    def _place(self, kept: int = 0) -> None:
        """Work out where the lines of every stretch begin; `kept` of them are in the calls they were in."""
        self._views.clear()
        stretches = self._stretches
        heights = stretches.count.copy()
        if self.folded:
            for graph in np.unique(stretches.graph).tolist():
                if graph != LOOSE:
                    here = stretches.graph == graph
                    line_of = self.way(graph).outline.lines(self.folded).line_of
                    first = stretches.position[here]
                    heights[here] = line_of[first + stretches.count[here] - 1] - line_of[first] + 1
        self._heads.grow(stretches.call, kept, self.calls, self.closed)
        heights[self._heads.hidden] = 0
        self._tops = np.concatenate([[0], np.cumsum(heights + self._heads.count)])

    # ── lines ────────────────────────────────────────────────────────────────────────────────

    def line(self, number: int) -> Line:
        """One line. Raises IndexError when there is none of that number."""
        if not 0 <= number < self._tops[-1]:
            raise IndexError(f"no line {number}: there are {self._tops[-1]}")
        at = int(np.searchsorted(self._tops, number, "right")) - 1
        stretches = self._stretches
        first, count = int(stretches.first[at]), int(stretches.count[at])
        within = number - int(self._tops[at])
        heads = int(self._heads.count[at])
        if within < heads:
            call, depth = self._heads.at(at, within)
            stop = max(first + count, int(self.calls[call].last) + 1)
            return Line(Sort.CALL, first, stop, at, folded=call in self.closed, call=call, depth=depth)
        within -= heads
        graph, position = int(stretches.graph[at]), int(stretches.position[at])
        if graph == LOOSE:
            return Line(Sort.OP, first + within, first + within + 1, at)
        if not self.folded:
            seq = first + within
            return Line(Sort.OP, seq, seq + 1, at, position + within, position + within)
        lines = self.view(graph).lines
        place = int(lines.line_of[position]) + within
        begins = max(int(lines.start[place]), position)
        ends = min(int(lines.stop[place]), position + count)
        offset, index = first - position, int(lines.span[place])
        if index == OP:
            return Line(Sort.OP, begins + offset, ends + offset, at, place, begins)
        span = self.way(graph).outline.spans[index]
        return Line(Sort.SPAN, begins + offset, ends + offset, at, place, begins, span)

    def number_of(self, seq: int) -> int:
        """The line that shows an operation, or the fold or the headline that hides it."""
        stretches = self._stretches
        if not len(stretches):
            return 0
        at = max(0, int(np.searchsorted(stretches.first, seq, "right")) - 1)
        top, heads = int(self._tops[at]), int(self._heads.count[at])
        if self._tops[at + 1] - top == heads:  # closed: its headline may be further up
            return max(0, top + heads - 1)
        within = min(max(seq - int(stretches.first[at]), 0), int(stretches.count[at]) - 1)
        graph, position = int(stretches.graph[at]), int(stretches.position[at])
        if self.folded and graph != LOOSE:
            line_of = self.view(graph).lines.line_of
            within = int(line_of[position + within]) - int(line_of[position])
        return top + heads + within

    def first_seq(self, number: int) -> int:
        """The first operation on or after a line; `end` behind the last one."""
        return self.line(number).seq if number < len(self) else self.end

    def call_of(self, line: Line) -> Call | None:
        """The call that a line belongs to; of a headline that which it is about."""
        return self.calls.get(int(self._stretches.call[line.stretch]) if line.call is None else line.call)

    def around(self, call: Call | None) -> Iterator[Call]:
        """A call and those that it was made in, innermost first."""
        while call is not None:
            yield call
            call = None if call.parent is None else self.calls.get(call.parent)

    def inside(self, seq: int) -> Call | None:
        """The first call that was made by an operation: the function, branch or loop that it entered."""
        at = self.stretch_of(seq)
        if at is None:
            return None
        outer, node = int(self._stretches.call[at]), int(self.process.rows(seq, seq + 1).node[0])
        found = [one for one in self.calls.values() if one.parent == outer and one.at == node]
        # A node may run again in a call that is a loop's: the calls that it made are before it.
        return min((one for one in found if one.last < seq), key=lambda one: one.first, default=None)

    def graph_of(self, line: Line) -> int:
        """The graph that a line is drawn in; LOOSE for none."""
        return int(self._stretches.graph[line.stretch])

    def node(self, line: Line) -> NodeId | None:
        """The node of the operation on a line."""
        graph = self.graph_of(line)
        if graph != LOOSE and line.position >= 0:
            return self.way(graph).order[line.position]
        _, nodes = self.process.nodes_of(line.seq, line.seq + 1)
        return NodeId(int(nodes[0])) if len(nodes) else None

    # ── places ───────────────────────────────────────────────────────────────────────────────

    def stretch_of(self, seq: int) -> int | None:
        """The stretch that an operation is in."""
        at = int(np.searchsorted(self._stretches.first, seq, "right")) - 1
        inside = at >= 0 and seq < self._stretches.first[at] + self._stretches.count[at]
        return at if inside else None

    def call_in(self, stretch: int) -> int:
        """The call that a stretch is a piece of; LOOSE for none."""
        return int(self._stretches.call[stretch])

    def position(self, seq: int) -> tuple[int, int] | None:
        """(graph, position) of an operation; None for one that is in no graph."""
        at = self.stretch_of(seq)
        if at is None or self._stretches.graph[at] == LOOSE:
            return None
        stretches = self._stretches
        return int(stretches.graph[at]), int(stretches.position[at]) + seq - int(stretches.first[at])

    def seq_at(self, stretch: int, position: int) -> Seq | None:
        """The operation at a position of the graph, in the call of a stretch; None when it did not run."""
        stretches = self._stretches
        if 0 <= position - stretches.position[stretch] < stretches.count[stretch]:
            return Seq(int(stretches.first[stretch] + position - stretches.position[stretch]))
        same = np.flatnonzero(stretches.call == stretches.call[stretch])
        offset = position - stretches.position[same]
        found = same[(offset >= 0) & (offset < stretches.count[same])]
        if not len(found):
            return None
        return Seq(int(stretches.first[found[0]] + position - stretches.position[found[0]]))

    def occurrences(self, node: NodeId) -> Ints:
        """Every operation of a node in calls that are known, in order: no row is read for it."""
        stretches, found = self._stretches, [np.empty(0, np.int64)]
        for graph, way in self.ways.items():
            position = way.place.get(node)
            if position is not None:
                offset = position - stretches.position
                here = (stretches.graph == graph) & (offset >= 0) & (offset < stretches.count)
                found.append(stretches.first[here] + offset[here])
        return np.sort(np.concatenate(found))

    def spans(self, line: Line) -> Iterator[Span]:
        """The module calls around a line, innermost first; a folded one is its own first."""
        graph = self.graph_of(line)
        if graph == LOOSE or line.position < 0:
            return
        for _, span in self.way(graph).outline.around(line.position):
            if line.span is None or span.depth <= line.span.depth:
                yield span

    def pieces(self) -> Iterator[tuple[int, int, int, int]]:
        """(first, count, graph, position) of every stretch, in order."""
        columns = (
            self._stretches.first,
            self._stretches.count,
            self._stretches.graph,
            self._stretches.position,
        )
        yield from zip(*(column.tolist() for column in columns), strict=True)

    def headline(self, number: int, steps: int) -> int | None:
        """The step `steps` further on from a line, or further back for a negative number: its headline."""
        heads = self._heads.lines(self._tops)[np.array(self._heads.depth, np.int64) == 0]
        if not len(heads):
            return None
        at = int(np.searchsorted(heads, number, "right" if steps > 0 else "left")) + (
            steps - 1 if steps > 0 else steps
        )
        return int(heads[min(max(at, 0), len(heads) - 1)])

    def headline_of(self, call: CallId) -> int | None:
        """The line that is the headline of a call; None where it is hidden."""
        number = self._heads.number(call)
        return None if number is None else int(self._heads.lines(self._tops)[number])

    def name_of(self, call: Call) -> str:
        """What a call runs, as a person calls it: a step of the script, a function, a round of a loop."""
        if call.parent is None:
            return call.role if call.step is None else f"step {call.step} · {call.role}"
        name = self.graph_name(call.graph)
        return name if call.iteration is None else f"{name} · round {call.iteration}"

    def graph_name(self, graph: GraphId) -> str:
        """What a graph is called; "?" for one that is not declared."""
        if graph not in self._graph_names:
            self._graph_names = {seen.graph: seen.name for seen in self.process.graphs()}
        return self._graph_names.get(graph, "?")
