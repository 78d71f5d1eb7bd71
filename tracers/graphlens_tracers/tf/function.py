"""A function as it was when it was registered with the runtime: its operations, and what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from graphlens_tracers.events import GraphId, ModuleCallId, NodeId, Phase, ScopeId, Spec, ValueId
from graphlens_tracers.sites import Line
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER, Open, Tensor
from graphlens_tracers.tf.building import State
from graphlens_tracers.tf.handles import WRITES
from graphlens_tracers.tf.retraces import family_of

Module = tuple[ScopeId | None, ModuleCallId | None]
FLOATS = {
    "half": "f4", "bfloat16": "f4", "float32": "f4", "complex64": "f4", "float16": "f4",
    "float64": "f8", "complex128": "f8",
}  # fmt: skip
"""How ranges of a type are stored: as what holds them exactly."""
DATA = ("Iterator", "MakeIterator", "OptionalFromValue", "OptionalGetValue")
"""How types begin that fetch the next batch."""


class Given(NamedTuple):
    """A tensor that a function is given.

    Attributes:
        name: Of its placeholder; `shown`: what a person calls it.
        captured: Whether it is none of the function's arguments.
        variable: The key of the variable that it is; None for anything else.
        is_handle: Whether it stands for what outlives the call: a variable, a table.
        kind: Which kind of leaf it is, where that does not follow from the others.
    """

    name: str
    shown: str
    spec: Spec
    captured: bool
    variable: str | None
    is_handle: bool = False
    kind: Literal["", "batch", "earlier"] = ""

    @property
    def who(self) -> tuple[str, str | None, Spec]:
        """Its name, key and content."""
        return self.shown, self.variable, self.spec


class Made(NamedTuple):
    """An operation as it was when its function was registered."""

    name: str
    kind: str
    definition: Any
    inputs: tuple[Tensor, ...]
    controls: tuple[str, ...]
    outputs: tuple[Spec, ...]
    state: State


@dataclass(eq=False)
class Function:
    """A function of the runtime's, or what a session runs of a graph.

    Attributes:
        name: As the runtime has it, or one that nothing else has.
        graph_key: `id` of the graph that it was made of.
        names: Of its operations, in the order in which they were made.
        given: The tensors that it is given, in order.
        results: The tensors that it gives out, in order.
        effects: Operations that run for what they do beside.
        handles: By tensor that is a handle, which of the given ones it is.
        lines: The user's frames of each operation, innermost first.
        kind: Which of both it is.
        family: What it is called; "": as follows from its name.
        place: What the keys of its nodes begin with; "": its name.
        looked: The tensors that are looked at; None: all that are made of numbers.
        live: Names of the operations that run, in order; their nodes are `first` and so on.
        ranged: For each of those, the outputs that are looked at: (slot, "f4" or "f8").
        told: By operation, its phase and the user's frames, where a debugger may ask for them.
        nodes: By operation; `modules`: the same; `values`: by tensor.
        trains: Whether it computes gradients or changes what is trained; `layered`: whether it has layers.
        inner: Functions that it enters: (operation, attribute, function).
        because: Why it was traced, its Python function having been before.
        open: Outputs whose shapes are only known when it runs.
        specs: Of every output of every node in order, as declared; none where `open` has none.
        written: Which of the given ones are handles of variables that it changes.
        updates: Which of its operations are an optimizer's.
    """

    name: str
    graph_key: int
    made: list[Made]
    given: list[Given]
    results: list[Tensor]
    effects: list[str]
    handles: dict[Tensor, int]
    lines: dict[str, tuple[Line, ...]]
    kind: Literal["function", "session"] = "function"
    family: str = ""
    place: str = ""
    looked: frozenset[Tensor] | None = None
    live: list[str] = field(default_factory=list)
    ranged: list[tuple[tuple[int, Literal["f4", "f8"]], ...]] = field(default_factory=list)
    first: int = -1
    graph: GraphId | None = None
    nodes: dict[str, NodeId] = field(default_factory=dict)
    told: dict[str, tuple[Phase, tuple[Line, ...]]] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    values: dict[Tensor, ValueId] = field(default_factory=dict)
    trains: bool = False
    layered: bool = False
    because: str = ""
    specs: dict[Tensor, Spec] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.family = self.family or family_of(self.name)
        self.place = self.place or self.name
        self.names = [one.name for one in self.made]
        self.updates = {at for at, one in enumerate(self.made) if one.state.phase is Phase.OPTIMIZER}
        self.open = [
            Open(at, slot, len(spec.shape))
            for at, one in enumerate(self.made)
            for slot, spec in enumerate(one.outputs)
            if spec.shape is not None and None in spec.shape and spec.dtype not in ("resource", "variant")
        ]
        self.inner = [
            (one.name, attribute, function.name)
            for one in self.made
            for attribute in INNER.get(one.kind, ())
            for function in compat.functions(one.definition.attr[attribute])
        ]


def live_of(function: Function) -> set[str]:
    """The operations that outputs or side effects need: the runtime leaves out the others."""
    made = {one.name: one for one in function.made}
    ahead, found = [*(tensor.node for tensor in function.results), *function.effects], set()
    while ahead:
        name = ahead.pop()
        if name in found or name not in made:
            continue
        found.add(name)
        ahead += [tensor.node for tensor in made[name].inputs]
        ahead += made[name].controls
    return found


def in_order(made: Sequence[Made]) -> list[Made]:
    """Each operation after those that it needs; as they were made, where that is so already."""
    found: dict[str, Made] = {}
    known = {one.name: one for one in made}
    for begin in made:
        ahead = [begin]
        while ahead:
            one = ahead[-1]
            needs = [*(tensor.node for tensor in one.inputs), *one.controls]
            missing = [known[name] for name in needs if name in known and name not in found]
            if one.name in found or not missing:
                found.setdefault(one.name, ahead.pop())
            else:
                ahead += reversed(missing)
    return list(found.values())


def updates_of(made: Sequence[Made]) -> set[str]:
    """The operations that change variables by gradients: what is between them, and the writes."""
    after: set[str] = set()
    for one in made:
        follows = any(tensor.node in after for tensor in one.inputs)
        if follows or one.state.phase is Phase.BACKWARD:
            after.add(one.name)
    found: set[str] = set()
    for one in reversed(made):
        comes_after = one.state.phase is not Phase.BACKWARD and one.name in after
        if comes_after and (WRITES.match(one.kind) or one.name in found):
            found.add(one.name)
            found.update(tensor.node for tensor in one.inputs if tensor.node in after)
    return {one.name for one in made if one.name in found and one.state.phase is not Phase.BACKWARD}


# ── specs ────────────────────────────────────────────────────────────────────────────────────


def spec_of(tensor: Any) -> Spec:
    """What a tensor of a graph is; a type that ends with `_ref` is the memory of a variable."""
    shape = tensor.shape
    sizes = None if shape.rank is None else tuple(shape.as_list())
    return _spec_of(sizes, tensor.dtype, tensor.device or "cpu")


@lru_cache(1024)
def _spec_of(sizes: tuple[int | None, ...] | None, kind: Any, device: str) -> Spec:
    """The same one for all that are alike: a graph has thousands of outputs, and few kinds of them."""
    return Spec(sizes, kind.name, device)
