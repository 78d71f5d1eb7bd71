"""Concrete functions: what TensorFlow is about to run, as graphs of ours.

A function is noted when it is registered with the runtime, as it is then: TensorFlow goes on to add
to its graph. It is declared when it is first needed, its caller before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

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
    Spec,
    ValueId,
)
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Line, Sites, Stacks
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER, Open, Tensor
from graphlens_tracers.tf.building import NOTHING, LayerCall, State, States
from graphlens_tracers.tf.forms import form_of
from graphlens_tracers.tf.handles import WRITES, Contents, Wired, content_of, handed_on, handles
from graphlens_tracers.tf.retraces import Traces, family_of

FLOATS = {
    "half": "f4", "bfloat16": "f4", "float32": "f4", "complex64": "f4", "float16": "f4",
    "float64": "f8", "complex128": "f8",
}  # fmt: skip
"""How ranges of a type are stored: as what holds them exactly."""
_DATA = ("Iterator", "MakeIterator", "OptionalFromValue", "OptionalGetValue")
"""How types begin that fetch the next batch."""
Module = tuple[ScopeId | None, ModuleCallId | None]
_NO_MODULE: Module = (None, None)

_TRACED = re.compile(r"__inference_(?!__backward_|Dataset_)")
"""How the names of functions begin that `tf.function` traced: not of gradients, which are made of those."""


class Given(NamedTuple):
    """A tensor that a function is given.

    Attributes:
        name: Of its placeholder; `shown`: what a person calls it.
        captured: Whether it is none of the function's arguments.
        variable: The key of the variable that it is; None for anything else.
        is_handle: Whether it stands for what outlives the call: a variable, a table.
    """

    name: str
    shown: str
    spec: Spec
    captured: bool
    variable: str | None
    is_handle: bool

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
    """A function of the runtime's.

    Attributes:
        name: As the runtime has it; `graph_key`: `id` of the graph it was made of.
        names: Of its operations, in the order in which they were made.
        given: The tensors that it is given, in order.
        results: The tensors that it gives out, in order.
        effects: Operations that run for what they do beside.
        handles: By tensor that is a handle, which of the given ones it is.
        lines: The user's frames of each operation, innermost first.
        live: Names of the operations that run, in order; their nodes are `first` and so on.
        ranged: For each of those, the outputs that are looked at: (slot, "f4" or "f8").
        nodes: By operation; `modules`: the same; `values`: by tensor.
        trains: Whether it computes gradients or changes what is trained.
        inner: Functions that it enters: (operation, attribute, function).
        because: Why it was traced, its Python function having been before.
        open: Outputs whose shapes are only known when it runs.
        specs: Of every output of every node in order, as declared; none where `open` has none.
        written: Which of the given ones are handles of variables that it changes.
    """

    name: str
    graph_key: int
    made: list[Made]
    given: list[Given]
    results: list[Tensor]
    effects: list[str]
    handles: dict[Tensor, int]
    lines: dict[str, tuple[Line, ...]]
    live: list[str] = field(default_factory=list)
    ranged: list[tuple[tuple[int, Literal["f4", "f8"]], ...]] = field(default_factory=list)
    first: int = -1
    graph: GraphId | None = None
    nodes: dict[str, NodeId] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    values: dict[Tensor, ValueId] = field(default_factory=dict)
    trains: bool = False
    because: str = ""
    specs: dict[Tensor, Spec] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.names = [one.name for one in self.made]
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
        self._calls: dict[LayerCall, tuple[ScopeId, ModuleCallId]] = {}
        self._nth: dict[tuple[int, ModuleCallId | None, ScopeId], int] = {}
        self._call_ids: dict[tuple[ModuleCallId | None, ScopeId, int], ModuleCallId] = {}
        self._cells: dict[str, CellId] = {}
        self._variables: dict[int, tuple[str, str]] = {}  # (name, key), by handle
        self._families: dict[str, int] = {}
        self._traces = Traces()
        self._unreadable: set[str] = set()

    # ── noted when it is registered ──────────────────────────────────────────────────────────

    def note(
        self, name: str, graph: Any, states: States, variables: dict[int, tuple[str, str]], atomic: Any
    ) -> Function:
        """A function was registered with the runtime. Nothing of it is held: no tensor, no graph.

        Args:
            variables: (name, key) of those that it captures, by `tensor_id` of the captured handle. A
                gradient captures handles of the function that it differentiates, and names none.
            atomic: What knows the source of its operations.
        """
        self._variables.update(variables)
        outside = {id(inner): outer for outer, inner in graph.captures}
        given = []
        for tensor in graph.inputs:
            outer = outside.get(id(tensor))
            is_handle = tensor.dtype.name == "resource"
            shown, key, spec = tensor.op.name, None, _spec(tensor)
            if outer is not None and is_handle:
                shown, key, spec = self._variable(outer, shown)
            given.append(Given(tensor.op.name, shown, spec, outer is not None, key, is_handle))
        placeholders = {one.name for one in given}
        made = [
            Made(
                op.name, op.type, op.node_def, tuple(Tensor(t.op.name, t.value_index) for t in op.inputs),
                tuple(control.name for control in op.control_inputs), tuple(map(_spec, op.outputs)),
                states.of(at),
            )
            for at, op in enumerate(graph.get_operations())
            if op.name not in placeholders
        ]  # fmt: skip
        results = [Tensor(tensor.op.name, tensor.value_index) for tensor in graph.outputs]
        effects = [op.name for op in getattr(graph, "control_outputs", ())]
        which = handles(given, made, self.known)
        function = Function(name, id(graph), made, given, results, effects, which, self._lines(atomic))
        if atomic is not None and _TRACED.match(name):
            function.because = self._traces.because(family_of(name), atomic)
        self.known[name] = self._of_graph[id(graph)] = function
        return function

    def _variable(self, handle: Any, name: str) -> tuple[str, str | None, Spec]:
        """Name, key and content of a variable by its handle, which may be one inside of another function.

        Args:
            name: That of what is no variable, or not known.
        """
        while (made := compat.graph_name(handle)) is not None:
            at = handed_on(handle.op.node_def, int(handle.value_index), self.known)
            if at is None:
                function = self._of_graph.get(made[0])
                given = [one for one in function.given if one.name == made[1]] if function is not None else []
                return given[0].who if given else (name, None, content_of(handle))
            handle = handle.op.inputs[at]
        return *self._variables.get(compat.tensor_id(handle), (name, None)), content_of(handle)

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
        function.graph = GraphId(self._graphs)
        self._graphs += 1
        family = family_of(name)
        nth = self._families[family] = self._families.get(family, 0) + 1
        kind: Literal["function", "branch", "body"] = "function"
        if attribute in ("cond", "body"):
            kind = "body"
        elif attribute and attribute != "f":
            kind = "branch"
        shown = family if nth == 1 else f"{family}#{nth}"
        for one in function.given:
            function.values[Tensor(one.name, 0)] = self._value()
        for made in function.made:
            for slot in range(len(made.outputs)):
                function.values[Tensor(made.name, slot)] = self._value()
        self._sink.declare(
            GraphSeen(
                function.graph, parent, shown, kind, "topological", family=family,
                arguments=tuple(function.values[Tensor(one.name, 0)] for one in function.given),
                results=tuple(function.values[tensor] for tensor in function.results),
                because=function.because,
            )
        )  # fmt: skip
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

    def open_shapes(self, name: str) -> list[Open]:
        """The outputs of a function whose shapes are only known when it runs."""
        function = self.known.get(name)
        return function.open if function is not None else []

    def forget(self, name: str) -> None:
        """The runtime has it no more."""
        self.declare(name)
        function = self.known.pop(name, None)
        if function is not None and self._of_graph.get(function.graph_key) is function:
            del self._of_graph[function.graph_key]

    def _leaves(self, function: Function, is_inside: bool) -> None:
        for one in function.given:
            value = function.values[Tensor(one.name, 0)]
            kind: Literal["argument", "batch", "parameter", "capture"] = "argument" if is_inside else "batch"
            cell = None
            if one.variable is not None:
                kind = "parameter"
                cell = self._cells.setdefault(one.variable, CellId(len(self._cells)))
            elif one.captured:
                kind = "capture"
            self._sink.declare(LeafSeen(value, kind, one.shown, one.spec, cell))

    def _declare_nodes(self, function: Function, entered: dict[str, GraphId]) -> list[NodeId]:
        live = _live(function)
        sorted_ = _in_order(function.made)
        order = [one for one in sorted_ if one.name in live]
        order += [one for one in sorted_ if one.name not in live]
        function.first = self._nodes
        function.live = [one.name for one in order if one.name in live]
        for one in order:
            function.nodes[one.name] = NodeId(self._nodes)
            self._nodes += 1
        lines = function.lines
        updates = _updates(order)
        wired = self._wired(function, sorted_, live)
        for one in order:
            ranged = tuple(
                (slot, FLOATS[spec.dtype])
                for slot, spec in enumerate(one.outputs)
                if self._health and one.name in live and spec.dtype in FLOATS
            )
            if one.name in live:
                function.ranged.append(ranged)  # type: ignore[arg-type]  # the values of FLOATS
            phase = Phase.DATA if one.kind.startswith(_DATA) else one.state.phase
            phase = Phase.OPTIMIZER if one.name in updates else phase
            function.trains = function.trains or phase in (Phase.BACKWARD, Phase.OPTIMIZER)
            self._declare_node(
                function, one, phase, dict(ranged), lines.get(one.name, ()), entered.get(one.name),
                wired[one.name],
            )  # fmt: skip
        return list(function.nodes.values())

    def _wired(self, function: Function, order: Sequence[Made], live: set[str]) -> dict[str, Wired]:
        """By operation, what it reads and changes."""
        contents = Contents(function.given, function.handles, function.values, self._value)
        inside: dict[str, list[set[int]]] = {}
        for operation, _, name in function.inner:
            if name in self.known:
                inside.setdefault(operation, []).append(self.known[name].written)
        wired = {one.name: contents.pass_by(one, inside.get(one.name, ()), one.name in live) for one in order}
        function.written = contents.written
        return wired

    def _declare_node(
        self,
        function: Function,
        one: Made,
        phase: Phase,
        ranged: dict[int, str],
        lines: Sequence[Line],
        calls: GraphId | None,
        wired: Wired,
    ) -> None:
        state = one.state
        twin = self._twin(state)
        module = self._module(state.layer) if state.twin is None else self._twins_module(state.twin)
        function.modules[one.name] = module
        node = function.nodes[one.name]
        if function.open:
            specs = [*one.outputs, *(output.spec for output in wired.new)]
            function.specs.update((Tensor(one.name, slot), spec) for slot, spec in enumerate(specs))
        self._sink.declare(
            NodeSeen(
                node, f"{function.name}/{one.name}", one.kind, phase,
                form_of(one.definition, len(one.inputs)),
                wired.inputs,
                tuple(
                    Output(function.values[Tensor(one.name, slot)], spec, ranged=ranged.get(slot, ""))  # type: ignore[arg-type]  # as said
                    for slot, spec in enumerate(one.outputs)
                ) + wired.new,
                *module, self._sites.site_of_lines(lines), wired.writes,
                controls=tuple(function.nodes[name] for name in one.controls if name in function.nodes),
                calls=calls, twin=twin,
            )
        )  # fmt: skip

    def _twins_module(self, twin: tuple[int, str]) -> Module:
        graph, name = twin
        function = self._of_graph.get(graph)
        return function.modules.get(name, _NO_MODULE) if function is not None else _NO_MODULE

    def _twin(self, state: State) -> NodeId | None:
        if state.twin is None:
            return None
        graph, name = state.twin
        function = self._of_graph.get(graph)
        return function.nodes.get(name) if function is not None else None

    def _value(self) -> ValueId:
        self._values += 1
        return ValueId(self._values - 1)

    # ── layers ───────────────────────────────────────────────────────────────────────────────

    def _module(self, call: LayerCall | None) -> Module:
        if call is None:
            return _NO_MODULE
        known = self._calls.get(call)
        if known is not None:
            return known
        outer, outer_call = self._module(call.parent)
        scope = self._scopes.get((outer, call.layer))
        if scope is None:
            scope = self._scopes[outer, call.layer] = ScopeId(len(self._scopes))
            path, at = [call.name], call.parent
            while at is not None:
                path.append(at.name)
                at = at.parent
            self._sink.declare(ScopeSeen(scope, outer, ".".join(reversed(path)), call.kind))
        counted = call.trace, outer_call, scope
        nth = self._nth[counted] = self._nth.get(counted, -1) + 1
        module_call = self._call_ids.get((outer_call, scope, nth))
        if module_call is None:
            module_call = self._call_ids[outer_call, scope, nth] = ModuleCallId(len(self._call_ids))
            self._sink.declare(ModuleCallSeen(module_call, outer_call, scope, nth))
        self._calls[call] = scope, module_call
        return scope, module_call


def _live(function: Function) -> set[str]:
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


def _in_order(made: Sequence[Made]) -> list[Made]:
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
    """The operations that change variables by gradients, where no optimizer of a library does it."""
    after: set[str] = set()
    for one in made:
        follows = one.state.phase is Phase.FORWARD and any(tensor.node in after for tensor in one.inputs)
        if follows or one.state.phase is Phase.BACKWARD:
            after.add(one.name)
    found: set[str] = set()
    for one in reversed(made):
        comes_after = one.state.phase is Phase.FORWARD and one.name in after
        if comes_after and (WRITES.match(one.kind) or one.name in found):
            found.add(one.name)
            found.update(tensor.node for tensor in one.inputs if tensor.node in after)
    return {one.name for one in made if one.name in found and one.state.phase is Phase.FORWARD}


# ── specs ────────────────────────────────────────────────────────────────────────────────────


def _spec(tensor: Any) -> Spec:
    rank = tensor.shape.rank
    shape = None if rank is None else tuple(tensor.shape.as_list())
    return Spec(shape, tensor.dtype.name, tensor.device or "cpu")
