"""Nodes: a place in the program where an operation runs, found again by its key or declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlens_tracers.events import (
    ModuleCallId,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    ScopeId,
    SiteId,
    ValueId,
)
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import Geometry, OpInfo, geometry_of, spec_of
from graphlens_tracers.pytorch.autograd import Origin
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.numerics import WIDTH, ranged_as
from graphlens_tracers.pytorch.phases import Kinds
from graphlens_tracers.pytorch.plan import Location, Node, same
from graphlens_tracers.pytorch.rounds import Round
from graphlens_tracers.pytorch.values import Values, lies_as
from graphlens_tracers.sink import LogSink

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.record import Before, Made

MOST_RANGED = 1024
"""Outputs of one operation whose ranges are kept; a list of more tensors is looked at in part."""

MOST_ALIKE = 3
"""Nodes declared for one place and form, for outputs of different shapes; more than that is variety."""


class Nodes:
    """The nodes of one thread."""

    def __init__(self, sink: LogSink, calls: Calls, values: Values, kinds: Kinds, health: bool) -> None:
        self._sink = sink
        self._calls = calls
        self._values = values
        self._kinds = kinds
        self._health = health
        self._known: dict[tuple[Any, ...], list[Node]] = {}
        self._locations: dict[Any, Location] = {}
        self._slots: dict[tuple[Any, ...], int] = {}
        self._next_node = 0
        self._next_value = 0

    def forget(self) -> bool:
        """No place is known any more; True when the nodes were too many, and are forgotten, too."""
        nodes = [node for alike in self._known.values() for node in alike]
        self._slots.clear()
        for node in nodes:
            node.places = {}
            self._number(node)
        if len(nodes) <= self._calls.room:
            return False
        self._known.clear()
        self._slots.clear()
        self._locations.clear()
        return True

    def new_value(self) -> ValueId:
        """An id that no value has yet."""
        self._next_value += 1
        return ValueId(self._next_value - 1)

    def key(self, stem: tuple[Any, ...]) -> tuple[Any, ...]:
        """The key of the next operation of this stem in the call: that it is the k-th."""
        return (*stem, self._values.counts.get(stem, 0))

    def _slot(self, key: tuple[Any, ...]) -> int:
        """The number among the variables that says that a node of this key has run."""
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = self._values.slot()
        return slot

    def _number(self, node: Node) -> None:
        nth = node.key[-1]
        node.ran = self._slot(node.key)
        node.prior = self._slot((*node.stem, nth - 1)) if nth else self._round_before(node)

    def _round_before(self, node: Node) -> int:
        """The number of the first of them when their loop was entered before; -1 where there is none."""
        now = node.stem[-1]
        if not isinstance(now, Round) or not now.nth:
            return -1
        key = (*node.stem[:-1], now._replace(nth=now.nth - 1), 0)
        return self._slot(key) if key in self._known else -1

    def node(
        self,
        stem: tuple[Any, ...],
        key: tuple[Any, ...],
        before: Before,
        site: SiteId | None,
        scope: ScopeId | None,
        module_call: ModuleCallId | None,
        origin: Origin,
        made: Made,
    ) -> Node:
        """The node of an operation that has run: a known one, or it is declared."""
        info, form = before.info, before.form
        kinds = tuple((tensor.dtype, tensor.device.type, tensor.layout) for tensor in made.results)
        shape = (form.skeleton, made.views, made.writes, kinds)
        lie = [geometry_of(tensor) for tensor in made.results]
        found = self._alike(
            [one for one in self._known.setdefault(key, []) if one.form == shape], before, lie
        )
        if found is not None:
            found.let_vary(form.scalars)
            return found
        node = Node()
        node.id = NodeId(self._next_node)
        self._next_node += 1
        node.stem, node.key, node.info, node.phase, node.form = stem, key, info, key[0], shape
        node.scope, node.module_call, node.site = scope, module_call, site
        node.twin, node.remakes, node.formula = origin.twin, origin.remakes, origin.formula
        node.scalars, node.lists, node.varying = list(form.scalars), form.lists, set()
        text = form.text
        node.token = (info.func, text)
        node.inputs, node.views, node.writes = tuple(before.values), made.views, made.writes
        node.through = tuple(sorted(before.through.items()))
        node.changes = bool(made.writes) or any(base is not None for base in made.views)
        node.grad, node.loops = before.moment.grad, before.moment.loops
        node.places = {}
        self._number(node)
        node.numbered = compat.sequence_number is not None and (
            node.grad or node.phase not in (Phase.BACKWARD, Phase.OPTIMIZER)
        )
        node.shapes = tuple(tensor.shape for tensor in made.results) if info.dynamic else None
        node.outputs = tuple(
            self._output(info, tensor, view, info.scratch[0] != at)
            for at, (tensor, view) in enumerate(zip(made.results, made.views, strict=True))
        )
        node.lies = tuple(lies_as(output.spec) for output in node.outputs)
        for k, output in enumerate(node.outputs):
            self._values.makers[output.value] = node, k
            if made.views[k] is not None:
                self._values.views[output.value] = node, k
        if sum(bool(output.ranged) for output in node.outputs) > MOST_RANGED:
            self._look_at_some(node)
        node.ranged = tuple((k, output.ranged) for k, output in enumerate(node.outputs) if output.ranged)
        self._kinds.ran(node.outputs, node.phase, self._kinds.of(before))
        node.slots = sum(WIDTH[how] for _, how in node.ranged)
        self._locate(node, before)
        self._declare(node, text)
        self._known[key].append(node)  # not before: one that could not be declared is not known
        return node

    def _alike(self, known: list[Node], before: Before, lie: list[Geometry | None]) -> Node | None:
        """The node among those of one place and form that makes what was made; None: it is a new one."""
        for node in known:
            if all(here is None or here == there for there, here in zip(node.lies, lie, strict=True)):
                return node
        if not known or self._calls.specs is not None or known[0].shapes is not None:
            return known[0] if known else None  # shapes vary in this call
        moving = self._values.moving()
        if any(
            value in moving or value in self._values.lies
            for value in (*before.values, *before.through.values())
        ):
            return known[0]
        if len(known) >= MOST_ALIKE or not all(map(same, known[0].scalars, before.form.scalars)):
            return known[0]
        return None

    def _locate(self, node: Node, before: Before) -> None:
        """How the quick side finds the user's line again: so many frames out."""
        moment = before.moment
        node.location, node.depth = None, -1
        if node.phase is not Phase.BACKWARD and moment.stack:
            (code, lasti), node.depth = moment.stack[0], moment.depth
            key = (id(code), lasti, node.module_call, node.phase, node.grad)
            node.location = self._locations.get(key)
            if node.location is None:
                node.location = self._locations[key] = Location(code, *key[1:])
        unmoduled = node.module_call is None and node.phase is not Phase.OPTIMIZER
        node.outside = unmoduled and node.location is not None

    def _declare(self, node: Node, form: str) -> None:
        if node.info.name.startswith(("c10d.", "_c10d_functional.")):
            self._sink.introduce(*compat.who())  # only those that have joined get here
        remakes = node.remakes.id if node.remakes is not None else None
        twin = node.twin.id if node.twin is not None else None
        words = (
            node.phase,
            node.info.name,
            node.site,
            node.module_call,
            twin,
            "grad" if node.grad else "",
            node.formula,
            remakes,
            node.key[-1],
            *node.stem[8:],
        )
        self._sink.declare(
            NodeSeen(
                node.id,
                "|".join("" if word is None else str(word) for word in words),
                node.info.name,
                node.phase,
                form,
                node.inputs,
                node.outputs,
                node.scope,
                node.module_call,
                node.site,
                node.writes,
                twin=twin,
                remakes=remakes,
                formula=node.formula,
                through=node.through,
            )
        )

    def _look_at_some(self, node: Node) -> None:
        kept = 0
        outputs: list[Output] = []
        for output in node.outputs:
            kept += bool(output.ranged)
            outputs.append(output if kept <= MOST_RANGED else Output(output.value, output.spec, output.alias))
        node.outputs = tuple(outputs)
        self._sink.gap(
            "sampled", f"{node.info.name}: only the first {MOST_RANGED} of its outputs are looked at"
        )

    def _output(self, info: OpInfo, tensor: Any, view: int | None, whole: bool) -> Output:
        # Where data from outside, or from other ranks, is first seen.
        own = view is None or info.name.startswith(("aten.lift_fresh", "_c10d_functional.wait_tensor"))
        looks = self._health and info.looks and own and whole
        return Output(self.new_value(), spec_of(tensor), view, ranged_as(tensor) if looks else "")
