"""Which graph a call follows while it runs: one that is known, and where it leaves that, a new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from graphlens_tracers.events import CallId, CallTurned, GraphGrew, GraphId, GraphSeen, NodeId, WiringId
from graphlens_tracers.sink import LogSink

Kind = Literal["setup", "step"]
Step = tuple[NodeId, WiringId | None]
"""A node, and what it reads where that is not what it was declared with."""
MOST_POINTS = 1 << 17
"""Points after which the ways that were taken are forgotten, between two calls."""


@dataclass(eq=False, slots=True)
class Point:
    """A point on the ways that calls have taken.

    Attributes:
        step: What led to it; None before the first node.
        graph: One that passes it, after `depth` nodes.
        ends: The graph of the calls that ended here.
    """

    step: Step | None
    graph: GraphId | None
    depth: int
    children: dict[Step, Point] = field(default_factory=dict)
    ends: GraphId | None = None


class Ways:
    """The ways that the calls of one thread have taken.

    Attributes:
        graph: What the call under way follows, as was said.
        path: Its points so far.
    """

    def __init__(self, sink: LogSink, new_graph: Callable[[], GraphId]) -> None:
        self._sink = sink
        self._new_graph = new_graph
        self._root = Point(None, None, 0)
        self._at = self._root
        self._last: dict[GraphId, Point] = {}  # of each graph that was declared in this call
        self._follows: list[Point] = []
        self._points = 0
        self._unused: GraphId | None = None  # declared, and nothing went that way
        self._kind: Kind = "step"
        self._call = CallId(-1)
        self.graph = GraphId(-1)
        self.path: list[Point] = []

    def begin(self, call: CallId, kind: Kind, like: list[Point]) -> GraphId:
        """A call begins; gives the graph that it follows, by what is known now.

        Args:
            like: The path of a call that it is expected to go, too; empty: nothing is known.
        """
        if self._points > MOST_POINTS:
            self.forget()
        if self._points == 0:
            like = []  # it is not known any more
        self._call, self._at, self._follows, self.path = call, self._root, like, []
        self._last.clear()
        self._kind = kind
        ends = like[-1].ends if like else None
        if ends is None:
            ends = self._unused = self._declare(None, 0) if self._unused is None else self._unused
        self.graph = ends
        return ends

    def expected(self) -> Step | None:
        """What comes next if the call goes on like the one that it is like."""
        follows, depth = self._follows, len(self.path)
        return follows[depth].step if depth < len(follows) else None

    def nodes(self) -> list[NodeId]:
        """The nodes of the call under way."""
        return [point.step[0] for point in self.path if point.step is not None]

    def go(self, step: Step) -> None:
        """The call goes on with a node."""
        at, depth = self._at, len(self.path)
        if depth < len(self._follows) and self._follows[depth].step == step:
            self._at = self._follows[depth]
            self.path.append(self._at)
            return
        next_ = at.children.get(step)
        if next_ is None:
            next_ = self._new(step)
            self._follows = []
        else:
            self._follows = []
            self._turn(next_.graph)
        self.path.append(next_)
        self._at = next_

    def forget(self) -> None:
        """Forget every way, between two calls or when one has just begun."""
        self._root = self._at = Point(None, None, 0)
        self._points, self._follows = 0, []

    def end(self) -> tuple[GraphId, bool]:
        """The call is over; gives the graph that it has followed, and whether no call has before."""
        at = self._at
        assert at.graph is not None, "a call without nodes"
        known = at.ends is not None
        if at.ends is None:
            if self._last.get(at.graph) is not at:
                at.ends = self._declare(at.graph, at.depth)
            else:
                at.ends = at.graph
        return at.ends, not known

    def _new(self, step: Step) -> Point:
        at, node, wiring = self._at, *step
        if at is self._root:
            graph = self._declare(None, 0) if self._unused is None else self._unused
            self._unused = None
        elif at.graph is not None and self._last.get(at.graph) is at:
            graph = at.graph
        else:
            graph = self._declare(at.graph, at.depth)
        self._turn(graph)
        self._sink.declare(GraphGrew(graph, (node,), () if wiring is None else (wiring,)))
        new = at.children[step] = Point(step, graph, at.depth + 1)
        self._last[graph] = new
        self._points += 1
        return new

    def _turn(self, graph: GraphId | None) -> None:
        if graph is not None and graph != self.graph:
            self.graph = graph
            self._sink.declare(CallTurned(self._call, graph))

    def _declare(self, base: GraphId | None, keep: int) -> GraphId:
        graph = self._new_graph()
        self._sink.declare(
            GraphSeen(graph, None, "setup" if self._kind == "setup" else "", self._kind, "ran", base, keep)
        )
        self._last[graph] = self._at
        return graph
