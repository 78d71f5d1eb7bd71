"""The graph of one way through a program, as an ordinary networkx multigraph.

Nodes are operations and leaves, edges are values into one argument. A graph that is still being
recorded grows by `add`, and is valid after every node; `check` says what valid means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphlens_tracers.events import GraphSeen, LeafSeen, NodeId, NodeSeen, ValueId

if TYPE_CHECKING:  # networkx takes longer to import than a run to open: only who asks for a graph waits
    import networkx as nx

CONTROL = "control"
"""Key of an edge that orders two nodes and carries no value."""


@dataclass(frozen=True, slots=True)
class ValueUse:
    """A value into one argument: the attribute "use" of an edge."""

    value: ValueId
    slot: int


class Flat(NamedTuple):
    """A graph as lists, for who reads it once: networkx takes longer to build than most pictures.

    Attributes:
        nodes: Its operations, in the order in which they ran or must run.
        reads: What each reads, an entry an argument; None where no value is.
        leaves: Values that none of them makes, in the order in which they are first read.
    """

    nodes: list[NodeSeen]
    reads: dict[NodeId, tuple[ValueId | None, ...]]
    leaves: dict[ValueId, LeafSeen]


def leaf_key(value: ValueId) -> str:
    """The networkx node of a value that no operation of the graph makes."""
    return f"leaf:{value}"


def _empty() -> nx.MultiDiGraph[Any]:
    import networkx as nx  # late, as said above

    graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
    return graph


@dataclass
class Graph:
    """One graph of a run.

    Attributes:
        seen: What was declared of it, growth included.
        order: Its operations, in the order in which they ran or must run.
        nx: Operations are `NodeId`s with their `NodeSeen` under "node"; leaves are "leaf:VALUE"
            with their `LeafSeen` under "leaf". An edge's key is (slot of the maker, slot of the
            user), its `ValueUse` is under "use"; a leaf has the one slot 0. Control edges have the
            key and the attribute "control".
    """

    seen: GraphSeen
    order: list[NodeId] = field(default_factory=list)
    nx: nx.MultiDiGraph[Any] = field(default_factory=_empty)
    _made: dict[ValueId, tuple[NodeId, int]] = field(default_factory=dict, repr=False)
    _reads: dict[NodeId, tuple[ValueId | None, ...]] = field(default_factory=dict, repr=False)

    def add(
        self,
        node: NodeSeen,
        inputs: Sequence[ValueId | None],
        leaves: Mapping[ValueId, LeafSeen],
    ) -> None:
        """Append a node that reads `inputs`; leaves that it is the first to read come with it.

        A node that is already there is left as it is: it runs once in a call.
        """
        user, graph, made = node.node, self.nx, self._made
        if user in self._reads:
            return
        for value in inputs:  # before their user, so that the nodes of `nx` are in topological order
            if value is not None and value not in made and value in leaves:
                graph.add_node(leaf_key(value), leaf=leaves[value])
        graph.add_node(user, node=node)
        for slot, value in enumerate(inputs):
            if value is None:
                continue
            if value in made:
                maker, out = made[value]
                graph.add_edge(maker, user, (out, slot), use=ValueUse(value, slot))
            elif value in leaves:
                graph.add_edge(leaf_key(value), user, (0, slot), use=ValueUse(value, slot))
        for before in node.controls:
            if before in self._reads:
                graph.add_edge(before, user, CONTROL, control=True)
        for slot, output in enumerate(node.outputs):
            made.setdefault(output.value, (user, slot))
        self._reads[user] = tuple(inputs)
        self.order.append(user)

    def node(self, node: NodeId) -> NodeSeen:
        """What was declared of a node. Raises KeyError when it is not of this graph."""
        seen: NodeSeen = self.nx.nodes[node]["node"]
        return seen

    def inputs(self, node: NodeId) -> list[ValueUse]:
        """What `node` reads, in argument order; the same value twice is two uses."""
        edges = self.nx.in_edges(node, data=True)
        uses: list[ValueUse] = [data["use"] for _, _, data in edges if "use" in data]
        return sorted(uses, key=lambda use: use.slot)

    def reads(self, node: NodeId) -> tuple[ValueId | None, ...]:
        """What `node` reads in this graph, an entry an argument; None where no value is."""
        return self._reads[node]

    def producer(self, value: ValueId) -> tuple[NodeId, int] | None:
        """The node and output slot that make `value`; None for a leaf."""
        return self._made.get(value)

    def consumers(self, node: NodeId) -> list[NodeId]:
        """The nodes that read something `node` makes, each once, in order of their ids."""
        uses = self.nx.out_edges(node, data=True)
        return sorted({user for _, user, data in uses if "use" in data})

    def leaves(self) -> list[LeafSeen]:
        """The values that no node of the graph makes, in the order in which they are first read."""
        return [data["leaf"] for _, data in self.nx.nodes(data=True) if "leaf" in data]

    def check(self) -> None:
        """Hold the invariants.

        * The operations of `nx` are those of `order`, each once.
        * Every argument with a value has one edge, from what makes the value or from its leaf, and
          nothing else has one.
        * Makers stand before users in `order`, so there is no cycle.
        * No value is made twice; a leaf is read by someone.

        Raises:
            AssertionError: Naming the node, value or edge that breaks one.
        """
        place = {node: k for k, node in enumerate(self.order)}
        assert len(place) == len(self.order), f"graph {self.seen.graph}: a node is in its order twice"
        ops = {key for key, data in self.nx.nodes(data=True) if "node" in data}
        assert ops == set(place), f"nodes in the order or the graph alone: {sorted(ops ^ set(place))[:5]}"
        maker: dict[ValueId, tuple[NodeId, int]] = {}
        for node in self.order:
            for slot, output in enumerate(self.node(node).outputs):
                assert output.value not in maker, (
                    f"value {output.value}: made by {maker[output.value][0]} and {node}"
                )
                maker[output.value] = node, slot
        for node in self.order:
            self._check_inputs(node, place, maker)
        for key, data in self.nx.nodes(data=True):
            if "leaf" in data:
                assert self.nx.out_degree(key), f"{key}: nobody reads it"
                assert key == leaf_key(data["leaf"].value), f"{key}: is leaf {data['leaf'].value}"

    def _check_inputs(
        self, node: NodeId, place: dict[NodeId, int], maker: dict[ValueId, tuple[NodeId, int]]
    ) -> None:
        wanted = {slot: value for slot, value in enumerate(self._reads[node]) if value is not None}
        found: dict[int, ValueId] = {}
        for source, _, key, data in self.nx.in_edges(node, keys=True, data=True):
            if "control" in data:
                assert place[source] < place[node], f"control edge {source}->{node}: {source} is later"
                continue
            use: ValueUse = data["use"]
            assert key[1] == use.slot, f"edge {source}->{node}: key {key}, slot {use.slot}"
            assert use.slot not in found, f"node {node}: argument {use.slot} has two edges"
            found[use.slot] = use.value
            if isinstance(source, str):
                assert use.value not in maker or place[maker[use.value][0]] >= place[node], (
                    f"edge {source}->{node}: value {use.value} is made by {maker[use.value][0]}"
                )
                assert source == leaf_key(use.value), f"edge {source}->{node}: carries value {use.value}"
            else:
                made = maker.get(use.value)
                assert made == (source, key[0]), f"edge {source}->{node}: value {use.value} is made by {made}"
                assert place[source] < place[node], f"edge {source}->{node}: {source} is later"
        for slot, value in wanted.items():
            made = maker.get(value)
            late = f"made later, by {made[0]}" if made else "neither made here nor a leaf"
            assert found.get(slot) == value, f"node {node}: argument {slot} is value {value}, {late}"
        extra = set(found) - set(wanted)
        assert not extra, f"node {node}: edge into argument {min(extra)}, which has no value"
