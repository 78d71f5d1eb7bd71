"""In which layer, and which part of the step, an operation is made while a graph is built.

Nothing is asked for each operation: a change of state is noted with how many operations the graph
has by then.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from graphlens_tracers.events import NodeId, Phase
from graphlens_tracers.sites import Place
from graphlens_tracers.tf import compat

if TYPE_CHECKING:  # it asks what is said here
    from graphlens_tracers.tf.eager import Eager


NAME_SCOPE = "name scope"
"""What the class of a module is for a name scope of the script's."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Trace:
    """In what layers count their calls: a graph that is built from outside in, or one eager step.

    Attributes:
        calls: By (the call around, the layer): how many calls came before the latest one.
    """

    calls: dict[tuple[LayerCall | None, int], int] = field(default_factory=dict)


@dataclass(eq=False, slots=True, weakref_slot=True)
class LayerCall:
    """One call of a layer, a module or a scope while a graph is built, inside the calls around it.

    Attributes:
        layer: Its `id`, or a number below zero; `name` and `kind`: its own name and its class's.
        nth: How many calls of it came before in the same call around it, and the same trace.
        layered: Whether it is of a Keras layer, or inside of one.
        key: The same in every step.
    """

    parent: LayerCall | None
    layer: int
    name: str
    kind: str
    nth: int
    layered: bool = False
    key: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self.key = self.layer, self.nth, self.parent and self.parent.key

    @property
    def module(self) -> LayerCall | None:
        """The innermost call around, this one included, that is no name scope's: paths do without those."""
        at: LayerCall | None = self
        while at is not None and at.kind == NAME_SCOPE:
            at = at.parent
        return at


class State(NamedTuple):
    """What operations that are made now belong to.

    Attributes:
        twin: For a gradient, the forward operation: (`id` of its graph, its name).
        node: The same of one that ran eagerly.
    """

    phase: Phase = Phase.FORWARD
    layer: LayerCall | None = None
    twin: tuple[int, str] | None = None
    node: NodeId | None = None


NOTHING = State()
Answer = TypeVar("Answer")


class Building(threading.local):
    """The state of one thread, and where it changed in each graph."""

    marks: ClassVar[weakref.WeakKeyDictionary[Any, list[tuple[int, State]]]] = weakref.WeakKeyDictionary()
    """By graph: (how many operations there were, the state from there on). Of all threads."""
    traces: ClassVar[weakref.WeakKeyDictionary[Any, Trace]] = weakref.WeakKeyDictionary()
    """By graph, of those that no other graph's building has begun."""
    made: ClassVar[dict[int, list[Place]]] = {}
    """By the `id` of a Keras layer, where it was made, innermost place first: also places of frameworks."""

    def __init__(self) -> None:
        self.state = NOTHING
        self._before: list[State] = []
        self._trace = Trace()
        self.eager: Eager | None = None
        """What this thread runs eagerly; None where that is not recorded."""

    def begin_trace(self) -> None:
        """An eager step begins; layers that are being called have made none of its operations yet."""
        self._trace = Trace()
        around, at = [], self.state.layer
        while at is not None:
            around.append(at)
            at = at.parent
        for call in reversed(around):
            self._trace.calls[call.parent, call.layer] = call.nth = 0
            call.__post_init__()

    def called(
        self, layer: int, name: str, kind: str, around: LayerCall | None, layered: bool = False
    ) -> LayerCall:
        """A layer, a module or a scope is called, by another one; `layered`: it is a Keras layer."""
        graph = compat.graph_being_built()
        trace = self._trace
        if graph is not None:
            outermost = compat.outermost(graph)
            known = self.traces.get(outermost)
            trace = self.traces[outermost] = Trace() if known is None else known
        counted = around, layer
        nth = trace.calls[counted] = trace.calls.get(counted, -1) + 1
        layered = layered or (around is not None and around.layered)
        return LayerCall(around, layer, name, kind, nth, layered)

    def anchor(self, trains: bool) -> None:
        """A step that runs eagerly has done its work: it `trains`, or evaluates."""
        self._ask(lambda eager: eager.anchor(trains))

    def ran(self) -> int | None:
        """How many operations have run eagerly in this step."""
        return self._ask(lambda eager: eager.stream.count)

    def begin_gradients(self) -> None:
        """See `Eager.begin_gradients`."""
        self._ask(lambda eager: eager.begin_gradients())

    def differentiated(self, op: str, inputs: Any, gradients: Any) -> NodeId | None:
        """See `Eager.differentiated`."""
        return self._ask(lambda eager: eager.differentiated(op, inputs, gradients))

    def _ask(self, ask: Callable[[Eager], Answer]) -> Answer | None:
        """What runs eagerly knows, on the threads where it is recorded."""
        eager = self.eager
        if eager is None or not eager.on or not compat.context.executing_eagerly():
            return None
        try:
            return ask(eager)
        except Exception as error:
            eager.failed(error)
            return None

    def enter(self, state: State) -> None:
        """From now on operations belong to this."""
        self._before.append(self.state)
        self._turn(state)

    def leave(self) -> None:
        """Back to what was before."""
        if self._before:
            self._turn(self._before.pop())

    def begun(self, graph: Any) -> None:
        """A graph begins: what is made in it belongs to what is under way now, whenever it is registered."""
        self.marks.setdefault(graph, [(0, self.state)])

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
