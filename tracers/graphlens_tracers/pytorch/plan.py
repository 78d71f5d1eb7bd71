"""What runs in a step that repeats: nodes, what they are wired to, and what usually comes next.

A `Place` is a node with what it is wired to; it may be on many ways through a step. Its `run` says
in about a microsecond whether the operation that is about to run is that one (same operation, same
arguments, reading the same variables), and runs it.

A *variable* is a storage in one call, together with what has been done to it so far: which
operation made or wrote it last, and which views of it there are. Variables are numbered by just
that, so a number means the same on every way, and one number stands for one storage at a time.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
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
    WiringId,
)
from graphlens_tracers.loops import Loop
from graphlens_tracers.pytorch.arguments import Geometry, OpInfo, geometry_of, is_part, kind_of, shape_of
from graphlens_tracers.pytorch.checks import Vars
from graphlens_tracers.pytorch.numerics import Ranges

if TYPE_CHECKING:  # it looks at places
    from graphlens_tracers.pytorch.quick import Run


MOST_CHILDREN = 16
"""Places remembered to come next after one: others are found as if they had never come there."""


def gone() -> None:
    """Stands in `Vars` where no storage has been seen yet."""


def ran() -> None:
    """Stands in `Vars` for a node or place that has run in this call, and for a leaf that was read."""


def same(one: float, other: float) -> bool:
    """Whether two numbers are the same to the bit: -0.0 is not 0.0, NaN is NaN."""
    if one == other:
        return one != 0 or math.copysign(1, one) == math.copysign(1, other)
    return one != one and other != other and math.copysign(1, one) == math.copysign(1, other)


class Node:
    """A place in the program where an operation runs; shared by every way that passes it."""

    __slots__ = (
        "changes", "depth", "form", "formula", "grad", "id", "info", "inputs", "key", "lies", "lists",
        "location", "loops", "module_call", "noted", "numbered", "outputs", "outside", "phase", "places",
        "prior", "ran", "ranged", "remakes", "scalars", "scope", "shapes", "site", "slots", "stem", "through",
        "token", "twin", "varying", "views", "writes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id: NodeId
        self.info: OpInfo
        self.stem: tuple[Any, ...]
        self.key: tuple[Any, ...]  # the stem, and that it is the k-th such
        self.phase: Phase
        self.form: tuple[Any, ...]  # skeleton, views, writes, kinds of outputs: what must be equal
        self.inputs: tuple[ValueId | None, ...]
        self.through: tuple[tuple[int, ValueId], ...]
        self.outputs: tuple[Output, ...]
        self.lies: tuple[Geometry, ...]  # for each output, where it lies as declared
        self.views: tuple[int | None, ...]  # for each output, the input it aliases
        self.writes: tuple[tuple[int, int], ...]
        self.changes: bool  # whether it writes or makes a view
        self.scope: ScopeId | None
        self.module_call: ModuleCallId | None
        self.site: SiteId | None
        self.twin: Node | None
        self.remakes: Node | None = None
        self.formula = ""
        self.scalars: list[float]
        self.lists: list[int]  # for each scalar, how many elements of its list follow it
        self.varying: set[int] = set()
        self.ranged: Ranges
        self.slots: int
        self.shapes: tuple[Any, ...] | None  # of the outputs, where they must be looked at each time
        self.noted: tuple[int, ...] = ()  # outputs whose place in their storage is noted: it moves
        self.ran: int  # its number among the variables: that it has run, or one of the same key
        self.prior: int  # the number of the one before it of the same stem; -1 when it is the first
        self.numbered: bool  # whether autograd's count is noted when it runs
        self.loops: tuple[Loop, ...]  # around it in the optimizer's step, innermost first
        self.location: Location | None  # None where it is not looked at: in a backward
        self.depth: int  # how many frames out the location's frame is
        self.outside: bool  # of every module and optimizer: where a step may begin
        self.grad: bool
        self.token: Any  # the same operation with the same numbers has the same
        self.places: dict[Any, list[Place]] = {}

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
            self.token = None
            self.renew()  # each place must say the numbers from now on
        if self.varying and self.shapes is None:
            # A slice of another length, a view of another shape: look at what comes out.
            self.shapes = tuple(output.spec.shape for output in self.outputs)

    def moves(self) -> set[int]:
        """Outputs that are views, and may lie elsewhere the next time."""
        return {k for k, base in enumerate(self.views) if base is not None} if self.varying else set()

    def renew(self) -> None:
        """All of its places are to be made quick again."""
        for places in self.places.values():
            for place in places:
                place.renew()


class Location(NamedTuple):
    """Where an operation is called: the nearest frame of the user's, and the module call it is in."""

    code: Any
    lasti: int
    module_call: ModuleCallId | None
    phase: Phase
    grad: bool


class Leaves(NamedTuple):
    """All leaves of one thread: by storage, and those that are not what they usually are.

    Attributes:
        moved: They took another storage or shape, and nobody has asked yet.
        away: They lie elsewhere in their storage, in the call that is under way.
        blank: As of `Values`.
        is_known: Whether the call that is under way may have seen a storage.
    """

    homes: dict[int, Leaf]
    moved: list[Leaf]
    away: list[Leaf]
    blank: Vars
    is_known: Callable[[Any], bool]


class Leaf:
    """A value that comes from outside a call.

    Attributes:
        usual: The storage it was last time.
        sure: The same where nothing else can be that storage; else a callable that gives None.
        number: The variable that it is until it is written or viewed; -1 when it has none yet.
        read: Its number among the variables that says that it was read.
        steady: It is always the same storage: its variable is there from the beginning of each call.
        strict: Another storage means another graph (parameters, buffers).
        rebound: Set when `accept` took another storage than the usual one.
        reshaped: Set when `accept` took another shape than the declared one.
        geometry: Where it lay in its storage when it was declared; `lies`: where it lay last.
        loose: Somebody may hold other views of its storage: it is no parameter, buffer or state.
        moves: It may lie otherwise in its storage the next time: as another part of it, in another shape.
        shared: Another leaf usually is the same storage, too: only a look at the call tells them apart.
    """

    __slots__ = (
        "_among", "_restless", "cell", "dtype", "geometry", "kind", "lies", "loose", "moves", "number",
        "read", "rebound", "reshaped", "shape", "shared", "steady", "strict", "strides", "sure", "usual",
        "value",
    )  # fmt: skip

    def __init__(
        self,
        value: ValueId,
        cell: CellId | None,
        strict: bool,
        among: Leaves,
    ) -> None:
        self._among = among
        self._restless = False
        self.shared = False
        self.value = value
        self.cell = cell
        self.strict = strict
        self.number = self.read = -1
        self.steady = False
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

    def accept(self, storage: Any, tensor: torch.Tensor, taken: Vars) -> bool:
        """Whether `tensor` may be this leaf in the call that is under way, which has not read it yet.

        Args:
            taken: What the same operation has read before it.
        """
        if tensor.dtype is not self.dtype or kind_of(tensor) != self.kind:
            return False
        geometry = geometry_of(tensor)
        other = self.is_otherwise(tensor, geometry)
        if other and self.strict:
            return False
        if not self.moves and not self.strict and (other or is_part(tensor)):
            return False  # from now on it must be looked at where it is read again
        usual = self.usual() is storage
        if (self.strict and not usual) or self._among.is_known(storage):
            return False
        if any(known() is storage for known in taken):
            return False
        self._lie(geometry)
        if other:
            self.reshaped = True
            self._among.moved.append(self)
        if not usual:
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
        self.settle()

    def bind(self, storage: Any) -> None:
        """From now on this leaf usually is that storage."""
        other = self._among.homes.get(id(storage))
        if other is not None and other is not self and other.usual() is storage:
            self.shared = other.shared = True
            other.sure = gone
            other.settle()
        self._among.homes[id(storage)] = self
        self._restless |= self.usual is not gone
        self.usual = weakref.ref(storage)
        self.sure = gone if self.shared else self.usual
        self.settle()

    def move(self) -> None:
        """From now on it may lie otherwise each time."""
        self.moves = True
        self.settle()

    def settle(self) -> None:
        """Say whether it is steady, once more."""
        self.steady = (
            self.cell is not None
            and self.geometry is not None
            and not (self.loose or self.moves or self.shared)
            and (self.strict or not self._restless)
            and self.is_plain
        )
        if self.number >= 0:
            self._among.blank[self.number] = self.sure if self.steady else gone

    @property
    def is_plain(self) -> bool:
        """Whether its type alone says how its bytes are read."""
        return self.kind == str(self.dtype).removeprefix("torch.") and "complex" not in self.kind


class Place:
    """A node, and what it is wired to.

    Attributes:
        reads: For each input, its variable's number.
        leaves: (input, leaf) where a leaf that is not steady is read for the first time.
        asks: For an input that is a leaf, whether it asks for a gradient; only where that matters.
        makes: (output, variable) for each output with memory of its own.
        turns: (variable, variable): the number of what it writes or views, before and after it.
        odd: Its outputs may not be as its node declares: it was reached in another shape.
        values: For each input, its value: the node's own wiring, or another one.
        ran: Its number among the variables: that it has run; -1 when nobody asks.
        after: Places that must have run: they made those of its values that lie just like earlier ones.
        through: (input, value) for each input that lies otherwise than its value: as that one does.
        parts: (input, leaf) for each of them that lies as a leaf does, and as nothing known before it.
        wiring: As it was declared; None where it is the node's own.
        children: What came next, the latest first; `before`: the places whose child it is.
        run: Recognises the operation, runs it and writes its row; None: the slow side has to see it first.
        next: What to call when the next operation comes: the first child's `run`, or `otherwise`.
        otherwise: The dispatch mode's own way, for everything that can't be expected.
        ends: Whether some call ended here.
        links: The autograd nodes that it made: number, counted from autograd's when it ran, and name.
        region: The first places of the checkpoints and custom Functions that it is in, outermost first.
        belongs: In which contexts it was found to be part of the call under way, and of its phase.
        tells: There is another node that reads the same in a backward: only autograd tells them apart.
    """

    __slots__ = (
        "after", "ambiguous", "asks", "before", "belongs", "children", "ends", "leaves", "links", "makes",
        "next", "node", "odd", "otherwise", "parts", "ran", "reads", "region", "run", "tells", "through",
        "turns", "values", "wiring",
    )  # fmt: skip

    def __init__(self, node: Node, otherwise: Run | None) -> None:
        self.node = node
        self.children: list[Place] = []
        self.before: dict[Place, None] = {}
        self.run: Run | None = None
        self.otherwise = otherwise
        self.next: Run | None = otherwise
        self.ends = False
        self.reads: tuple[int, ...] = ()
        self.leaves: tuple[tuple[int, Leaf], ...] = ()
        self.asks: dict[int, bool] = {}
        self.ran = -1
        self.after: tuple[int, ...] = ()
        self.ambiguous: dict[int, Any] = {}  # by input, a variables.Where
        self.odd = False
        self.makes: tuple[tuple[int, int], ...] = ()
        self.turns: tuple[tuple[int, int], ...] = ()
        self.values: tuple[ValueId | None, ...] = ()
        self.through: tuple[tuple[int, ValueId], ...] = ()
        self.parts: tuple[tuple[int, Leaf], ...] = ()
        self.wiring: WiringId | None = None
        self.links: tuple[tuple[int, str], ...] = ()
        self.region: tuple[Place, ...] = ()
        self.belongs: set[Any] = set()
        self.tells = False

    def lies_like(self, read: int) -> ValueId | None:
        """The value that an input lies like."""
        return next((value for k, value in self.through if k == read), self.values[read])

    def lying_in(self, moves: Callable[[ValueId | None], bool]) -> set[int]:
        """Which of its outputs are in the memory of an input that is, or lies like, a value that moves."""
        node = self.node
        inputs = {k for k in range(len(self.values)) if moves(self.lies_like(k))}
        if not inputs:
            return set()
        views = {output for output, base in enumerate(node.views) if base in inputs}
        return views | {output for read, output in node.writes if read in inputs}

    def expect(self, child: Place | None = None) -> None:
        """Say again what comes next, when that has changed; `child` becomes the first to be tried."""
        if child is not None and (not self.children or self.children[0] is not child):
            if self in child.before:
                self.children.remove(child)
            child.before[self] = None
            self.children.insert(0, child)
            for other in self.children[MOST_CHILDREN:]:
                del other.before[self]
            del self.children[MOST_CHILDREN:]
        first = self.children[0].run if self.children and not self.ends else None
        self.next = first if first is not None else self.otherwise

    def renew(self, run: Run | None = None) -> None:
        """The function that recognises this place is this one; None: it has to be made again."""
        self.run = run
        for place in self.before:
            place.expect()

    def take_apart(self) -> None:
        """It is not on any way any more; what is behind it may still be asked."""
        self.children, self.before = [], {}
        self.run = self.next = self.otherwise = None


class Way:
    """A way through a step: the places of a call that has ended, and what is known of such calls.

    Attributes:
        shapes: By digest, those that its outputs have had.
        again: It was taken more than once.
        writers: As `last_writers` gives them, once it was.
    """

    __slots__ = ("again", "graph", "places", "shapes", "writers")

    def __init__(self, graph: GraphId, places: list[Place]) -> None:
        self.graph = graph
        self.places = places
        self.shapes: dict[bytes, int] = {}
        self.again = False
        self.writers: list[tuple[int, int, int]] | None = None


def last_writers(places: Sequence[Place]) -> list[tuple[int, int, int]]:
    """Of every variable made or written: its last number, the position and output of its last writer."""
    writers: dict[int, tuple[int, int]] = {}
    for position, place in enumerate(places):
        for output, number in place.makes:
            writers[number] = (position, output)
        if place.turns:
            turned = dict(place.turns)
            for number, new in place.turns:
                if number in writers:
                    writers[new] = writers.pop(number)
            for read, output in place.node.writes:
                number = place.reads[read]
                writers[turned.get(number, number)] = (position, output)
    return [(number, position, output) for number, (position, output) in writers.items()]
