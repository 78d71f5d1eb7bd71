"""Folds what one process declared: nodes, modules, sites, and graphs that are valid after every event.

An event may come twice, once read from a page and once from the log: the second changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from graphlens.ir import Flat, Graph
from graphlens_tracers.events import (
    Declaration,
    GraphGrew,
    GraphId,
    GraphNamed,
    GraphSeen,
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    RunStarted,
    ScopeId,
    ScopeSeen,
    ShapesSeen,
    SiteId,
    SiteSeen,
    SourceSeen,
    Spec,
    TracerStarted,
    ValueId,
    WiringId,
    WiringSeen,
)

Inputs = tuple[ValueId | None, ...]


@dataclass
class _Growing:
    """A graph as declared so far: its own part, after the first `seen.keep` nodes of its base."""

    seen: GraphSeen
    own: list[NodeId] = field(default_factory=list)
    inside: set[NodeId] = field(default_factory=set)
    wired: dict[NodeId, WiringSeen] = field(default_factory=dict)
    merged: GraphSeen | None = None
    order: tuple[int, list[NodeId]] = (-1, [])  # as of `Declared._changes`
    wiring: tuple[int, dict[NodeId, WiringSeen]] = (-1, {})
    built: tuple[int, Graph] | None = None

    def grow(self, nodes: Sequence[NodeId], wirings: Sequence[WiringSeen]) -> None:
        for node in nodes:
            if node not in self.inside:
                self.inside.add(node)
                self.own.append(node)
        self.wired.update({one.node: one for one in wirings})
        self.merged = None


class Declared:
    """Everything one process declared.

    Attributes:
        started: Its first event; None until it was read.
        tracers: One for each framework that arrived.
        nodes, scopes, module_calls, sites, leaves: By id.
        sources: The digest of each kept source file, by its path.
        makers: The node and output slot of every value.
    """

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.tracers: list[TracerStarted] = []
        self.nodes: dict[NodeId, NodeSeen] = {}
        self.scopes: dict[ScopeId, ScopeSeen] = {}
        self.module_calls: dict[ModuleCallId, ModuleCallSeen] = {}
        self.sites: dict[SiteId, SiteSeen] = {}
        self.leaves: dict[ValueId, LeafSeen] = {}
        self.sources: dict[str, str] = {}
        self.makers: dict[ValueId, tuple[NodeId, int]] = {}
        self._changes = 0  # of nodes and graphs; what was worked out before the last one is stale
        self._graphs: dict[GraphId, _Growing] = {}
        self._wirings: dict[WiringId, WiringSeen] = {}
        self._shapes: dict[tuple[GraphId, int], tuple[Spec, ...]] = {}
        self._outputs_before: dict[GraphId, list[int]] = {}

    # ── folding ──────────────────────────────────────────────────────────────────────────────

    def fold(self, event: Declaration) -> GraphId | None:
        """Take one event in; the graph that it changed, if one."""
        if isinstance(event, NodeSeen | GraphSeen | GraphGrew):
            self._changes += 1
        match event:
            case NodeSeen():
                if event.node not in self.nodes:
                    self.nodes[event.node] = event
                    for slot, output in enumerate(event.outputs):
                        self.makers.setdefault(output.value, (event.node, slot))
            case GraphSeen():
                if event.graph not in self._graphs:
                    growing = self._graphs[event.graph] = _Growing(event)
                    growing.grow(event.nodes, self._wired(event))
                return event.graph
            case GraphGrew():
                if event.graph in self._graphs:
                    self._graphs[event.graph].grow(event.nodes, self._wired(event))
                return event.graph
            case GraphNamed():
                if event.graph in self._graphs:
                    growing = self._graphs[event.graph]
                    growing.seen = replace(growing.seen, name=event.name, kind=event.kind)
                    growing.merged = None
                return event.graph
            case WiringSeen():
                self._wirings.setdefault(event.wiring, event)
            case LeafSeen():
                self.leaves.setdefault(event.value, event)
            case SiteSeen():
                self.sites.setdefault(event.site, event)
            case ScopeSeen():
                self.scopes.setdefault(event.scope, event)
            case ModuleCallSeen():
                self.module_calls.setdefault(event.module_call, event)
            case ShapesSeen():
                self._shapes.setdefault((event.graph, event.shapes), event.specs)
            case SourceSeen():
                self.sources[event.file] = event.digest
            case TracerStarted():
                if event not in self.tracers:
                    self.tracers.append(event)
            case RunStarted():
                self.started = event  # again when more is known
        return None

    def _wired(self, event: GraphSeen | GraphGrew) -> list[WiringSeen]:
        return [self._wirings[wiring] for wiring in event.wirings if wiring in self._wirings]

    # ── graphs ───────────────────────────────────────────────────────────────────────────────

    def graphs(self) -> list[GraphSeen]:
        """All graphs, each with what it grew by; the nodes of its base are not among its own."""
        return [self.seen(graph) for graph in self._graphs]

    def seen(self, graph: GraphId) -> GraphSeen:
        """One graph as declared so far. Raises KeyError when there is none of that id."""
        growing = self._graphs[graph]
        if growing.merged is None:
            wirings = tuple(one.wiring for one in growing.wired.values())
            growing.merged = replace(growing.seen, nodes=tuple(growing.own), wirings=wirings)
        return growing.merged

    def order(self, graph: GraphId) -> list[NodeId]:
        """Every node of a graph, its base's first: those that are declared, up to the first that is not."""
        growing = self._graphs[graph]
        if growing.order[0] != self._changes:
            growing.order = self._changes, self._declared_order(graph)
        return growing.order[1]

    def _declared_order(self, graph: GraphId) -> list[NodeId]:
        order: dict[NodeId, None] = {}
        for nodes in self._parts(graph):
            for node in nodes:
                if node not in self.nodes:
                    return list(order)
                order[node] = None
        return list(order)

    def _chain(self, graph: GraphId) -> list[tuple[_Growing, int | None]]:
        """The graph and its bases, farthest first, each with how many of its nodes are kept."""
        links: list[tuple[_Growing, int | None]] = []
        keep: int | None = None
        known: set[GraphId] = set()
        while graph not in known and (growing := self._graphs.get(graph)) is not None:
            known.add(graph)  # a base that leads back to itself ends here
            links.append((growing, keep))
            if growing.seen.base is None:
                break
            kept = growing.seen.keep
            keep = kept if keep is None else min(keep, kept)
            graph = growing.seen.base
        return links[::-1]

    def _parts(self, graph: GraphId) -> list[Sequence[NodeId]]:
        parts: list[Sequence[NodeId]] = []
        have = 0
        for growing, keep in self._chain(graph):
            part = growing.own if keep is None else growing.own[: max(0, keep - have)]
            parts.append(part)
            have += len(part)
        return parts

    def wiring(self, graph: GraphId) -> dict[NodeId, WiringSeen]:
        """Those nodes of a graph that do not read what they were declared with."""
        growing = self._graphs[graph]
        if growing.wiring[0] != self._changes:
            wiring: dict[NodeId, WiringSeen] = {}
            have: set[NodeId] = set()
            for (link, _), part in zip(self._chain(graph), self._parts(graph), strict=True):
                have.update(part)
                wiring.update({node: one for node, one in link.wired.items() if node in have})
            growing.wiring = self._changes, wiring
        return growing.wiring[1]

    def inputs(self, graph: GraphId, node: NodeId) -> Inputs:
        """What a node reads in a graph; as declared when there is no graph of that id."""
        wired = self.wiring(graph).get(node) if graph in self._graphs else None
        return self.nodes[node].inputs if wired is None else wired.inputs

    def through(self, graph: GraphId, node: NodeId) -> dict[int, ValueId]:
        """For each input that lies otherwise than the value it reads, the value that it lies like."""
        wired = self.wiring(graph).get(node) if graph in self._graphs else None
        return dict(self.nodes[node].through if wired is None else wired.through)

    def graph(self, graph: GraphId) -> Graph:
        """The networkx graph as far as it is declared; the same object each time, and it grows.

        Raises:
            KeyError: There is none of that id.
        """
        growing, seen = self._graphs[graph], self.seen(graph)
        before, built = growing.built or (-1, Graph(seen))
        built.seen = seen
        if before != self._changes:
            wiring, nodes, leaves = self.wiring(graph), self.nodes, self.leaves
            for node in self.order(graph)[len(built.order) :]:
                declared = nodes[node]
                inputs = wiring[node].inputs if node in wiring else declared.inputs
                built.add(declared, inputs, leaves)
            growing.built = self._changes, built
        return built

    def flat(self, graph: GraphId) -> Flat:
        """A graph as far as it is declared, without networkx. Raises KeyError: there is none of that id."""
        wiring = self.wiring(graph)
        nodes = [self.nodes[node] for node in self.order(graph)]
        reads = {one.node: wiring[one.node].inputs if one.node in wiring else one.inputs for one in nodes}
        leaves: dict[ValueId, LeafSeen] = {}
        made: set[ValueId] = set()
        for one in nodes:
            for value in reads[one.node]:
                if value is not None and value not in made and value in self.leaves:
                    leaves[value] = self.leaves[value]
            made.update(output.value for output in one.outputs)
        return Flat(nodes, reads, leaves)

    # ── shapes ───────────────────────────────────────────────────────────────────────────────

    def specs(self, graph: GraphId, shapes: int, node: NodeId) -> tuple[Spec, ...]:
        """The specs of a node's outputs in calls with these shapes; as declared when they have none."""
        declared = tuple(output.spec for output in self.nodes[node].outputs)
        specs = self._shapes.get((graph, shapes))
        if specs is None:
            return declared
        order = self.order(graph)
        before = self._outputs_before.get(graph)
        if before is None or len(before) != len(order) + 1:
            counts = (len(self.nodes[one].outputs) for one in order)
            before = self._outputs_before[graph] = list(accumulate(counts, initial=0))
        try:
            place = order.index(node)
        except ValueError:
            return declared
        part = specs[before[place] : before[place + 1]]
        return part if len(part) == len(declared) else declared

    # ── places ───────────────────────────────────────────────────────────────────────────────

    def frames(self, site: SiteId | None) -> list[SiteSeen]:
        """The user's frames of a site, innermost first."""
        found: list[SiteSeen] = []
        known: set[SiteId] = set()
        while site is not None and site not in known and site in self.sites:
            known.add(site)
            found.append(self.sites[site])
            site = self.sites[site].outer
        return found

    def scope_path(self, node: NodeSeen) -> str:
        """The dotted path of the innermost module around a node; "" outside modules."""
        scope = None if node.scope is None else self.scopes.get(node.scope)
        return "" if scope is None else scope.path


def built(events: Sequence[Declaration]) -> Declared:
    """Everything that `events` declare."""
    declared = Declared()
    for event in events:
        declared.fold(event)
    return declared
