"""In which layer, and which part of the step, an operation is made while a graph is built.

Nothing is asked for each operation: a change of state is noted with how many operations the graph
has by then.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from graphlens_tracers.events import Phase
from graphlens_tracers.tf import compat


@dataclass(eq=False, slots=True)
class LayerCall:
    """One call of a layer while a graph is built, inside the calls around it.

    Attributes:
        layer: Its `id`; `name` and `kind`: its own name and its class's.
        trace: The outermost graph that was being built.
    """

    parent: LayerCall | None
    layer: int
    name: str
    kind: str
    trace: int


class State(NamedTuple):
    """What operations that are made now belong to.

    Attributes:
        twin: For a gradient, the forward operation: (`id` of its graph, its name).
    """

    phase: Phase = Phase.FORWARD
    layer: LayerCall | None = None
    twin: tuple[int, str] | None = None


NOTHING = State()


class Building(threading.local):
    """The state of one thread, and where it changed in each graph."""

    marks: ClassVar[weakref.WeakKeyDictionary[Any, list[tuple[int, State]]]] = weakref.WeakKeyDictionary()
    """By graph: (how many operations there were, the state from there on). Of all threads."""

    def __init__(self) -> None:
        self.state = NOTHING
        self._before: list[State] = []

    def enter(self, state: State) -> None:
        """From now on operations belong to this."""
        self._before.append(self.state)
        self._turn(state)

    def leave(self) -> None:
        """Back to what was before."""
        if self._before:
            self._turn(self._before.pop())

    def _turn(self, state: State) -> None:
        graph = compat.graph_being_built()
        if graph is not None:
            marks = self.marks.get(graph)
            if marks is None:
                marks = self.marks[graph] = [(0, self.state)]
            marks.append((compat.count(graph), state))
        self.state = state

    def states(self, graph: Any) -> States:
        """What the operations of a graph belong to."""
        return States(self.marks.get(graph) or [(0, self.state)])

    def states_at_rest(self, graph: Any) -> States:
        """The same of a graph that nobody is building at this moment."""
        return States(self.marks.get(graph) or [(0, NOTHING)])


class States:
    """What the k-th operation of a graph belongs to."""

    def __init__(self, marks: list[tuple[int, State]]) -> None:
        self._starts = [start for start, _ in marks]
        self._states = [state for _, state in marks]

    def of(self, index: int) -> State:
        """Of the operation that was made after `index` others."""
        return self._states[bisect_right(self._starts, index) - 1]
