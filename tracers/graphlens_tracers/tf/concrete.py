"""Concrete functions: what TensorFlow is about to run, as graphs of ours.

A function is noted when it is registered with the runtime, as it is then: TensorFlow goes on to add
to its graph. It is declared when it is first needed, its caller before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from graphlens_tracers.events import (
    CellId,
    GraphGrew,
    GraphId,
    GraphSeen,
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    ScopeId,
    ScopeSeen,
    SiteId,
    Spec,
    ValueId,
)
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Line, Place, Sites, Stacks
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER, Tensor
from graphlens_tracers.tf.building import NOTHING, LayerCall, State, States
from graphlens_tracers.tf.forms import form_of

FLOATS = {
    "half": "f4", "bfloat16": "f4", "float32": "f4", "complex64": "f4", "float16": "f4",
    "float64": "f8", "complex128": "f8",
}  # fmt: skip
"""How ranges of a type are stored: as what holds them exactly."""
DATA = ("Iterator", "MakeIterator", "OptionalFromValue", "OptionalGetValue")
"""How types begin that fetch the next batch."""
WRITES = re.compile(
    r"^(Assign((Add|Sub)?|\w*VariableOp)$|(Resource)?(Sparse)?Apply[A-Z]|(Resource)?Scatter\w*(Add|Sub|Update|Mul|Div|Min|Max)$)"
)
"""Types that change a variable."""
Module = tuple[ScopeId | None, ModuleCallId | None]
_NO_MODULE: Module = (None, None)
_NUMBERED = re.compile(
    r"^((?:__(?:inference|forward|backward)_)*)(.*?)(?:_\d+)*(?:_rewritten)?(_grad)?(?:_\d+)*$"
)


class Given(NamedTuple):
    """A tensor that a function is given.

    Attributes:
        name: Of its placeholder; `shown`: what a person calls it.
        captured: Whether it is none of the function's arguments.
        variable: The key of the variable that it is; None for anything else.
        kind: Which kind of leaf it is, where that does not follow from the others.
    """

    name: str
    shown: str
    spec: Spec
    captured: bool
    variable: str | None
    kind: Literal["", "batch", "earlier"] = ""


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
        outputs: Operations whose results or side effects are wanted.
        lines: The user's frames of each operation, innermost first.
        kind: Which of both it is.
        family: What it is called; "": as follows from its name.
        place: What the keys of its nodes begin with; "": its name.
        looked: The tensors that are looked at; None: all that are made of numbers.
        live: Names of the operations that run, in order; their nodes are `first` and so on.
        ranged: For each of those, the outputs that are looked at: (slot, "f4" or "f8").
        nodes: By operation; `modules`: the same; `values`: by tensor.
        trains: Whether it computes gradients or changes what is trained; `layered`: whether it has layers.
        inner: Functions that it enters: (operation, attribute, function).
    """

    name: str
    graph_key: int
    made: list[Made]
    given: list[Given]
    outputs: list[str]
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
    modules: dict[str, Module] = field(default_factory=dict)
    values: dict[Tensor, ValueId] = field(default_factory=dict)
    trains: bool = False
    layered: bool = False

    def __post_init__(self) -> None:
        match = _NUMBERED.match(self.name)
        if not self.family and match is not None and match[2]:
            self.family = match[2] + (match[3] or "") + (".backward" if "backward" in match[1] else "")
        self.family = self.family or self.name
        self.place = self.place or self.name
        self.names = [one.name for one in self.made]
        self.inner = [
            (one.name, attribute, function.name)
            for one in self.made
            for attribute in INNER.get(one.kind, ())
            for function in compat.functions(one.definition.attr[attribute])
        ]


class Functions:
    """All functions of a process, and what was declared of them."""

    def __init__(self, sink: LogSink, stacks: Stacks, health: bool) -> None:
        self._sink = sink
        self._stacks = stacks
        self._sites = Sites(sink.declare, sink.run)
        self._health = health
        self.known: dict[str, Function] = {}
        self._of_graph: dict[int, Function] = {}
        self._graphs = self._nodes = self._values = 0
        self._scopes: dict[tuple[ScopeId | None, int], ScopeId] = {}
        self._calls: WeakKeyDictionary[LayerCall, tuple[ScopeId, ModuleCallId]] = WeakKeyDictionary()
        self._call_ids: dict[tuple[ModuleCallId | None, ScopeId, int], ModuleCallId] = {}
        self._cells: dict[str, CellId] = {}
        self._families: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._users_files: dict[str, bool] = {}

    # ── noted when it is registered ──────────────────────────────────────────────────────────

    def note(
        self, name: str, graph: Any, states: States, variables: dict[int, tuple[str, str]], atomic: Any
    ) -> Function:
        """A function was registered with the runtime. Nothing of it is held: no tensor, no graph.

        Args:
            variables: (name, key) of those that it captures, by `id` of the captured handle.
            atomic: What knows the source of its operations.
        """
        outside = {id(inner): outer for outer, inner in graph.captures}
        given = []
        for tensor in graph.inputs:
            outer = outside.get(id(tensor))
            spec = (
                compat.content(outer)
                if outer is not None and tensor.dtype.name == "resource"
                else spec_of(tensor)
            )
            shown, key = variables.get(id(outer), (tensor.op.name, None))
            given.append(Given(tensor.op.name, shown, spec, outer is not None, key))
        placeholders = {one.name for one in given}
        made = [
            Made(
                op.name, op.type, op.node_def, tuple(Tensor(t.op.name, t.value_index) for t in op.inputs),
                tuple(control.name for control in op.control_inputs), tuple(map(spec_of, op.outputs)),
                states.of(at),
            )
            for at, op in enumerate(graph.get_operations())
            if op.name not in placeholders
        ]  # fmt: skip
        outputs = [tensor.op.name for tensor in graph.outputs]
        outputs += [op.name for op in getattr(graph, "control_outputs", ())]
        function = Function(name, id(graph), made, given, outputs, self._lines(atomic))
        self.known[name] = self._of_graph[id(graph)] = function
        return function

    def _note_late(self, name: str) -> Function | None:
        """Note a function that was not made by Python, or before recording began: it has no lines."""
        if name in self._unreadable:
            return None
        graph = compat.graph_of(name)
        if graph is None:
            self._unreadable.add(name)
            return None
        function = self.note(name, graph, States([(0, NOTHING)]), {}, None)
        del self._of_graph[id(graph)]  # a graph for a moment: its `id` is another one's soon
        return function

    def _lines(self, atomic: Any) -> dict[str, tuple[Line, ...]]:
        """The user's frames of each operation, innermost first."""
        if atomic is None:
            return {}
        told = atomic.graph_debug_info
        frames: dict[Any, Line | None] = {}
        for key, frame in told.frames_by_id.items():
            file = told.files[frame.file_index]
            frames[key] = (file, frame.line, frame.func) if self._stacks.is_users_file(file) else None
        traces = {
            key: tuple(line for frame in reversed(trace.frame_id) if (line := frames.get(frame)) is not None)
            for key, trace in told.traces_by_id.items()
        }
        return {name: traces.get(key, ()) for name, key in told.name_to_trace_id.items()}

    def users(self, stack: Any) -> tuple[Line, ...]:
        """The user's frames of a stack that an operation keeps, innermost first."""
        return tuple(
            (frame.filename, frame.lineno, frame.name)
            for frame in reversed(list(stack or ()))
            if self._is_users(frame.filename)
        )

    def _is_users(self, file: str) -> bool:
        known = self._users_files.get(file)
        if known is None:
            known = self._users_files[file] = self._stacks.is_users_file(file)
        return known

    def declare_all(self) -> None:
        """Declare also what was made and has never run."""
        entered = {inner for function in self.known.values() for _, _, inner in function.inner}
        for name in [*(name for name in self.known if name not in entered), *self.known]:
            self.declare(name)

    # ── declared when it is needed ───────────────────────────────────────────────────────────

    def declare(self, name: str, parent: GraphId | None = None, attribute: str = "") -> Function | None:
        """Declare a function and those that it enters; None for one that nobody knows."""
        function = self.known.get(name) or self._note_late(name)
        if function is None or function.graph is not None:
            return function
        function.graph = self.new_graph()
        family = function.family
        nth = self._families[family] = self._families.get(family, 0) + 1
        kind: Literal["function", "session", "branch", "body"] = function.kind
        if attribute in ("cond", "body"):
            kind = "body"
        elif attribute and attribute != "f":
            kind = "branch"
        shown = family if nth == 1 else f"{family}#{nth}"
        self._sink.declare(GraphSeen(function.graph, parent, shown, kind, "topological", family=family))
        entered: dict[str, GraphId] = {}
        for operation, by, inner in function.inner:
            callee = self.declare(inner, function.graph, by)
            if callee is not None and callee.graph is not None:
                entered.setdefault(operation, callee.graph)
        self._leaves(function, parent is not None)
        nodes = self._declare_nodes(function, entered)
        self._sink.declare(GraphGrew(function.graph, tuple(nodes)))
        function.made.clear()
        function.lines.clear()
        return function

    def forget(self, name: str) -> None:
        """The runtime has it no more."""
        self.declare(name)
        function = self.known.pop(name, None)
        if function is not None and self._of_graph.get(function.graph_key) is function:
            del self._of_graph[function.graph_key]

    def _leaves(self, function: Function, is_inside: bool) -> None:
        for one in function.given:
            value = function.values[Tensor(one.name, 0)] = self.new_value()
            kind: Literal["argument", "batch", "parameter", "capture", "earlier"]
            kind = "argument" if is_inside else "batch"
            cell = None
            if one.kind:
                kind = one.kind
            elif one.variable is not None:
                kind = "parameter"
                cell = self.cell(one.variable)
            elif one.captured:
                kind = "capture"
            self._sink.declare(LeafSeen(value, kind, one.shown, one.spec, cell))

    def _declare_nodes(self, function: Function, entered: dict[str, GraphId]) -> list[NodeId]:
        live = _live(function)
        sorted_ = in_order(function.made)
        order = [one for one in sorted_ if one.name in live]
        order += [one for one in sorted_ if one.name not in live]
        function.first = self._nodes
        function.live = [one.name for one in order if one.name in live]
        for one in order:
            function.nodes[one.name] = self.new_node()
            for slot in range(len(one.outputs)):
                function.values[Tensor(one.name, slot)] = self.new_value()
        lines = function.lines
        updates = _updates(order)
        for one in order:
            ranged = tuple(
                (slot, FLOATS[spec.dtype])
                for slot, spec in enumerate(one.outputs)
                if self._health
                and one.name in live
                and spec.dtype in FLOATS
                and (function.looked is None or Tensor(one.name, slot) in function.looked)
            )
            if one.name in live:
                function.ranged.append(ranged)  # type: ignore[arg-type]  # the values of FLOATS
            phase = Phase.DATA if one.kind.startswith(DATA) else one.state.phase
            phase = Phase.OPTIMIZER if one.name in updates and phase is Phase.FORWARD else phase
            if function.kind == "function":
                function.trains = function.trains or phase in (Phase.BACKWARD, Phase.OPTIMIZER)
            elif phase is Phase.OPTIMIZER and WRITES.match(one.kind):
                # An optimizer's slots are set up by writes, too.
                function.trains = function.trains or one.name in updates or "Apply" in one.kind
            self._declare_node(
                function, one, phase, dict(ranged), lines.get(one.name, ()), entered.get(one.name)
            )
        return list(function.nodes.values())

    def _declare_node(
        self,
        function: Function,
        one: Made,
        phase: Phase,
        ranged: dict[int, str],
        lines: Sequence[Line],
        calls: GraphId | None,
    ) -> None:
        state = one.state
        twin = self._twin(function, state)
        module = self.module(state.layer) if state.twin is None else self._twins_module(function, state.twin)
        function.modules[one.name] = module
        function.layered = function.layered or module is not _NO_MODULE
        node = function.nodes[one.name]
        self._sink.declare(
            NodeSeen(
                node, f"{function.place}/{one.name}", one.kind, phase,
                form_of(one.definition, len(one.inputs)),
                tuple(function.values[tensor] for tensor in one.inputs),
                tuple(
                    Output(function.values[Tensor(one.name, slot)], spec, ranged=ranged.get(slot, ""))  # type: ignore[arg-type]  # as said
                    for slot, spec in enumerate(one.outputs)
                ),
                *module, self._sites.site_of_lines(lines),
                controls=tuple(function.nodes[name] for name in one.controls if name in function.nodes),
                calls=calls, twin=twin,
            )
        )  # fmt: skip

    def _twins_module(self, function: Function, twin: tuple[int, str]) -> Module:
        graph, name = twin
        forward = function if graph == function.graph_key else self._of_graph.get(graph)
        return forward.modules.get(name, _NO_MODULE) if forward is not None else _NO_MODULE

    def _twin(self, function: Function, state: State) -> NodeId | None:
        if state.twin is None:
            return None
        graph, name = state.twin
        forward = function if graph == function.graph_key else self._of_graph.get(graph)
        return forward.nodes.get(name) if forward is not None else None

    # ── ids, and what is declared once ───────────────────────────────────────────────────────

    def new_graph(self) -> GraphId:
        """An id for a graph."""
        self._graphs += 1
        return GraphId(self._graphs - 1)

    def new_node(self) -> NodeId:
        """An id for a node."""
        self._nodes += 1
        return NodeId(self._nodes - 1)

    def new_value(self) -> ValueId:
        """An id for a value."""
        self._values += 1
        return ValueId(self._values - 1)

    def cell(self, variable: str) -> CellId:
        """The cell of a variable, by its key."""
        return self._cells.setdefault(variable, CellId(len(self._cells)))

    def site(self, stack: list[Place]) -> SiteId | None:
        """The site of a stack, innermost first."""
        return self._sites.site(stack)

    # ── layers ───────────────────────────────────────────────────────────────────────────────

    def module(self, call: LayerCall | None) -> Module:
        """The module and the call of it that a call of a layer is."""
        if call is None:
            return _NO_MODULE
        known = self._calls.get(call)
        if known is not None:
            return known
        outer, outer_call = self.module(call.parent)
        scope = self._scopes.get((outer, call.layer))
        if scope is None:
            scope = self._scopes[outer, call.layer] = ScopeId(len(self._scopes))
            path, at = [call.name], call.parent
            while at is not None:
                path.append(at.name)
                at = at.parent
            self._sink.declare(ScopeSeen(scope, outer, ".".join(reversed(path)), call.kind))
        module_call = self._call_ids.get((outer_call, scope, call.nth))
        if module_call is None:
            module_call = self._call_ids[outer_call, scope, call.nth] = ModuleCallId(len(self._call_ids))
            self._sink.declare(ModuleCallSeen(module_call, outer_call, scope, call.nth))
        self._calls[call] = scope, module_call
        return scope, module_call


def _live(function: Function) -> set[str]:
    """The operations that outputs or side effects need: the runtime leaves out the others."""
    made = {one.name: one for one in function.made}
    ahead, found = list(function.outputs), set()
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


def _updates(made: Sequence[Made]) -> set[str]:
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
