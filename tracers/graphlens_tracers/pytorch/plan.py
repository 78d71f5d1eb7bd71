"""Recognising a step that repeats: one small generated function for each place on a way.

A `Place` is a node on one way through a step, with what it is wired to. Its `check` says in about
a microsecond whether the operation that is about to run is that one: same operation, same
arguments, reading the same variables. Variables are storages made or first read in the call, as
numbered weak references.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphlens_tracers.events import (
    CellId,
    GraphId,
    ModuleCallId,
    NodeId,
    Output,
    Phase,
    ScopeId,
    SiteId,
    ValueId,
)
from graphlens_tracers.pytorch.arguments import (
    Geometry,
    OpInfo,
    geometry_of,
    is_part,
    kind_of,
    scalars_of,
    shape_of,
)
from graphlens_tracers.pytorch.checks import Check, Checker, Vars

if TYPE_CHECKING:  # it looks at places
    from graphlens_tracers.pytorch.quick import Run


def _never(_vars: Vars, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    """The check of the place before the first operation."""


def gone() -> None:
    """Stands in `Vars` where no storage has been seen yet."""


def same(one: float, other: float) -> bool:
    """Whether two numbers are the same to the bit: -0.0 is not 0.0, NaN is NaN."""
    if one == other:
        return one != 0 or math.copysign(1, one) == math.copysign(1, other)
    return one != one and other != other and math.copysign(1, one) == math.copysign(1, other)


class Node:
    """A place in the program where an operation runs; shared by every way that passes it."""

    __slots__ = (
        "code", "depth", "form", "formula", "grad", "id", "info", "inputs", "key", "lasti", "lists",
        "module_call", "outputs", "phase", "places", "ranged", "remakes", "scalars", "scope", "shapes",
        "site", "slots", "through", "twin", "varying", "views", "writes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id: NodeId
        self.info: OpInfo
        self.key: tuple[Any, ...]
        self.phase: Phase
        self.form: tuple[Any, ...]  # skeleton, views, writes, kinds of outputs: what must be equal
        self.inputs: tuple[ValueId | None, ...]
        self.through: tuple[tuple[int, ValueId], ...]
        self.outputs: tuple[Output, ...]
        self.views: tuple[int | None, ...]  # for each output, the input it aliases
        self.writes: tuple[tuple[int, int], ...]
        self.scope: ScopeId | None
        self.module_call: ModuleCallId | None
        self.site: SiteId | None
        self.twin: NodeId | None
        self.remakes: Node | None = None
        self.formula = ""
        self.scalars: list[float]
        self.lists: list[int]  # for each scalar, how many elements of its list follow it
        self.varying: set[int] = set()
        self.ranged: tuple[tuple[int, Any], ...]  # (output, how), in order
        self.slots: int
        self.shapes: tuple[Any, ...] | None  # of the outputs, where they must be looked at each time
        self.code: Any  # of the nearest user frame, `depth` frames out
        self.lasti: int
        self.depth: int
        self.grad: bool
        self.places: list[Place] = []

    def is_beside(self, other: Node) -> bool:
        """Whether both run at the same place of the source, in the same module call and phase."""
        return (
            self.code is other.code
            and self.lasti == other.lasti
            and self.module_call == other.module_call
            and self.phase is other.phase
            and self.grad is other.grad
        )

    def let_vary(self, numbers: Sequence[float]) -> None:
        """Numbers that are not what they were: from now on they are written with the rows.

        A list of numbers varies as a whole.
        """
        before = len(self.varying)
        for k, number in enumerate(numbers):
            if same(number, self.scalars[k]) or k in self.varying:
                continue
            start = k
            while start > 0 and self.lists[start - 1] == self.lists[start] + 1:
                start -= 1
            self.varying.update(range(start, k + self.lists[k] + 1))
        if len(self.varying) > before:
            for place in self.places:  # each of them must say the numbers from now on
                place.check = _never
                place.renew()
        if self.varying and self.shapes is None:
            # A slice of another length, a view of another shape: look at what comes out.
            self.shapes = tuple(output.spec.shape for output in self.outputs)

    def moves(self) -> set[int]:
        """Outputs that are views, and may lie elsewhere the next time."""
        return {k for k, base in enumerate(self.views) if base is not None} if self.varying else set()


class Leaves(NamedTuple):
    """All leaves of one thread: by storage, and those that are not what they usually are.

    Attributes:
        moved: They took another storage or shape, and nobody has asked yet.
        away: They lie elsewhere in their storage, in the call that is under way.
    """

    homes: dict[int, Leaf]
    moved: list[Leaf]
    away: list[Leaf]


class Leaf:
    """A value that comes from outside a call.

    Attributes:
        usual: The storage it was last time.
        sure: The same where nothing else can be that storage; else a callable that gives None.
        strict: Another storage means another graph (parameters, buffers).
        rebound: Set when `accept` took another storage than the usual one.
        reshaped: Set when `accept` took another shape than the declared one.
        geometry: Where it lay in its storage when it was declared; `lies`: where it lay last.
        loose: Somebody may hold other views of its storage: it is no parameter, buffer or state.
        moves: It may lie otherwise in its storage the next time: as another part of it, in another shape.
        shared: Another leaf usually is the same storage, too: only a look at the call tells them apart.
    """

    __slots__ = (
        "_among", "cell", "dtype", "geometry", "kind", "lies", "loose", "moves", "rebound", "reshaped",
        "shape", "shared", "strict", "strides", "sure", "usual", "value",
    )  # fmt: skip

    def __init__(
        self,
        value: ValueId,
        cell: CellId | None,
        strict: bool,
        among: Leaves,
    ) -> None:
        self._among = among
        self.shared = False
        self.value = value
        self.cell = cell
        self.strict = strict
        self.usual: Any = gone
        self.sure: Any = gone
        self.dtype: torch.dtype | None = None
        self.shape: Any = None
        self.kind = ""
        self.strides: tuple[int, ...] | None = None  # None: it has no memory of its own
        self.geometry: Any = None
        self.lies: Any = None
        self.moves = False
        self.loose = False
        self.rebound = False
        self.reshaped = False

    def accept(
        self, storage: Any, tensor: torch.Tensor, variables: Vars, from_outside: tuple[int, ...]
    ) -> bool:
        """Whether `tensor` may be this leaf in the call that is under way.

        Args:
            variables: Those known so far in this call.
            from_outside: Leaves among them that might have taken this storage already.
        """
        if tensor.dtype is not self.dtype or kind_of(tensor) != self.kind:
            return False
        geometry = geometry_of(tensor)
        other = self.is_otherwise(tensor, geometry)
        if other and self.strict:
            return False
        if not self.moves and not self.strict and (other or is_part(tensor)):
            return False  # from now on it must be looked at where it is read again
        self._lie(geometry)
        if other:
            self.reshaped = True
            self._among.moved.append(self)
        if self.usual() is storage:
            return not any(variables[k]() is storage for k in from_outside)
        if self.strict or any(known() is storage for known in variables):
            return False
        self.bind(storage)
        self.rebound = True
        self._among.moved.append(self)
        return True

    def lie(self, tensor: torch.Tensor) -> None:
        """Note where in its storage it lies in this call."""
        self._lie(geometry_of(tensor))

    def _lie(self, geometry: Geometry | None) -> None:
        self.lies = geometry
        if not self.moves and geometry != self.geometry:
            self._among.away.append(self)

    def is_at(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor of its storage lies where it does in this call."""
        return self.lies is None or self.lies == geometry_of(tensor)

    def is_otherwise(self, tensor: torch.Tensor, geometry: Geometry | None) -> bool:
        """Whether a tensor that it may be has another shape, or other strides, than it was declared with."""
        if self.shape is None:
            return False  # it is not declared yet
        if geometry is None or self.geometry is None:
            return bool(shape_of(tensor) != self.shape)
        return bool(geometry[1:3] != self.geometry[1:3])

    def declared_as(self, tensor: torch.Tensor, geometry: Any) -> None:
        """What it was when it was declared; `geometry` is None where it has no memory of its own."""
        self.dtype, self.shape, self.geometry = tensor.dtype, shape_of(tensor), geometry
        self.kind = kind_of(tensor)
        if geometry is not None:  # the operation that reads it may have changed the tensor itself since
            _, self.shape, self.strides, self.kind = geometry

    def bind(self, storage: Any) -> None:
        """From now on this leaf usually is that storage."""
        other = self._among.homes.get(id(storage))
        if other is not None and other is not self and other.usual() is storage:
            self.shared = other.shared = True
            other.sure = gone
        self._among.homes[id(storage)] = self
        self.usual = weakref.ref(storage)
        self.sure = gone if self.shared else self.usual


class Place:
    """A node on one way through a step.

    Attributes:
        reads: For each input, its variable.
        leaves: (input, leaf) where a leaf is read for the first time.
        asks: For an input that is such a leaf, whether it asks for a gradient; only where that matters.
        outside: (variable, leaf) of every leaf read so far.
        makes: (output, variable) for each output with memory of its own.
        noted: Outputs whose place in their storage is noted each time, since it moves.
        odd: Its outputs may not be as its node declares: it was reached another way, or in another shape.
        first_output: How many outputs all places before it have.
        values: For each input, its value: the node's own wiring, or this way's.
        through: (input, value) for each input that lies otherwise than its value: as that one does.
        parts: (input, leaf) for each of them that lies as a leaf does, and as nothing known before it.
        children: What came next, the latest first.
        graph: The graph that was being recorded when this place was new.
        check: Whether an operation is this one; its varying arguments if so, else None.
        run: `check`, the operation itself and its row in one; made when it is recognised first.
        next: What to call when the next operation comes: the first child's `run`, or `otherwise`.
        otherwise: The dispatch mode's own way, for everything that can't be expected.
        end: Set when some call ended here.
        links: The autograd nodes that it made: number, counted from the call's beginning, and name.
        before: The number that the next autograd node would have got when it ran; -1 when not known.
        evaluates: Number and name of the autograd node that was being differentiated by it.
        region: Depth of the first place of the checkpoint or custom Function that it is in; -1: in none.
    """

    __slots__ = (
        "ambiguous", "asks", "before", "check", "children", "depth", "end", "evaluates", "first_output",
        "first_var", "func", "graph", "leaves", "lies", "links", "makes", "next", "next_var", "node", "noted",
        "odd", "offsets", "otherwise", "outside", "parent", "parts", "reads", "region", "run", "through",
        "values",
    )  # fmt: skip

    def __init__(self, node: Node, parent: Place | None) -> None:
        self.node = node
        self.func: Any = node.info.func if parent is not None else None
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else -1
        self.children: list[Place] = []
        self.check: Check = _never
        self.run: Run | None = None
        self.otherwise: Run | None = parent.otherwise if parent is not None else None
        self.next: Run | None = self.otherwise
        self.reads: tuple[int, ...] = ()
        self.leaves: list[tuple[int, Leaf]] = []
        self.asks: dict[int, bool] = {}
        self.ambiguous: dict[int, Any] = {}  # by input, a values.Where
        self.noted: tuple[int, ...] = ()
        self.odd = False
        self.first_output: int = (
            parent.first_output + len(parent.node.outputs)
            if parent is not None and parent.parent is not None
            else 0
        )
        self.offsets: dict[ValueId, int] = {}
        self.lies: dict[ValueId, Geometry] = {}
        self.makes: tuple[tuple[int, int], ...] = ()
        self.values: tuple[ValueId | None, ...] = ()
        self.through: tuple[tuple[int, ValueId], ...] = ()
        self.parts: list[tuple[int, Leaf]] = []
        self.graph: GraphId = GraphId(-1)
        self.end: End | None = None
        self.first_var: int = parent.next_var if parent is not None else 0
        self.next_var: int = self.first_var
        self.outside: tuple[tuple[int, Leaf], ...] = parent.outside if parent is not None else ()
        self.links: tuple[tuple[int, str], ...] = ()
        self.before = -1
        self.evaluates: tuple[int, str] | None = None
        self.region = -1

    def path(self, after: Place | None = None) -> list[Place]:
        """The places from just after `after` (or the beginning) up to this one, in order."""
        found: list[Place] = []
        place = self
        while place.parent is not None and place is not after:
            found.append(place)
            place = place.parent
        found.reverse()
        return found

    def note(self, outputs: set[int]) -> None:
        """From now on note where these outputs lie, and whatever lies in them further on."""
        if outputs <= set(self.noted):
            return
        moving: set[ValueId] = set()
        ahead: list[tuple[Place, set[int]]] = [(self, outputs)]
        while ahead:
            place, more = ahead.pop()
            more = more - set(place.noted)
            if more:
                place.noted = (*place.noted, *sorted(more))
                place.renew()
                moving.update(place.node.outputs[output].value for output in more)
            ahead += [(child, child.lying_in(moving)) for child in place.children]

    def distrust(self, leaf: Leaf | None) -> None:
        """Whatever reads the memory of this leaf (None: anything) from here on is to be looked at again."""
        ahead = [self]
        while ahead:
            place = ahead.pop()
            if leaf is None or any(known is leaf and read in place.reads for read, known in place.outside):
                place.func = None  # until the slow side has passed it
                place.renew()
            ahead += place.children

    def coincide(self, values: tuple[ValueId, ...], leaves: tuple[Leaf, ...]) -> bool:
        """Whether all of these lie alike in the call that is under way."""
        return len({self.lies.get(value) for value in values} | {leaf.lies for leaf in leaves}) == 1

    def lies_like(self, read: int) -> ValueId | None:
        """The value that an input lies like."""
        return next((value for k, value in self.through if k == read), self.values[read])

    def lying_in(self, values: Container[ValueId | None]) -> set[int]:
        """Which of its outputs are in the memory of an input that is, or lies like, one of `values`."""
        through = dict(self.through)
        inputs = {k for k, value in enumerate(self.values) if through.get(k, value) in values}
        if not inputs:
            return set()
        views = {output for output, base in enumerate(self.node.views) if base in inputs}
        return views | {output for read, output in self.node.writes if read in inputs}

    def expect(self, child: Place | None = None) -> None:
        """Say again what comes next, when that has changed; `child` becomes the first to be tried."""
        if child is not None and self.children[0] is not child:
            self.children.remove(child)
            self.children.insert(0, child)
        first = self.children[0].run if self.children and self.end is None else None
        self.next = first if first is not None else self.otherwise

    def renew(self, run: Run | None = None) -> None:
        """The function that recognises this place is this one; None: it has to be made again."""
        self.run = run
        if self.parent is not None:
            self.parent.expect()

    def take_apart(self) -> None:
        """It is not on any way any more; what is behind it may still be asked."""
        self.children = []
        self.check = _never
        self.run = self.next = self.otherwise = None

    def leaves_before(self, index: int, strict: bool) -> tuple[int, ...]:
        """Variables of leaves read before input `index` that a leaf must not be confused with.

        Two strict leaves never are one storage.
        """
        earlier = [(self.reads[k], leaf) for k, leaf in self.leaves if k < index]
        found = self.parent.outside if self.parent is not None else ()
        return tuple(read for read, leaf in (*found, *earlier) if not (strict and leaf.strict))

    def compile(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Make `check` from the arguments of a call that is right."""
        self.check = Checker(self, args, kwargs, self.node.varying).check()
        self.renew()

    def vary(self, variables: Vars, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[float] | None:
        """Whether a call that `check` refused differs in numbers only; from then on they may vary."""
        node = self.node
        numbers = scalars_of(args, kwargs)
        if len(numbers) != len(node.scalars) or (
            self.check is not _never and all(map(same, numbers, node.scalars))
        ):
            return None
        every = Checker(self, args, kwargs, set(range(len(numbers)))).check()
        if every(variables, args, kwargs) is None:
            return None
        node.let_vary(numbers)
        self.note(node.moves())
        self.compile(args, kwargs)
        return self.check(variables, args, kwargs)


class End:
    """What is known of a graph whose calls end at a place.

    Attributes:
        last_writers: Variables made in the call, with the depth and output of their last writer.
    """

    __slots__ = ("graph", "last_writers", "shapes")

    def __init__(self, graph: GraphId, place: Place) -> None:
        self.graph = graph
        self.shapes: dict[bytes, int] = {}
        writers: dict[int, tuple[int, int]] = {}
        for at in place.path():
            for output, var in at.makes:
                writers[var] = (at.depth, output)
            for read, output in at.node.writes:
                writers[at.reads[read]] = (at.depth, output)
        self.last_writers = [(var, depth, output) for var, (depth, output) in writers.items()]
