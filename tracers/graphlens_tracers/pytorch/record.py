"""The slow side: an operation that is not the expected one is named, placed, wired and declared.

What runs as before costs nothing here; what is new is declared once, as a node and, where it reads
something else than its node says, as a wiring.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple

import torch

from graphlens_tracers.events import Phase, ValueId, WiringId, WiringSeen
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.ambiguity import Ambiguity
from graphlens_tracers.pytorch.arguments import (
    Form,
    Geometry,
    OpInfo,
    Tensors,
    collect,
    geometry_of,
    home_of,
)
from graphlens_tracers.pytorch.autograd import SUM, Links, Origin, Pending, awaited, resolve
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.inputs import Inputs
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.nodes import Nodes
from graphlens_tracers.pytorch.phases import Kinds, Moment, phase_of
from graphlens_tracers.pytorch.plan import Leaf, Node, Place, ran
from graphlens_tracers.pytorch.values import Values
from graphlens_tracers.pytorch.variables import Variable, Where
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Sites, Stacks


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of an operation before it runs.

    Attributes:
        variables: For each input, its variable; None where its storage is new to this call.
        values: For each input, its value; None as above.
        through: By input, the value that it lies like, where that is not its own.
        lies: For each input, where in its storage it lies: an operation may change that.
        written: The inputs it will change in place.
        homes: For each input, the storage that it has, where the operation gives it another; else None.
        number: What the next autograd node gets; its own is made already.
        followed: Whether the operation before it was new to the slow side, too.
    """

    info: OpInfo
    moment: Moment
    form: Form
    variables: list[Variable | None]
    values: list[ValueId | None]
    through: dict[int, ValueId]
    lies: list[Geometry | None]
    written: Tensors
    homes: list[Any] | None
    number: int
    followed: bool


class Made(NamedTuple):
    """What an operation made.

    Attributes:
        views: For each result, the input it is a view of.
        homes: (result, storage) of those that have memory of their own.
    """

    results: Tensors
    views: tuple[int | None, ...]
    writes: tuple[tuple[int, int], ...]
    homes: tuple[tuple[int, Any], ...]


class Recorder:
    """Places the operations of one thread that are new, and declares what they are."""

    def __init__(self, sink: LogSink, modules: Modules, stacks: Stacks, calls: Calls, health: bool) -> None:
        self.sink = sink
        self.modules = modules
        self.stacks = stacks
        self.calls = calls
        self.values = Values(calls)
        self.ambiguity = Ambiguity(calls, self.values)
        self.kinds = Kinds(modules)
        self.sites = Sites(sink.declare, sink.run)
        self.nodes = Nodes(sink, calls, self.values, self.kinds, health)
        self.inputs = Inputs(sink, modules, calls, self.values, self.kinds, self.nodes.new_value)
        self.moved = self.inputs.among.moved
        """Leaves that were taken for another storage, or another shape, than usual."""
        self.links = Links(calls, self.values, modules.tensor_name)
        self.pending: Pending | None = None
        self.news = False
        """Whether the call that is under way had anything new in it."""
        self.newest = -1
        """How many operations ran in it before the last one that was new."""
        self._infos: dict[int, OpInfo] = {}
        self._wirings = 0
        self._alike: dict[Any, set[Node]] = {}
        """Nodes of backward operations that read the same."""
        self._somewhere: dict[Any, dict[Any, list[Node]]] = {}
        """Nodes by what can be asked about an operation without looking around, and by stem: in order."""

    def info(self, func: Any) -> OpInfo:
        """What is known of an overload."""
        known = self._infos.get(id(func))
        if known is None:
            known = self._infos[id(func)] = OpInfo(func)
        return known

    def forget(self) -> None:
        """Remember less, between two calls: no place, no memory that is gone, and in the end no node.

        A script that never does the same twice would make us remember all that it ever did.
        """
        self.calls.forget_places()
        self._alike.clear()
        self._somewhere.clear()
        self.values.clear_numbers()
        all_nodes = self.nodes.forget()
        self.inputs.forget(all_nodes)
        if all_nodes:
            self.kinds.forget()
            self.values.views.clear()
            self.values.makers.clear()
            self.modules.forget()

    def begin(self) -> None:
        """A call begins."""
        self.values.begin()
        self.news, self.newest = False, -1
        self.links.begin()

    # ── before and after one operation ───────────────────────────────────────────────────────

    def before(self, info: OpInfo, moment: Moment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Before:
        """What is known of an operation that is about to run."""
        calls = self.calls
        followed = self.values.at == len(calls.places)
        self.values.follow()
        form = Form(args, kwargs)
        variables: list[Variable | None] = []
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
        homes = [home_of(tensor) for tensor in form.tensors] if info.rehomes else None
        return Before(info, moment, form, variables, values, through, lies, written, homes, number, followed)

    def place(self, before: Before, results: Tensors) -> Place:
        """The place of an operation that has run: a known one, or a new one."""
        info, moment, form, values = before.info, before.moment, before.form, before.values
        calls, here = self.calls, self.calls.place
        self.news, self.newest = True, len(calls.places)
        differentiating = bool(self.links.engines)
        phase = phase_of(before, results, differentiating, calls, self.modules, self.kinds, self.values)
        origin = self.links.origin(moment, info, form, values[0] if values else None)
        scope, module_call = self._scope(origin)
        # Where a backward operation stands in the source is where its forward one does.
        site = None if origin.twin is not None and not origin.user else self.sites.site(moment.stack)
        nearest = moment.stack[0] if moment.stack else None
        frame = (id(nearest[0]), nearest[1]) if nearest is not None else None
        self.values.rounds.goes_on(self.values.at, moment.loops)
        about = self._about(phase, origin, before)
        stem = (phase, id(info.func), frame, module_call, *origin.ids(), moment.grad, *about)
        regions = self.links.regions(before.followed)
        key = self.nodes.key(stem)
        first = self.inputs.leaves(before, key)
        variables = [variable for variable in before.variables if variable is not None]
        parts, free = self.inputs.parts(before, variables, first, key)
        made = self._results(results, before.written, form, variables)
        node = self.nodes.node(stem, key, before, site, scope, module_call, origin, made)
        if phase is Phase.FORWARD and site is not None:
            self.kinds.stacks.setdefault(site, moment.stack)
        ambiguous = self._ambiguous(before, variables, first, free)
        through = tuple(sorted(before.through.items()))
        reads = tuple(variable.number for variable in variables)
        asks = self._asks(phase, form, variables, values)
        after = self.values.behind(before.through.get(k, value) for k, value in enumerate(values))
        lie = [geometry_of(tensor) for tensor in results]
        makes, turns, alike = self.values.add(node, variables, values, through, parts, lie, made.homes)
        leaves = tuple((index, leaf) for index, leaf in first if not leaf.steady)
        first_read = tuple((k, leaf.value) for k, leaf in leaves)
        wired = (reads, tuple(values), through, turns, first_read, *asks.items())
        place, is_new = self._find(node, wired, ambiguous)
        if is_new:
            place.reads, place.leaves, place.asks, place.parts = reads, leaves, asks, tuple(parts)
            place.makes, place.turns, place.through = makes, turns, through
            place.values, place.after = tuple(values), after
            count = len(calls.places)
            place.region = tuple(calls.places[at] if at < count else place for at in regions)
            self._declare(place)
            self._tell_apart(place)
            if sum(map(len, node.places.values())) == 1:
                self._index(node)
        if alike and place.ran < 0:
            place.ran = self.values.slot()
        self.values.alike.update((value, place) for value in alike)
        if place.ran >= 0:
            self.values.vars[place.ran] = ran
        self._note_moves(place, results, lie)
        calls.places.append(place)
        if node.numbered:
            calls.numbers.append(before.number)
        here.expect(place)
        self._remember(place, variables, results, form)
        calls.settle()
        return place

    def _about(self, phase: Phase, origin: Origin, before: Before) -> tuple[Any, ...]:
        """What else says which one of many alike an operation is, better than that it is the k-th."""
        if origin.formula == SUM and before.values[1] is not None:
            return (before.values[1],)  # what is added says which step of the sum this is
        if phase is Phase.OPTIMIZER:
            names = map(self.modules.tensor_name, before.form.tensors)
            named = next((name[1] for name in names if name is not None), None)
            loops = before.moment.loops
            return named, self.values.rounds.round(loops[0]) if loops else None
        return ()

    def _ambiguous(
        self,
        before: Before,
        variables: list[Variable],
        first: list[tuple[int, Leaf]],
        free: dict[int, Where],
    ) -> dict[int, Where]:
        """By input, where it must lie so that it can be no other view of its storage."""
        new = {index for index, _ in first}
        found: dict[int, Where] = {}
        for index, geometry in enumerate(before.lies):
            if index in free:
                continue
            variable = variables[index]
            if index in new or any(variables[k] is variable for k in new):
                continue
            where = self.ambiguity.where(
                geometry,
                variable,
                before.through.get(index, before.values[index]),
                self.values.knows(before.form.tensors[index], variable, geometry),
            )
            if where is not None:
                found[index] = where
        found.update(free)
        return found

    def _asks(
        self, phase: Phase, form: Form, variables: list[Variable], values: list[ValueId | None]
    ) -> dict[int, bool]:
        """For each leaf, whether it asks for a gradient: else it is differentiated otherwise."""
        if phase in (Phase.BACKWARD, Phase.OPTIMIZER):
            return {}
        return {
            index: form.tensors[index].requires_grad
            for index, variable in enumerate(variables)
            if variable.leaf is not None and variable.version == 0 and values[index] == variable.leaf.value
        }

    def _find(self, node: Node, wired: Any, ambiguous: dict[int, Where]) -> tuple[Place, bool]:
        """The place of a node that is wired so; True when it is a new one."""
        alike = node.places.setdefault(wired, [])
        for place in alike:
            # The same operations on the same variables: then versions are the same too, and values
            # can only differ in which of two views of the same memory they name.
            if place.ambiguous.keys() == ambiguous.keys() and all(
                where.alike(ambiguous[k]) for k, where in place.ambiguous.items()
            ):
                for k, where in place.ambiguous.items():
                    if where.shape != ambiguous[k].shape:
                        place.ambiguous[k] = where._replace(shape=None)  # it varies
                        place.renew()
                return place, False
        place = Place(node, self.calls.root.otherwise)
        place.ambiguous = ambiguous
        alike.append(place)
        self.calls.all.append(place)
        return place, True

    def _declare(self, place: Place) -> None:
        node = place.node
        self.values.reads(place)
        for index, where in place.ambiguous.items():
            value = place.lies_like(index)
            if where.offset is not None and value is not None and value in self.values.makers:
                self.values.stays(value, place, index)
        if place.values != node.inputs or place.through != node.through:
            place.wiring = WiringId(self._wirings)
            self._wirings += 1
            self.sink.declare(WiringSeen(place.wiring, node.id, place.values, place.through))

    def elsewhere(self, func: Any, args: tuple[Any, ...], frame: FrameType | None) -> Iterator[Place]:
        """Places where an operation called at this frame may be: of each kind the next in this step."""
        now = compat.current_autograd_node() if compat.current_autograd_node is not None else None
        ats: list[Any]
        if now is not None:
            found = self.links.made(now)
            ats = [now.name() if found is None else found[0].node.remakes or found[0].node]
        else:
            while frame is not None and not self.stacks.is_user(frame.f_code):
                frame = frame.f_back
            if frame is None:
                return
            names = map(self.modules.tensor_name, args)
            named = next((name[1] for name in names if name is not None), None)
            where = id(frame.f_code), frame.f_lasti, self.modules.current.id
            ats = [(*where, name) for name in dict.fromkeys((None, named))]
        for at in ats:
            for nodes in self._somewhere.get((id(func), at), {}).values():
                # Those that have run in this call are the first so many.
                nth = bisect_left(nodes, True, key=self.values.is_due)
                for node in nodes[nth:]:
                    if node.key != nodes[nth].key:
                        break
                    for places in node.places.values():
                        yield from places

    def _index(self, node: Node) -> None:
        """Let `elsewhere` find the places of a node."""
        ats: list[Any] = [node.twin or node.formula]
        if node.location is not None:
            where = id(node.location.code), node.location.lasti, node.module_call
            ats = [(*where, None)]
            if node.phase is Phase.OPTIMIZER:
                ats = [(*where, node.stem[8])]
        for at in ats:
            nodes = self._somewhere.setdefault((id(node.info.func), at), {}).setdefault(node.stem, [])
            insort(nodes, node, key=lambda known: int(known.key[-1]))

    def _tell_apart(self, place: Place) -> None:
        """Whether other nodes of backward operations read the same as this one."""
        node = place.node
        if node.location is not None:
            return
        alike = self._alike.setdefault((id(node.info.func), place.reads, node.grad), set())
        alike.add(node)
        if len(alike) > 1:
            for other in alike:
                for places in other.places.values():
                    for one in places:
                        if not one.tells:
                            one.tells = True
                            one.renew()

    def _note_moves(self, place: Place, results: Tensors, lie: list[Geometry | None]) -> None:
        """Which outputs do not lie where the node says: they are noted each time, or the shapes are."""
        node, values = place.node, self.values
        moving = values.moving()
        moves = node.moves() | place.lying_in(lambda value: value in values.lies or value in moving)
        if moves:
            values.note(node, moves)
        for output in node.noted:
            values.lie(node.outputs[output].value, results[output])
        if self.calls.specs is not None:
            place.odd = bool(results)  # when shapes are as declared again, these may not be
        elif node.shapes is None and not place.odd:
            place.odd = any(
                here is not None and output not in node.noted and here != node.lies[output]
                for output, here in enumerate(lie)
            )

    def resolve(self) -> None:
        """Read the autograd nodes that the last operation made: they exist only after dispatch."""
        pending, self.pending = self.pending, None
        if pending is not None:
            calls = self.calls
            resolve(pending, self.links.numbers.follow(calls.places, calls.numbers), calls.number)

    def await_autograd(self, results: Tensors, written: Tensors, place: Place) -> None:
        """Remember to look for the autograd nodes of these results."""
        if results and place.node.numbered and torch.is_grad_enabled():
            self.pending = awaited(results, written, place)

    def applied(self, results: Any, since: int) -> None:
        """A custom Function was applied: its node is made by the operation that made its result.

        Args:
            results: What it returned; `since`: how many operations had run before it.
        """
        self.resolve()
        calls = self.calls
        if self.newest < since:
            return  # it ran as before: its node is known
        self.values.follow()
        inner = calls.places[since:]
        found: Tensors = []
        collect(results, found)
        numbers = self.links.numbers.follow(calls.places, calls.numbers)
        for tensor in found:
            node = compat.node_of(tensor)
            variable = self.values.variable_of(tensor)
            if node is None or variable is None or not inner:
                continue
            value, _ = self.values.value_of(tensor, variable, geometry_of(tensor))
            makers = [at for at in inner if any(output.value == value for output in at.node.outputs)]
            numbers.link(makers[-1] if makers else inner[-1], compat.number_of(node), node.name())

    def _scope(self, origin: Origin) -> tuple[Any, Any]:
        """In which module, and which call of it."""
        forward = origin.twin or origin.remakes
        if forward is not None:
            return forward.scope, forward.module_call
        current = self.modules.current
        return current.scope, current.id

    def _results(self, results: Tensors, written: Tensors, form: Form, variables: list[Variable]) -> Made:
        """Which results are views, which were written in place, and which have memory of their own."""
        written_as = {id(w) for w in written}
        written_at: dict[Any, int] = {}
        for k, tensor in enumerate(form.tensors):
            if id(tensor) in written_as:
                written_at[id(tensor)] = k  # one operation may write several views of one storage
                written_at.setdefault(variables[k], k)
        read_at: dict[Variable, int] = {}
        for k, variable in enumerate(variables):
            read_at.setdefault(variable, k)
        views: list[int | None] = []
        writes: list[tuple[int, int]] = []
        homes: dict[int, tuple[int, Any]] = {}
        for output, tensor in enumerate(results):
            home = home_of(tensor)
            held = self.values.variable_at(home)
            given = written_at.get(id(tensor))
            if given is None or variables[given] is not held:  # it may have been given other memory
                given = written_at.get(held)
            views.append(None)
            if held is None:
                homes.setdefault(id(home), (output, home))  # two results may share new memory
            elif given is not None:
                writes.append((given, output))
            else:
                views[-1] = read_at.get(held)
        return Made(results, tuple(views), tuple(writes), tuple(homes.values()))

    def _remember(self, place: Place, variables: list[Variable], results: Tensors, form: Form) -> None:
        node, values = place.node, self.values
        made = dict(place.makes)
        written = {output: read for read, output in node.writes}
        for output, tensor in enumerate(results):
            view = node.views[output]
            if output in made:
                variable = values.numbered(made[output])
            elif output in written:
                variable = variables[written[output]]
            elif view is not None:
                variable = variables[view]
            else:
                continue
            values.remember(tensor, variable, node.outputs[output].value)
        changed = {variables[read] for read, _ in node.writes}
        for index, leaf in place.leaves:
            if variables[index] not in changed:
                values.remember(form.tensors[index], variables[index], leaf.value)


def results_of(result: Any, written: Tensors) -> Tensors:
    """An operation's results: what it returned, then what it wrote and did not return."""
    found: Tensors = []
    collect(result, found)
    found.extend(tensor for tensor in written if not any(tensor is known for known in found))
    return found
