"""The slow side: an operation that is not the expected one is named, placed, wired and declared.

A way through a step is a path in a trie of `Place`s. What runs as before costs nothing here; what
is new is declared once, as a node and as the next place of a graph.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from graphlens_tracers.events import (
    Bound,
    CellId,
    GraphGrew,
    LeafSeen,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    Rewired,
    Seq,
    SiteId,
    Spec,
    ValueId,
)
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import (
    Form,
    Geometry,
    OpInfo,
    Tensors,
    collect,
    geometry_of,
    home_of,
    is_part,
    kind_of,
    spec_before,
    spec_of,
)
from graphlens_tracers.pytorch.autograd import Links, Origin, Pending, awaited, resolve
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.numerics import WIDTH, ranged_as
from graphlens_tracers.pytorch.phases import Kinds, Moment, phase_of
from graphlens_tracers.pytorch.plan import Leaf, Leaves, Node, Place, same
from graphlens_tracers.pytorch.values import Values, Where, lies_as
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Sites, Stacks

MOST_RANGED = 1024
"""Outputs of one operation whose ranges are kept; a list of more tensors is looked at in part."""


MOST_ALIKE = 3
"""Nodes declared for one place and form, for outputs of different shapes; more than that is variety."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of an operation before it runs.

    Attributes:
        variables: For each input, its variable; None where its storage is new to this call.
        values: For each input, its value; None as above.
        through: By input, the value that it lies like, where that is not its own.
        lies: For each input, where in its storage it lies: an operation may change that.
        written: The inputs it will change in place.
        call: Its arguments, for the check that is made of them; never kept.
        homes: For each input, the storage that it has, where the operation gives it another; else None.
        number: What the next autograd node gets; its own is made already.
        followed: Whether the operation before it was new to the slow side, too.
    """

    info: OpInfo
    moment: Moment
    form: Form
    variables: list[int | None]
    values: list[ValueId | None]
    through: dict[int, ValueId]
    lies: list[Geometry | None]
    written: Tensors
    call: tuple[tuple[Any, ...], dict[str, Any]]
    homes: list[Any] | None
    number: int
    followed: bool


class Made(NamedTuple):
    """What an operation made: `views` is, for each result, the input it is a view of."""

    results: Tensors
    views: tuple[int | None, ...]
    writes: tuple[tuple[int, int], ...]
    makes: tuple[tuple[int, int], ...]


class Recorder:
    """Declares nodes, leaves and graphs, and keeps the trie."""

    def __init__(self, sink: LogSink, modules: Modules, stacks: Stacks, calls: Calls, health: bool) -> None:
        self.sink = sink
        self.modules = modules
        self.stacks = stacks
        self.calls = calls
        self.values = Values()
        self.kinds = Kinds(modules)
        self.sites = Sites(sink.declare, sink.run)
        self.health = health
        self._infos: dict[int, OpInfo] = {}
        self._nodes: dict[tuple[Any, ...], list[Node]] = {}
        self._next_node = 0
        self._next_value = 0
        self._next_cell = 0
        self._leaves: dict[Any, Leaf] = {}
        self._cells: dict[int, Leaf] = {}
        self.among = Leaves({}, [], [])
        self.moved = self.among.moved
        """Leaves that were taken for another storage, or another shape, than usual."""
        self.news = False
        """Whether the call that is under way had anything new in it."""
        self.states: dict[int, tuple[weakref.ref[Any], str]] = {}
        """Optimizer state by storage id, as the optimizers name it."""
        self.links = Links(calls, self.values, modules.tensor_name)
        self.pending: Pending | None = None

    def info(self, func: Any) -> OpInfo:
        """What is known of an overload."""
        known = self._infos.get(id(func))
        if known is None:
            known = self._infos[id(func)] = OpInfo(func)
        return known

    def forget(self) -> None:
        """Remember less, between two calls: no way, no memory that is gone, and in the end no node.

        A script that never does the same twice would make us remember all that it ever did.
        """
        self.calls.forget_ways()
        nodes = [node for alike in self._nodes.values() for node in alike]
        for node in nodes:
            node.places.clear()
        if len(nodes) > self.calls.room:
            self._nodes.clear()
            self.kinds.forget()
            self._leaves = {key: leaf for key, leaf in self._leaves.items() if leaf.usual() is not None}
            self.modules.forget()
        for known in (self._cells, self.among.homes):
            for key in [key for key, leaf in known.items() if leaf.usual() is None]:
                del known[key]
        self.states = {key: known for key, known in self.states.items() if known[0]() is not None}

    # ── before and after one operation ───────────────────────────────────────────────────────

    def before(
        self, info: OpInfo, moment: Moment, args: tuple[Any, ...], kwargs: dict[str, Any], followed: bool
    ) -> Before:
        """What is known of an operation that is about to run; `followed` as in `Before`."""
        form = Form(args, kwargs)
        variables: list[int | None] = []
        values: list[ValueId | None] = []
        through: dict[int, ValueId] = {}
        lies = [None if k in form.storages else geometry_of(t) for k, t in enumerate(form.tensors)]
        for index, tensor in enumerate(form.tensors):
            variable = self.values.variable_of(tensor)
            variables.append(variable)
            if variable is None:
                values.append(None)
                continue
            value, like = self.values.value_of(tensor, variable, lies[index])
            values.append(value)
            if like is not None:
                through[index] = like
        written = info.written(args, kwargs)
        number = compat.sequence_number() if compat.sequence_number is not None else 0
        call = args, kwargs
        homes = [home_of(tensor) for tensor in form.tensors] if info.rehomes else None
        return Before(
            info, moment, form, variables, values, through, lies, written, call, homes, number, followed
        )

    def place(self, before: Before, results: Tensors) -> Place:
        """The place of an operation that has run: a known child of the current one, or a new one."""
        self.news = True
        info, moment, form, values = before.info, before.moment, before.form, before.values
        here = self.calls.place
        differentiating = bool(self.links.engines)
        phase = phase_of(before, results, differentiating, self.calls, self.modules, self.kinds, self.values)
        origin = self.links.origin(moment, info, form, values[0] if values else None, here)
        scope, module_call = self._scope(origin)
        # Where a backward operation stands in the source is where its forward one does.
        site = None if origin.twin is not None and not origin.user else self.sites.site(moment.stack)
        nearest = moment.stack[0] if moment.stack else None
        frame = (id(nearest[0]), nearest[1]) if nearest is not None else None
        stem = (phase, id(info.func), frame, module_call, *origin.ids(), moment.grad)
        region = self.links.region(here, before.followed)
        key = (*stem, self.values.counts.get(stem, 0))
        leaves, reads = self._read_leaves(before, key)
        parts, free = self._read_parts(before, reads, leaves, key)
        made = self._results(results, before.written, form, reads)
        node = self._node(key, before, site, scope, module_call, origin, made)
        if phase is Phase.FORWARD and self.values.forward is None:
            self.kinds.begins[node.id] = moment.stack
        self._locate(node, moment, phase)
        new = {reads[index] for index, _ in leaves}
        ambiguous = {
            index: where
            for index, geometry in enumerate(before.lies)
            if reads[index] not in new
            and index not in free
            and (
                where := self.values.ambiguous(
                    geometry,
                    reads[index],
                    before.through.get(index, values[index]),
                    here.outside,
                    self.values.knows(form.tensors[index], reads[index], geometry),
                    self.calls.varied,
                )
            )
            is not None
        }
        ambiguous.update(free)
        graph_matters = phase not in (Phase.BACKWARD, Phase.OPTIMIZER)
        asks = {index: form.tensors[index].requires_grad for index, _ in leaves if graph_matters}
        through = tuple(sorted(before.through.items()))
        place = self._child(here, node, reads, leaves, asks, made.makes, values, through, ambiguous)
        place.parts = parts
        place.offsets, place.lies = self.values.offsets, self.values.lies
        lie = [geometry_of(tensor) for tensor in results]
        self._note_moves(place, results, lie)
        place.func = node.info.func
        place.before = before.number - self.calls.number
        place.evaluates = (compat.number_of(moment.node), moment.node.name()) if moment.node else None
        place.region = region
        place.compile(*before.call)
        self.values.add(place, lie)
        self._remember(place, results, form)
        self.calls.place = place
        return place

    def _note_moves(self, place: Place, results: Tensors, lie: list[Geometry | None]) -> None:
        """Which outputs do not lie where the node says: they are noted each time, or the shapes are."""
        node = place.node
        moving = {leaf.value for _, leaf in place.outside if leaf.moves}
        place.note(node.moves() | place.lying_in(self.values.lies.keys() | moving))
        for output in place.noted:
            self.values.note(node.outputs[output].value, results[output])
        if self.calls.specs is not None:
            place.odd = bool(results)  # when shapes are as declared again, these may not be
        elif node.shapes is None and not place.odd:
            place.odd = any(
                here is not None and output not in place.noted and here != lies_as(node.outputs[output].spec)
                for output, here in enumerate(lie)
            )

    def resolve(self) -> None:
        """Read the autograd nodes that the last operation made: they exist only after dispatch."""
        pending, self.pending = self.pending, None
        if pending is not None:
            resolve(pending, self.values.numbers, self.calls.number)

    def await_autograd(self, results: Tensors, written: Tensors, place: Place) -> None:
        """Remember to look for the autograd nodes of these results."""
        if results and torch.is_grad_enabled():
            self.pending = awaited(results, written, place)

    def applied(self, results: Any, since: Place) -> None:
        """A custom Function was applied: its node is made by the operation that made its result.

        Args:
            results: What it returned; `since`: the place before it.
        """
        self.resolve()
        place = self.calls.place
        if self.values.at is not place:
            return  # it ran as before: its node is known
        inner = place.path(since)
        found: Tensors = []
        collect(results, found)
        for tensor in found:
            node = compat.node_of(tensor)
            variable = self.values.variable_of(tensor)
            if node is None or variable is None or not inner:
                continue
            value, _ = self.values.value_of(tensor, variable, geometry_of(tensor))
            makers = [at for at in inner if any(output.value == value for output in at.node.outputs)]
            self.values.numbers.link(
                makers[-1] if makers else place, compat.number_of(node) - self.calls.number, node.name()
            )

    # ── which module ───────────────────────────────────

    def _scope(self, origin: Origin) -> tuple[Any, Any]:
        forward = origin.twin or origin.remakes
        if forward is not None:
            return forward.scope, forward.module_call
        current = self.modules.current
        return current.scope, current.id

    # ── inputs ───────────────────────────────────────────────────────────────────────────────

    def _read_leaves(self, before: Before, key: tuple[Any, ...]) -> tuple[list[tuple[int, Leaf]], list[int]]:
        leaves: list[tuple[int, Leaf]] = []
        variables, values, lies = before.variables, before.values, before.lies
        for index, tensor in enumerate(before.form.tensors):
            if variables[index] is not None:
                continue
            home = before.homes[index] if before.homes is not None else home_of(tensor)
            again = self.values.variable_at(home)  # the same new tensor twice in one operation
            if again is not None:
                variables[index] = again
                first = next(k for k in range(index) if variables[k] == again)
                values[index] = values[first]
                continue
            leaf = self._leaf(tensor, home, key, index, lies[index])
            self.kinds.made(leaf.value, self.kinds.of_leaf(tensor))
            variables[index] = self.values.make(home)
            values[index] = leaf.value
            leaves.append((index, leaf))
        return leaves, [variable for variable in variables if variable is not None]

    def _read_parts(
        self, before: Before, reads: list[int], leaves: list[tuple[int, Leaf]], key: tuple[Any, ...]
    ) -> tuple[list[tuple[int, Leaf]], dict[int, Where]]:
        """Inputs that lie in memory from outside, but not where it was seen so far."""
        parts: list[tuple[int, Leaf]] = []
        free: dict[int, Where] = {}  # those that may be another part each time
        first = {reads[index]: before.lies[index] for index, _ in leaves}
        for index, tensor in enumerate(before.form.tensors):
            variable, geometry = reads[index], before.lies[index]
            if variable in first:
                if geometry == first[variable] or geometry is None:
                    continue
            elif index in before.through or not self.values.is_part(variable, geometry):
                continue
            known = next(
                (leaf for k, leaf in parts if reads[k] == variable and before.lies[k] == geometry), None
            )
            if known is None:
                if variable in first or self.values.is_free(variable):
                    known = self._part(tensor, (key, index), geometry)
                    free[index] = Where(part=known, shape=tuple(tensor.shape), kind=kind_of(tensor))
                else:
                    known = self._part(tensor, (before.values[index], geometry), geometry)
                parts.append((index, known))
            before.through[index] = known.value
        return parts, free

    def _part(self, tensor: torch.Tensor, where: Any, geometry: Geometry | None) -> Leaf:
        key: Any = (("part", where), kind_of(tensor), 0)
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._leaves[key] = Leaf(self._value(), None, False, self.among)
            leaf.declared_as(tensor, geometry)
            self.sink.declare(LeafSeen(leaf.value, "earlier", "", spec_before(tensor, geometry)))
        leaf.lies = geometry
        return leaf

    def _leaf(
        self, tensor: torch.Tensor, home: Any, key: tuple[Any, ...], index: int, geometry: Geometry | None
    ) -> Leaf:
        known = self._cells.get(id(home))
        if known is not None and known.usual() is home:
            if known.geometry == geometry:
                known.lies = geometry
                return known
            return self._view_of(known, tensor, home, geometry)
        named = self.modules.tensor_name(tensor)
        where: Any = ("named", *named) if named is not None else ("place", key, index)
        producer = self.calls.producer(home)
        again = 0
        leaf = self._leaves.get((where, kind_of(tensor), again))
        while leaf is not None and leaf.value in self.values.leaves:
            again += 1  # that one is another storage in this call
            leaf = self._leaves.get((where, kind_of(tensor), again))
        if leaf is None:
            leaf = self._declare_leaf(tensor, spec_before(tensor, geometry), home, named, producer)
            self._leaves[where, kind_of(tensor), again] = leaf
        elif leaf.usual() is not home and producer is not None:
            self.sink.declare(Bound(self.calls.call, leaf.value, leaf.cell, Seq(producer[0]), producer[1]))
        leaf.bind(home)
        leaf.lies = geometry
        if not leaf.moves and not leaf.strict and (is_part(tensor) or leaf.is_otherwise(tensor, geometry)):
            leaf.moves = True
            self.calls.root.distrust(leaf)
        if leaf.shape is None:
            leaf.declared_as(tensor, geometry)
        elif leaf.is_otherwise(tensor, geometry):
            self.calls.reshape(self.calls.place)
        if leaf.cell is not None:
            self._cells[id(home)] = leaf
        return leaf

    def _view_of(self, whole: Leaf, tensor: torch.Tensor, home: Any, geometry: Any) -> Leaf:
        """A part of a storage that outlives a call, read where another part is known already."""
        where = ("view", whole.value, geometry)
        leaf = self._leaves.get((where, tensor.dtype, 0))
        if leaf is None:
            leaf = self._leaves[where, tensor.dtype, 0] = Leaf(
                self._value(), whole.cell, whole.strict, self.among
            )
            leaf.loose = leaf.moves = True
            leaf.declared_as(tensor, geometry)
            spec = spec_before(tensor, geometry)
            self.sink.declare(LeafSeen(leaf.value, "earlier", "", spec, whole.cell))
        leaf.lies = geometry
        leaf.bind(home)
        return leaf

    def _declare_leaf(
        self,
        tensor: torch.Tensor,
        spec: Spec,
        home: Any,
        named: tuple[str, str] | None,
        producer: tuple[int, int] | None,
    ) -> Leaf:
        kind, name = named if named is not None else self._kind(tensor, home, producer)
        cell = None
        if kind in ("parameter", "buffer", "state", "earlier"):
            cell = CellId(self._next_cell)
            self._next_cell += 1
        leaf = Leaf(self._value(), cell, named is not None, self.among)
        leaf.loose = kind in ("batch", "earlier")
        self.sink.declare(LeafSeen(leaf.value, kind, name, spec, cell))  # type: ignore[arg-type]  # kinds above
        if producer is not None:
            self.sink.declare(Bound(self.calls.call, leaf.value, cell, Seq(producer[0]), producer[1]))
        return leaf

    def _kind(self, tensor: torch.Tensor, home: Any, producer: tuple[int, int] | None) -> tuple[str, str]:
        state = self.states.get(id(home))
        if state is not None and state[0]() is home:
            return "state", state[1]
        if tensor.requires_grad and tensor.is_leaf:
            return "parameter", ""
        if producer is not None:
            return "earlier", ""
        return ("constant" if tensor.dim() == 0 else "batch"), ""

    # ── outputs ──────────────────────────────────────────────────────────────────────────────

    def _results(self, results: Tensors, written: Tensors, form: Form, reads: list[int]) -> Made:
        """Which results are views, which were written in place, and which have memory of their own."""
        written_as = {id(w) for w in written}
        written_at: dict[int, int] = {}
        for k, tensor in enumerate(form.tensors):
            if id(tensor) in written_as:
                written_at[id(tensor)] = k  # one operation may write several views of one storage
                written_at.setdefault(-1 - reads[k], k)
        read_at: dict[int, int] = {}
        for k, read in enumerate(reads):
            read_at.setdefault(read, k)
        views: list[int | None] = []
        writes: list[tuple[int, int]] = []
        makes: list[tuple[int, int]] = []
        for output, tensor in enumerate(results):
            variable = self.values.variable_of(tensor)
            views.append(None)
            if variable is None:
                makes.append((output, self.values.make(home_of(tensor))))
            elif (given := written_at.get(id(tensor), written_at.get(-1 - variable))) is not None:
                writes.append((given, output))
            else:
                views[-1] = read_at.get(variable)
        return Made(results, tuple(views), tuple(writes), tuple(makes))

    def _node(
        self,
        key: tuple[Any, ...],
        before: Before,
        site: SiteId | None,
        scope: Any,
        module_call: Any,
        origin: Origin,
        made: Made,
    ) -> Node:
        info, form = before.info, before.form
        kinds = tuple((tensor.dtype, tensor.device.type, tensor.layout) for tensor in made.results)
        shape = (form.skeleton, made.views, made.writes, kinds)
        lie = [geometry_of(tensor) for tensor in made.results]
        found = self._alike(
            [one for one in self._nodes.setdefault(key, []) if one.form == shape], before, lie
        )
        if found is not None:
            found.let_vary(form.scalars)
            return found
        node = Node()
        node.id = NodeId(self._next_node)
        self._next_node += 1
        node.key, node.info, node.phase, node.form = key, info, key[0], shape
        node.scope, node.module_call, node.site = scope, module_call, site
        node.twin = origin.twin.id if origin.twin is not None else None
        node.remakes, node.formula = origin.remakes, origin.formula
        node.scalars, node.lists, node.varying = list(form.scalars), form.lists, set()
        node.inputs, node.views, node.writes = tuple(before.values), made.views, made.writes
        node.through = tuple(sorted(before.through.items()))
        node.grad = before.moment.grad
        node.shapes = tuple(tensor.shape for tensor in made.results) if info.dynamic else None
        node.outputs = tuple(
            self._output(info, tensor, view) for tensor, view in zip(made.results, made.views, strict=True)
        )
        if sum(bool(output.ranged) for output in node.outputs) > MOST_RANGED:
            self._look_at_some(node)
        node.ranged = tuple((k, output.ranged) for k, output in enumerate(node.outputs) if output.ranged)
        self.kinds.ran(node.outputs, node.phase, self.kinds.of(before))
        node.slots = sum(WIDTH[how] for _, how in node.ranged)
        self._nodes[key].append(node)
        self._declare_node(node, form, key)
        return node

    def _alike(self, known: list[Node], before: Before, lie: list[Geometry | None]) -> Node | None:
        """The node among those of one place and form that makes what was made; None: it is a new one."""
        for node in known:
            if all(
                here is None or here == lies_as(o.spec) for o, here in zip(node.outputs, lie, strict=True)
            ):
                return node
        if not known or self.calls.specs is not None or known[0].shapes is not None:
            return known[0] if known else None  # shapes vary in this call
        moving = {leaf.value for _, leaf in self.calls.place.outside if leaf.moves}
        if any(
            value in moving or value in self.values.lies
            for value in (*before.values, *before.through.values())
        ):
            return known[0]
        if len(known) >= MOST_ALIKE or not all(map(same, known[0].scalars, before.form.scalars)):
            return known[0]
        return None

    def _declare_node(self, node: Node, form: Form, key: tuple[Any, ...]) -> None:
        if node.info.name.startswith(("c10d.", "_c10d_functional.")):
            self.sink.introduce(*compat.who())  # only those that have joined get here
        remakes = node.remakes.id if node.remakes is not None else None
        words = (
            node.phase,
            node.info.name,
            node.site,
            node.module_call,
            node.twin,
            "grad" if node.grad else "",
            node.formula,
            remakes,
            key[-1],
        )
        self.sink.declare(
            NodeSeen(
                node.id,
                "|".join("" if word is None else str(word) for word in words),
                node.info.name,
                node.phase,
                form.text,
                node.inputs,
                node.outputs,
                node.scope,
                node.module_call,
                node.site,
                node.writes,
                twin=node.twin,
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
        self.sink.gap(
            "sampled", f"{node.info.name}: only the first {MOST_RANGED} of its outputs are looked at"
        )

    def _output(self, info: OpInfo, tensor: torch.Tensor, view: int | None) -> Output:
        # Where data from outside, or from other ranks, is first seen.
        own = view is None or info.name.startswith(("aten.lift_fresh", "_c10d_functional.wait_tensor"))
        looks = self.health and info.looks and own
        return Output(self._value(), spec_of(tensor), view, ranged_as(tensor) if looks else "")

    def _value(self) -> ValueId:
        self._next_value += 1
        return ValueId(self._next_value - 1)

    def _locate(self, node: Node, moment: Moment, phase: Phase) -> None:
        """How the quick side finds the user's line again: so many frames out."""
        if phase is Phase.BACKWARD or not moment.stack:
            node.code, node.lasti, node.depth = None, -1, -1
        else:
            (node.code, node.lasti), node.depth = moment.stack[0], moment.depth

    # ── the trie ─────────────────────────────────────────────────────────────────────────────

    def _child(
        self,
        here: Place,
        node: Node,
        reads: list[int],
        leaves: list[tuple[int, Leaf]],
        asks: dict[int, bool],
        makes: tuple[tuple[int, int], ...],
        values: list[ValueId | None],
        through: tuple[tuple[int, ValueId], ...],
        ambiguous: dict[int, Where],
    ) -> Place:
        for child in here.children:
            # The same operations on the same variables: then versions are the same too, and values
            # can only differ in which of two views of the same memory they name.
            if (
                child.node is node
                and child.reads == tuple(reads)
                and child.ambiguous.keys() == ambiguous.keys()
                and all(where.alike(ambiguous[k]) for k, where in child.ambiguous.items())
                and child.makes == makes
                and child.asks == asks
                and child.through == through
                and [(k, leaf.value) for k, leaf in child.leaves] == [(k, leaf.value) for k, leaf in leaves]
            ):
                for k, where in child.ambiguous.items():
                    if where.shape != ambiguous[k].shape:
                        child.ambiguous[k] = where._replace(shape=None)  # it varies
                here.expect(child)
                return child
        place = Place(node, here)
        node.places.append(place)
        place.reads, place.leaves, place.makes, place.values = (
            tuple(reads),
            leaves,
            tuple(makes),
            tuple(values),
        )
        place.outside = (*here.outside, *((reads[index], leaf) for index, leaf in leaves))
        place.ambiguous, place.asks, place.through = ambiguous, asks, through
        place.next_var = self.values.count
        here.children.insert(0, place)
        here.expect()
        place.graph = self.calls.grow(here, place)
        as_declared = place.values == node.inputs and through == node.through
        rewired = () if as_declared else (Rewired(node.id, place.values, through),)
        self.sink.declare(GraphGrew(place.graph, (node.id,), rewired))
        return place

    def _remember(self, place: Place, results: Tensors, form: Form) -> None:
        node = place.node
        made = dict(place.makes)
        written = {output: read for read, output in node.writes}
        for output, tensor in enumerate(results):
            if output in made:
                variable = made[output]
            elif output in written:
                variable = place.reads[written[output]]
            elif node.views[output] is not None:
                variable = place.reads[node.views[output] or 0]
            else:
                continue
            self.values.remember(tensor, variable, node.outputs[output].value)
        changed = {place.reads[read] for read, _ in node.writes}
        for index, leaf in place.leaves:
            if place.reads[index] not in changed:
                self.values.remember(form.tensors[index], place.reads[index], leaf.value)


def results_of(result: Any, written: Tensors) -> Tensors:
    """An operation's results: what it returned, then what it wrote and did not return."""
    found: Tensors = []
    collect(result, found)
    found.extend(tensor for tensor in written if not any(tensor is known for known in found))
    return found
