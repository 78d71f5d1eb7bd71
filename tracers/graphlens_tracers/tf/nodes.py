"""The nodes of what runs eagerly: which operation it is, what it reads, and what it gives a new content."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from graphlens_tracers.events import (
    Bound,
    CallId,
    GraphId,
    LeafSeen,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    Seq,
    ShapesSeen,
    Spec,
    ValueId,
    WiringId,
    WiringSeen,
)
from graphlens_tracers.localnames import frame_at, locals_of, shows_locals
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building, State
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.forms import eager_form
from graphlens_tracers.tf.function import DATA, Given, Module
from graphlens_tracers.tf.handles import WRITES
from graphlens_tracers.tf.numerics import WIDTH, Ranged, how_of
from graphlens_tracers.tf.stream import Stack
from graphlens_tracers.tf.ways import Step

MOST_NODES = 1 << 17
"""Nodes that are remembered; then they are declared anew."""
MOST_SHAPES = 64
"""Shapes of one graph that are told apart; of the calls after that they are as declared."""
Shape = tuple[int, ...]
_SEEDS = ("seed", "seed2")
_AFTER_GRADIENTS = (Phase.BACKWARD, Phase.OPTIMIZER)


class Operation(NamedTuple):
    """An operation that ran eagerly.

    Attributes:
        name: Its type; `attributes`: their names and values in turn.
        given: What the script gave it where it has read tensors: numbers, arrays, variables.
        calls: The graph that it enters; `written`: which inputs are variables that this gives a new content.
        arguments: What they are in that graph, as far as is known.
    """

    name: str
    attributes: tuple[Any, ...]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    given: Sequence[Any] = ()
    calls: GraphId | None = None
    written: Sequence[int] = ()
    arguments: Sequence[Given] = ()


class Node:
    """A place in the program where an operation runs.

    Attributes:
        place: What tells it from others, but for the how many-th such it is in a call: its type, attributes,
            stack, phase, layer, the operation it differentiates, and the graph that it enters.
        attributes, said: As they were when it was declared; `said` is the phase that was under way.
        slots: How many its ranges take; `ranged`: its outputs that are looked at, and how.
        inputs: What it was declared to read; `wirings`: by what it reads otherwise.
        specs: Of its outputs, as declared; `shapes`: those of what it makes.
        leaves: By input: the leaf that it reads there when nobody in the call has made it.
        writes: The variables that it gives a new content: their input, and the value that is this content.
    """

    __slots__ = (
        "attributes",
        "id",
        "inputs",
        "leaves",
        "outputs",
        "place",
        "ranged",
        "said",
        "shapes",
        "slots",
        "specs",
        "wirings",
        "writes",
    )  # fmt: skip

    def __init__(self, node: NodeId, place: tuple[Any, ...], ran: Operation, said: Phase) -> None:
        self.id = node
        self.place = place
        self.attributes = ran.attributes
        self.said = said
        self.slots = 0
        self.ranged: tuple[tuple[int, Ranged], ...] = ()
        self.inputs: tuple[ValueId, ...] = ()
        self.outputs: list[ValueId] = []
        self.specs: list[Spec] = []
        self.shapes: tuple[Shape, ...] = ()
        self.leaves: dict[int, ValueId] = {}
        self.wirings: dict[tuple[ValueId, ...], WiringId] = {}
        self.writes: list[tuple[int, ValueId]] = []

    @property
    def phase(self) -> Phase:
        """Which part of the step it is."""
        phase: Phase = self.place[3]
        return phase

    def is_of(self, ran: Operation, stack: Stack, state: State) -> bool:
        """Whether it is the node of an operation, if that reads what it reads."""
        name, _, at, _, layer, twin, calls = self.place
        return (
            at is stack
            and name == ran.name
            and self.said is state.phase
            and twin == state.node
            and calls == ran.calls
            and layer == (None if state.layer is None else state.layer.key)
            and self.attributes == ran.attributes
        )


class Nodes:
    """The nodes of one thread, and what their tensors are in the call under way."""

    def __init__(self, sink: LogSink, functions: Functions, building: Building, health: bool) -> None:
        self._sink = sink
        self._functions = functions
        self._building = building
        self._health = health
        self._call = CallId(-1)
        self._setting_up = False
        self._nodes: dict[tuple[Any, ...], list[Node]] = {}
        self._by_id: dict[NodeId, Node] = {}
        self._counts: dict[tuple[Any, ...], int] = {}  # by place, in this call, without those below
        self._uncounted: list[Node] = []
        self._phases: dict[ValueId, Phase] = {}
        self._modules: dict[NodeId, Module] = {}
        self._wirings = 0
        self._shapes: list[tuple[Shape, ...]] = []  # of what each operation of this call has made
        self._varied = False  # whether any was not as declared
        self._known_shapes: dict[tuple[GraphId, tuple[tuple[Shape, ...], ...]], int] = {}
        self._variables: dict[int, ValueId] = {}
        self._values: dict[int, ValueId] = {}  # by tensor: what it is in this call
        self._made: dict[int, tuple[int, int]] = {}  # by tensor: (operation, output) that made it
        self._made_before: dict[int, tuple[int, int]] = {}

    def begin(self, call: CallId, setting_up: bool) -> bool:
        """A call begins. Gives whether nothing is known of those before it."""
        self._call, self._setting_up = call, setting_up
        self._values = self._variables.copy()
        self._counts.clear()
        self._uncounted.clear()
        self._shapes.clear()
        self._varied = False
        self._made_before, self._made = self._made, {}
        if len(self._phases) <= MOST_NODES:
            return False
        self._nodes.clear()
        self._by_id.clear()
        self._phases.clear()
        self._modules.clear()
        return True

    def find(self, ran: Operation, stack: Stack, expected: Step | None) -> tuple[Node, Step]:
        """The node of what ran where the script is, and how it is wired; `expected`: what it probably is."""
        node = None if expected is None else self._by_id.get(expected[0])
        if expected is None or node is None or not node.is_of(ran, stack, self._building.state):
            return self._search(ran, stack)
        reads = self._reads(node, ran)
        if reads != node.inputs if expected[1] is None else node.wirings.get(reads) != expected[1]:
            return self._search(ran, stack)
        self._uncounted.append(node)
        self._made_by(node, ran)
        return node, expected

    def _search(self, ran: Operation, stack: Stack) -> tuple[Node, Step]:
        state = self._building.state
        phase = self.phase(ran.name, ran.inputs)
        layer = None if state.layer is None else state.layer.key
        place = ran.name, _hashable(ran), stack, phase, layer, state.node, ran.calls
        for node in self._uncounted:
            self._counts[node.place] = self._counts.get(node.place, 0) + 1
        self._uncounted.clear()
        nth = self._counts.get(place, 0)
        self._counts[place] = nth + 1
        known = self._nodes.setdefault(place, [])
        is_new = nth >= len(known)
        if is_new:
            known.append(Node(self._functions.new_node(), place, ran, state.phase))
        node = known[nth]
        reads = self._reads(node, ran)
        if is_new:
            self._declare(node, nth, ran, reads, stack)
        wiring = None if reads == node.inputs else self._wiring(node, reads)
        self._made_by(node, ran)
        return node, (node.id, wiring)

    def _made_by(self, node: Node, ran: Operation) -> None:
        """What it made is the node's outputs from now on."""
        shapes = tuple([tensor._shape_tuple() for tensor in ran.outputs])
        self._shapes.append(shapes)
        self._varied = self._varied or shapes != node.shapes
        for slot, (tensor, value) in enumerate(zip(ran.outputs, node.outputs, strict=True)):
            self._values[tensor._id] = value
            self._made[tensor._id] = self._sink.seq, slot
        for k, content in node.writes:
            self._values[ran.inputs[k]._id] = content

    def shapes(self, graph: GraphId, nodes: Sequence[NodeId]) -> int:
        """Which shapes the call that is over has, by the nodes that it went; 0: as those were declared."""
        if not self._varied:
            return 0
        key = graph, tuple(self._shapes)
        known = self._known_shapes.get(key)
        if known is None:
            if sum(other == graph for other, _ in self._known_shapes) >= MOST_SHAPES:
                return 0
            known = self._known_shapes[key] = self._functions.new_shapes()
            specs: list[Spec] = []
            for node, shapes in zip(nodes, self._shapes, strict=True):
                declared = self._by_id[node].specs
                specs += [replace(spec, shape=shape) for spec, shape in zip(declared, shapes, strict=False)]
                specs += declared[len(shapes) :]
            self._sink.declare(ShapesSeen(known, graph, tuple(specs)))
        return known

    def replaced(self, one: Any, other: Any) -> None:
        """A tensor is from now on what another one was in this call."""
        if one._id in self._values:
            self._values[other._id] = self._values[one._id]
        if one._id in self._made:
            self._made[other._id] = self._made[one._id]

    def phase(self, name: str, inputs: Sequence[Any]) -> Phase:
        """The phase of what runs now, and reads these."""
        said = self._building.state.phase
        if name.startswith(DATA):
            return Phase.DATA
        if said is not Phase.FORWARD:
            return said
        values, phases = self._values, self._phases
        for tensor in inputs:
            value = values.get(tensor._id)
            if value is not None and phases.get(value) in _AFTER_GRADIENTS:
                return Phase.OPTIMIZER
        return Phase.OTHER if self._setting_up else Phase.FORWARD

    def _declare(
        self, node: Node, nth: int, ran: Operation, reads: tuple[ValueId, ...], stack: Stack
    ) -> None:
        functions, state = self._functions, self._building.state
        looked: list[Ranged] = [how_of(tensor) if self._health else "" for tensor in ran.outputs]
        made = [
            Output(functions.new_value(), _spec(tensor), ranged=how)
            for tensor, how in zip(ran.outputs, looked, strict=True)
        ]
        self._by_id[node.id] = node
        node.inputs = reads
        node.outputs = [output.value for output in made]
        node.shapes = tuple(tensor._shape_tuple() for tensor in ran.outputs)
        node.ranged = tuple((slot, how) for slot, how in enumerate(looked) if how)
        node.slots = sum(WIDTH[how] for _, how in node.ranged)
        writes: list[tuple[int, int]] = []
        for k in _written(ran):
            content = Output(functions.new_value(), compat.content(ran.inputs[k]))
            writes.append((k, len(made)))
            node.writes.append((k, content.value))
            made.append(content)
        node.specs = [output.spec for output in made]
        for output in made:
            self._phases[output.value] = node.phase
        module = functions.module(state.layer) if state.node is None else self._modules[state.node]
        self._modules[node.id] = module
        site = functions.site(stack.user)
        self._sink.declare(
            NodeSeen(
                node.id, f"{node.phase}/{ran.name}/{site}/{nth}", ran.name, node.phase,
                eager_form(ran.name, ran.attributes, len(reads)), reads, tuple(made),
                *module, site, writes=tuple(writes), calls=ran.calls, twin=state.node,
            )
        )  # fmt: skip

    def _wiring(self, node: Node, reads: tuple[ValueId, ...]) -> WiringId:
        known = node.wirings.get(reads)
        if known is None:
            known = node.wirings[reads] = WiringId(self._wirings)
            self._wirings += 1
            self._sink.declare(WiringSeen(known, node.id, reads))
        return known

    # ── what they read ───────────────────────────────────────────────────────────────────────

    def _reads(self, node: Node, ran: Operation) -> tuple[ValueId, ...]:
        """What it reads."""
        known = self._values
        return tuple([
            found if (found := known.get(tensor._id)) is not None else self._read(node, k, tensor, ran)
            for k, tensor in enumerate(ran.inputs)
        ])  # fmt: skip

    def _read(self, node: Node, k: int, tensor: Any, ran: Operation) -> ValueId:
        """The value that a tensor is that was not met in this call: a leaf."""
        given = ran.given
        variable = given[k] if k < len(given) and compat.is_variable(given[k]) else compat.variable_of(tensor)
        if variable is not None:
            value = self._variable(variable)
        else:
            value = self._leaf(node, k, tensor, ran)
        self._values[tensor._id] = value
        return value

    def _leaf(self, node: Node, k: int, tensor: Any, ran: Operation) -> ValueId:
        """What a node reads that nobody in this call has made."""
        before = self._made_before.get(tensor._id)
        value = node.leaves.get(k)
        if value is None:
            value = node.leaves[k] = self._functions.new_value()
            kind = _kind(tensor) if before is None else "earlier"
            spec = compat.content(tensor) if kind == "capture" else _spec(tensor)
            name = "" if kind == "capture" else _name(ran, k, tensor, node.place[2])
            self._sink.declare(LeafSeen(value, kind, name, spec))
        if before is not None:
            self._sink.declare(Bound(self._call, value, None, Seq(before[0]), before[1]))
        return value

    def _variable(self, variable: Any) -> ValueId:
        """The content of a variable as it is when the call begins, or as this call has written it."""
        handle = variable.handle
        written = self._values.get(handle._id)
        if written is not None:
            return written
        value = self._variables.get(handle._id)
        if value is None:
            value = self._variables[handle._id] = self._functions.new_value()
            known = compat.identity(variable)
            cell = self._functions.cell(known.key)
            self._sink.declare(LeafSeen(value, known.kind, known.name, compat.content(handle), cell))
        self._values[handle._id] = value
        return value


def _written(ran: Operation) -> Sequence[int]:
    """Which inputs are variables that it gives a new content."""
    if WRITES.match(ran.name):
        return [k for k, tensor in enumerate(ran.inputs) if tensor._datatype_enum() == compat.RESOURCE]
    return ran.written


def _kind(tensor: Any) -> Literal["capture", "constant", "batch"]:
    """What a tensor is that nobody was seen to make: a few whole numbers, or one number, are a constant."""
    if tensor._datatype_enum() == compat.RESOURCE:
        return "capture"
    shape = tensor._shape_tuple()
    few = not shape or (len(shape) == 1 and shape[0] <= 8 and tensor.dtype.is_integer)
    return "constant" if few else "batch"


def _name(ran: Operation, k: int, tensor: Any, stack: Stack) -> str:
    """What the script calls a tensor where it reads it: an argument, else a local name; "" for none."""
    if k < len(ran.arguments) and not ran.arguments[k].captured:
        return ran.arguments[k].shown
    frame = frame_at(stack.user[0], sys._getframe()) if stack.user else None
    names = {} if frame is None else locals_of(frame, shows_locals(frame.f_code))
    return next((name for name, held in names.items() if held is tensor), "")


def _spec(tensor: Any) -> Spec:
    return Spec(tensor._shape_tuple(), tensor.dtype.name, compat.device(tensor))


def _hashable(ran: Operation) -> Any:
    """Attributes as a part of a key: without what is another one each time, names of resources and seeds."""
    attributes = ran.attributes
    if not ran.inputs and "shared_name" in attributes:
        return ()
    if "seed2" in attributes:
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        attributes = tuple((name, value) for name, value in pairs if name not in _SEEDS)
    try:
        hash(attributes)
    except (TypeError, ValueError):
        return str(attributes)
    return attributes
