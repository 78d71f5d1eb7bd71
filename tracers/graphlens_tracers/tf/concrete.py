"""Concrete functions: what TensorFlow is about to run, as graphs of ours.

A function is noted when it is registered with the runtime, as it is then: TensorFlow goes on to add
to its graph. It is declared when it is first needed, its caller before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Literal
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
from graphlens_tracers.tf.bodies import Open, Tensor
from graphlens_tracers.tf.building import NOTHING, Building, LayerCall, State, States
from graphlens_tracers.tf.forms import form_of
from graphlens_tracers.tf.function import (
    DATA,
    FLOATS,
    Function,
    Given,
    Made,
    Module,
    in_order,
    live_of,
    spec_of,
    updates_of,
)
from graphlens_tracers.tf.handles import WRITES, Contents, Wired, handed_on, handles
from graphlens_tracers.tf.retraces import Traces, family_of

_NO_MODULE: Module = (None, None)

_TRACED = re.compile(r"__inference_(?!__backward_|Dataset_)")
"""How the names of functions begin that `tf.function` traced: not of gradients, which are made of those."""


class Functions:
    """All functions of a process, and what was declared of them."""

    def __init__(self, sink: LogSink, stacks: Stacks, health: bool) -> None:
        self._sink = sink
        self._stacks = stacks
        self._sites = Sites(sink.declare, sink.run)
        self._health = health
        self.known: dict[str, Function] = {}
        self.telling = False
        """Whether a debugger may ask where operations stand."""
        self._of_graph: dict[int, Function] = {}
        self._graphs = self._nodes = self._values = self._shapes = 0
        self._scopes: dict[tuple[ScopeId | None, int], ScopeId] = {}
        self._calls: WeakKeyDictionary[LayerCall, tuple[ScopeId, ModuleCallId]] = WeakKeyDictionary()
        self._call_ids: dict[tuple[ModuleCallId | None, ScopeId, int], ModuleCallId] = {}
        self._cells: dict[str, CellId] = {}
        self._variables: dict[int, compat.Variable] = {}  # by handle
        self._kept: set[str] = set()  # keys of those that nobody trains
        self._families: dict[str, int] = {}
        self._traces = Traces()
        self._unreadable: set[str] = set()
        self._users_files: dict[str, bool] = {}

    # ── noted when it is registered ──────────────────────────────────────────────────────────

    def note(
        self, name: str, graph: Any, states: States, variables: dict[int, compat.Variable], atomic: Any,
        names: Sequence[str] = (),
    ) -> Function:  # fmt: skip
        """A function was registered with the runtime. Nothing of it is held: no tensor, no graph.

        Args:
            variables: Those that it captures, by `tensor_id` of the captured handle. A
                gradient captures handles of the function that it differentiates, and names none.
            atomic: What knows the source of its operations.
            names: Of its first arguments, where the script has better ones; "" where it has none.
        """
        self._variables.update(variables)
        self._kept.update(one.key for one in variables.values() if one.kind == "buffer")
        outside = {id(inner): outer for outer, inner in graph.captures}
        given = []
        for tensor, better in zip_longest(graph.inputs, names[: len(graph.inputs)]):
            outer = outside.get(id(tensor))
            is_handle = tensor.dtype.name == "resource"
            shown, key, spec = better or tensor.op.name, None, spec_of(tensor)
            if outer is not None and is_handle:
                shown, key, spec = self._variable(outer, shown)
            given.append(Given(tensor.op.name, shown, spec, outer is not None, key, is_handle))
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
                return given[0].who if given else (name, None, compat.content(handle))
            handle = handle.op.inputs[at]
        known = self._variables.get(compat.tensor_id(handle))
        return (name, None, compat.content(handle)) if known is None else (*known[:2], compat.content(handle))

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
        for one in function.given:
            function.values[Tensor(one.name, 0)] = self.new_value()
        for made in function.made:
            for slot in range(len(made.outputs)):
                function.values[Tensor(made.name, slot)] = self.new_value()
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

    def updates(self, name: str) -> set[int]:
        """Which of a function's operations are an optimizer's."""
        function = self.known.get(name)
        return function.updates if function is not None else set()

    def forget(self, name: str) -> None:
        """The runtime has it no more."""
        self.declare(name)
        function = self.known.pop(name, None)
        if function is not None and self._of_graph.get(function.graph_key) is function:
            del self._of_graph[function.graph_key]

    def _leaves(self, function: Function, is_inside: bool) -> None:
        for one in function.given:
            value = function.values[Tensor(one.name, 0)]
            kind: Literal["argument", "batch", "parameter", "buffer", "capture", "earlier"]
            kind = "argument" if is_inside else "batch"
            cell = None
            if one.kind:
                kind = one.kind
            elif one.variable is not None:
                kind = "buffer" if one.variable in self._kept else "parameter"
                cell = self.cell(one.variable)
            elif one.captured:
                kind = "capture"
            self._sink.declare(LeafSeen(value, kind, one.shown, one.spec, cell))

    def _declare_nodes(self, function: Function, entered: dict[str, GraphId]) -> list[NodeId]:
        live = live_of(function)
        sorted_ = in_order(function.made)
        order = [one for one in sorted_ if one.name in live]
        order += [one for one in sorted_ if one.name not in live]
        function.first = self._nodes
        function.live = [one.name for one in order if one.name in live]
        for one in order:
            function.nodes[one.name] = self.new_node()
        lines = function.lines
        updates = updates_of(order)
        wired = self._wired(function, sorted_, live)
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
            if self.telling:
                function.told[one.name] = (phase, lines.get(one.name, ()))
            self._declare_node(
                function, one, phase, dict(ranged), lines.get(one.name, ()), entered.get(one.name),
                wired[one.name],
            )  # fmt: skip
        return list(function.nodes.values())

    def _wired(self, function: Function, order: Sequence[Made], live: set[str]) -> dict[str, Wired]:
        """By operation, what it reads and changes."""
        contents = Contents(function.given, function.handles, function.values, self.new_value)
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
        twin = self._twin(function, state)
        module = self.module(state.layer) if state.twin is None else self._twins_module(function, state.twin)
        function.modules[one.name] = module
        function.layered = function.layered or (state.layer is not None and state.layer.layered)
        node = function.nodes[one.name]
        if function.open:
            specs = [*one.outputs, *(output.spec for output in wired.new)]
            function.specs.update((Tensor(one.name, slot), spec) for slot, spec in enumerate(specs))
        self._sink.declare(
            NodeSeen(
                node, f"{function.place}/{one.name}", one.kind, phase,
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

    def new_shapes(self) -> int:
        """An id for the shapes of a call."""
        self._shapes += 1
        return self._shapes

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
            places = [one for one in Building.made.get(call.layer, ()) if self._stacks.is_user(one[0])]
            site = self.site(places) if places else None
            self._sink.declare(ScopeSeen(scope, outer, ".".join(reversed(path)), call.kind, site))
        module_call = self._call_ids.get((outer_call, scope, call.nth))
        if module_call is None:
            module_call = self._call_ids[outer_call, scope, call.nth] = ModuleCallId(len(self._call_ids))
            self._sink.declare(ModuleCallSeen(module_call, outer_call, scope, call.nth))
        self._calls[call] = scope, module_call
        return scope, module_call
