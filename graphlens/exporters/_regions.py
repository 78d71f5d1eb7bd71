"""Functions, branches and loop bodies, drawn where they are entered.

A function's operations stand in the place of its call. A loop and a branch keep their operation, for it
chooses what goes on; what they enter is a region of its own beside it. The gradients of an operation in a
region stand beside it, too: backward functions and loops are opened with the forward ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from graphlens.categories import short
from graphlens.exporters._chosen import Chosen, ill_of, telling
from graphlens.text import clean
from graphlens.view.subject import NO_RESULTS, Illness, RegionSort, Subject
from graphlens_tracers.events import (
    GraphId,
    GraphSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    ScopeId,
    ScopeSeen,
    ValueId,
)

if TYPE_CHECKING:
    from graphlens.store import Call, Process

LOOPS = ("While", "StatelessWhile")
BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
COUNTERS = ("loop_counter", "maximum_iterations")
"""What TensorFlow carries around in every loop, and the script never wrote."""
MOST = 100_000
"""With more operations than this nothing further is opened."""
_FRESH = 1 << 40
"""Ids from here on are ours: of what is drawn more than once."""


def opened(subject: Subject, picked: Chosen) -> Subject:
    """The subject with all that it enters, and that in it, and so on."""
    process = picked.process
    flows = (*LOOPS, *BRANCHES)
    if not any(node.calls is not None or short(node.op) in flows for node in subject.nodes):
        return subject
    opening = _Opening(process, subject, picked.call)
    opening.graph(picked.seen, picked.call, _Names(), None, ())
    return opening.subject(subject)


class _Entered(NamedTuple):
    """A graph that an operation enters; `call` is the one shown, of `times` that it is entered there."""

    seen: GraphSeen
    call: Call | None
    times: int


@dataclass
class _Names:
    """What ids of one opened graph are called in the picture; others are as they were."""

    values: dict[ValueId, ValueId] = field(default_factory=dict)
    nodes: dict[NodeId, NodeId] = field(default_factory=dict)
    calls: dict[ModuleCallId, ModuleCallId] = field(default_factory=dict)
    twins: Mapping[NodeId, NodeId] = field(default_factory=dict)
    around: tuple[ModuleCallId, ...] = ()  # the modules that the graph is entered in


class _Opening:
    """The operations of a picture, put one after the other."""

    def __init__(self, process: Process, subject: Subject, shown: Call | None) -> None:
        self.process = process
        self.known = {seen.graph: seen for seen in process.graphs()}
        self.nodes: list[NodeSeen] = []
        self.inputs: dict[NodeId, tuple[ValueId | None, ...]] = {}
        self.leaves = dict(subject.leaves)
        self.scopes = dict(process.scopes)
        self.module_calls = dict(process.module_calls)
        self.ill: dict[ValueId, Illness] = {}
        self.regions: dict[ScopeId, RegionSort] = {}
        self.inner: set[NodeId] = set()
        self.within: dict[NodeId, dict[NodeId, NodeId]] = {}  # of an opened one: what it holds is called
        self.used: set[tuple[str, int]] = set()
        self.fresh = _FRESH
        self.by_call: dict[tuple[int | None, NodeId | None], list[Call]] = {}
        self.times: Counter[tuple[NodeId | None, GraphId]] = Counter()
        for call in process.calls():
            self.by_call.setdefault((call.parent, call.at), []).append(call)
            if shown is None or shown.first <= call.first <= call.last <= shown.last:
                self.times[call.at, call.graph] += 1

    def subject(self, whole: Subject) -> Subject:
        """All that was put."""
        return replace(
            whole,
            nodes=self.nodes,
            inputs=self.inputs,
            leaves=self.leaves,
            scopes=self.scopes,
            module_calls=self.module_calls,
            ill=self.ill,
            regions=self.regions,
            inner=frozenset(self.inner),
        )

    # ── a graph ──────────────────────────────────────────────────────────────────────────────

    def graph(
        self,
        seen: GraphSeen,
        call: Call | None,
        names: _Names,
        region: ModuleCallId | None,
        above: tuple[GraphId, ...],
    ) -> None:
        """Put all operations of a graph; its arguments have their names already."""
        flat = self.process.flat(seen.graph)
        for leaf in flat.leaves.values():
            if leaf.value not in names.values:
                self.leaves[leaf.value] = leaf
        above = (*above, seen.graph)
        for node in flat.nodes:
            reads = tuple(
                None if value is None else names.values.get(value, value) for value in flat.reads[node.node]
            )
            entered = self._entered(node, call, above)
            name = short(node.op)
            if name in LOOPS or name in BRANCHES:
                self._flow(node, reads, entered, names, region, above)
            elif len(entered) == 1 and self._function(node, reads, entered[0], names, region, above):
                continue
            else:
                self._put(node, reads, names, region)
        if call is not None:
            for value, illness in ill_of(self.process, call, flat.nodes, flat.reads.__getitem__).items():
                self.ill[names.values.get(value, value)] = illness

    def _entered(self, node: NodeSeen, call: Call | None, above: tuple[GraphId, ...]) -> list[_Entered]:
        """The graphs that an operation enters: the declared one first, then those that it ran."""
        calls = self.by_call.get((call.call, node.node), []) if call is not None else []
        declared = [node.calls] if node.calls is not None else []
        graphs: list[GraphId] = list(dict.fromkeys([*declared, *(one.graph for one in calls)]))
        if len(self.nodes) > MOST or any(graph in above or graph not in self.known for graph in graphs):
            return []
        found: list[_Entered] = []
        for graph in graphs:
            own = [one for one in calls if one.graph == graph]
            times = self.times[node.node, graph]
            found.append(_Entered(self.known[graph], telling(self.process, own), times))
        return found

    # ── what is entered ──────────────────────────────────────────────────────────────────────

    def _function(
        self,
        node: NodeSeen,
        reads: Sequence[ValueId | None],
        entered: _Entered,
        names: _Names,
        region: ModuleCallId | None,
        above: tuple[GraphId, ...],
    ) -> bool:
        """Put a function's operations in the place of its call; False where that cannot be."""
        seen = entered.seen
        written = {out: at for at, out in node.writes if at < len(reads)}
        beyond = range(len(seen.results), len(node.outputs))
        if len(seen.arguments) > len(reads) or any(out not in written for out in beyond):
            return False
        inside = self._inside(node, names)
        frame = self._region(node, names, region, clean(seen.name.partition("#")[0]), "function", "function")
        self._hand(seen.arguments, reads, inside)
        self.graph(seen, entered.call, inside, frame, above)
        for output, value in zip(node.outputs, seen.results, strict=False):
            names.values[output.value] = inside.values.get(value, value)
        for out in beyond:  # a variable that it has changed is still that variable
            if (variable := reads[written[out]]) is not None:
                names.values[node.outputs[out].value] = variable
        self._remember(node, names, [inside])
        return True

    def _flow(
        self,
        node: NodeSeen,
        reads: tuple[ValueId | None, ...],
        entered: list[_Entered],
        names: _Names,
        region: ModuleCallId | None,
        above: tuple[GraphId, ...],
    ) -> None:
        """Put what a loop or a branch enters, each a region, then the operation itself, which reads them."""
        if not entered:
            self._put(node, reads, names, region)
            return
        loop = short(node.op) in LOOPS
        rounds = max((one.times for one in entered[1:]), default=0)
        said = f"loop, {rounds:,} {'round' if rounds == 1 else 'rounds'}" if loop else "branch"
        frame = self._region(
            node,
            names,
            region,
            "while" if loop else short(node.op).removeprefix("Stateless").lower(),
            said,
            "flow",
        )
        begin = len(self.nodes)
        handed: list[ValueId | None] = [] if loop else [*reads[:1]]
        insides: list[_Names] = []
        for k, one in enumerate(entered):
            given = reads if loop else reads[len(reads) - len(one.seen.arguments) :]
            inside = self._inside(node, names)
            part = self._region(node, names, frame, *_part_name(node, one, k), "flow")
            self._hand(one.seen.arguments, given, inside)
            self.graph(one.seen, one.call, inside, part, above)
            insides.append(inside)
            handed += self._handed(one.seen, inside)
        self.inner.update(one.node for one in self.nodes[begin:])
        plain = replace(
            node, outputs=tuple(replace(output, alias=None) for output in node.outputs), writes=(), through=()
        )
        self._put(plain, tuple(dict.fromkeys(handed)), names, frame)
        self._remember(node, names, insides)

    def _handed(self, seen: GraphSeen, inside: _Names) -> list[ValueId | None]:
        """What comes out of a region and was made in it, without what only counts or is kept for later."""
        nodes, _, leaves = self.process.flat(seen.graph)
        makers = {output.value: node for node in reversed(nodes) for output in node.outputs}
        given = {inside.values.get(value) for value in seen.arguments}
        counters = {leaf.value for leaf in leaves.values() if leaf.name in COUNTERS}
        found: list[ValueId | None] = []
        for k, value in enumerate(seen.results):
            maker = makers.get(value)
            kept = maker is not None and short(maker.op) in NO_RESULTS
            counts = k < len(seen.arguments) and seen.arguments[k] in counters
            name = inside.values.get(value, value)
            if not (counts or kept or name in given):
                found.append(name)
        return found

    @staticmethod
    def _hand(arguments: Sequence[ValueId], values: Sequence[ValueId | None], inside: _Names) -> None:
        for argument, value in zip(arguments, values, strict=False):
            if value is not None:
                inside.values[argument] = value

    def _inside(self, node: NodeSeen, names: _Names) -> _Names:
        """Names for a graph that `node` enters."""
        around: list[ModuleCallId] = []
        call = node.module_call
        while call is not None and call in self.process.module_calls:
            around.append(call)
            call = self.process.module_calls[call].parent
        twin = names.twins.get(node.twin, node.twin) if node.twin is not None else None
        twins = {**names.twins, **self.within.get(twin, {})} if twin is not None else names.twins
        return _Names(twins=twins, around=(*names.around, *around))

    def _remember(self, node: NodeSeen, names: _Names, insides: Sequence[_Names]) -> None:
        """For the gradients: how what an opened operation holds is called."""
        held = self.within.setdefault(names.nodes.get(node.node, node.node), {})
        for inside in insides:
            held.update(inside.nodes)

    # ── one operation ────────────────────────────────────────────────────────────────────────

    def _put(
        self, node: NodeSeen, reads: tuple[ValueId | None, ...], names: _Names, region: ModuleCallId | None
    ) -> None:
        own = NodeId(self._own("node", node.node))
        names.nodes[node.node] = own
        outputs = []
        for output in node.outputs:
            value = ValueId(self._own("value", output.value))
            names.values[output.value] = value
            outputs.append(output if value == output.value else replace(output, value=value))
        call = self._module_call(node.module_call, names, region)
        put = replace(
            node,
            node=own,
            inputs=reads,
            outputs=tuple(outputs),
            module_call=call,
            controls=tuple(names.nodes.get(one, one) for one in node.controls),
            twin=names.twins.get(node.twin, node.twin) if node.twin is not None else None,
            through=tuple((at, names.values.get(value, value)) for at, value in node.through),
        )
        self.nodes.append(put)
        self.inputs[own] = reads

    def _own(self, sort: str, number: int) -> int:
        """The id of what is put: its own the first time."""
        if (sort, number) not in self.used:
            self.used.add((sort, number))
            return number
        self.fresh += 1
        return self.fresh

    # ── frames ───────────────────────────────────────────────────────────────────────────────

    def _region(
        self,
        node: NodeSeen,
        names: _Names,
        region: ModuleCallId | None,
        name: str,
        kind: str,
        sort: RegionSort,
    ) -> ModuleCallId:
        """A frame for what `node` enters, in the module that it is in."""
        outer = self._module_call(node.module_call, names, region)
        path = self.scopes[self.module_calls[outer].scope].path if outer is not None else ""
        self.fresh += 2
        scope, call = ScopeId(self.fresh - 1), ModuleCallId(self.fresh)
        within = self.module_calls[outer].scope if outer is not None else None
        self.scopes[scope] = ScopeSeen(scope, within, f"{path}.{name}" if path else name, kind)
        self.module_calls[call] = ModuleCallSeen(call, outer, scope)
        self.regions[scope] = sort
        return call

    def _module_call(
        self, call: ModuleCallId | None, names: _Names, region: ModuleCallId | None
    ) -> ModuleCallId | None:
        """The call of a module inside a region; the region itself for what is in no module of its own."""
        if region is None:
            return call
        if call is None or call in names.around or call not in self.process.module_calls:
            return region
        if call not in names.calls:
            seen = self.process.module_calls[call]
            parent = self._module_call(seen.parent, names, region)
            self.fresh += 1
            own = ModuleCallId(self.fresh)
            self.module_calls[own] = ModuleCallSeen(own, parent, seen.scope, seen.nth)
            names.calls[call] = own
        return names.calls[call]


def _part_name(node: NodeSeen, entered: _Entered, k: int) -> tuple[str, str]:
    """What a region of a loop or a branch is called, and what is said of it."""
    if short(node.op) in LOOPS:
        return ("condition", "of the loop") if k == 0 else ("body", "of the loop")
    taken = f"taken {entered.times:,}×" if entered.times else "never taken"
    if short(node.op).endswith("If"):
        return ("then" if entered.seen.graph == node.calls else "else"), taken
    return clean(entered.seen.name), taken
