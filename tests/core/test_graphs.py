"""Graphs: an ordinary networkx multigraph, valid after every event, spliced from earlier ones."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import graph, leaf, out, ran, seen
from graphlens.build import Declared, built
from graphlens.ir import Graph, ValueUse
from graphlens_tracers.events import (
    Declaration,
    GraphGrew,
    GraphId,
    GraphNamed,
    GraphSeen,
    LeafSeen,
    NodeId,
    NodeSeen,
    ShapesSeen,
    Spec,
    ValueId,
    WiringId,
    WiringSeen,
)


def one(*nodes: NodeSeen, leaves: Sequence[LeafSeen] = ()) -> Graph:
    """The graph of these nodes."""
    events = [event for event in seen(*nodes, leaves=leaves) if isinstance(event, Declaration)]
    return built(events).graph(GraphId(0))


def test_same_value_into_two_arguments_keeps_both_edges() -> None:
    """x*x is two uses of x, not one."""
    found = one(ran(0), ran(1, inputs=[0, 0]))

    assert found.inputs(NodeId(1)) == [ValueUse(ValueId(0), 0), ValueUse(ValueId(0), 1)]
    assert found.nx.number_of_edges(0, 1) == 2
    assert found.consumers(NodeId(0)) == [1]


def test_nodes_and_edges_are_plain_networkx() -> None:
    """Whoever knows networkx knows our graph."""
    two = ran(0, inputs=[90, None], outputs=[out(0), out(7)])
    found = one(two, ran(1, inputs=[7]), leaves=[leaf(90, "weight")])

    assert sorted(map(str, found.nx.nodes)) == ["0", "1", "leaf:90"]
    assert found.nx.nodes["leaf:90"]["leaf"].name == "weight"
    assert found.nx.nodes[0]["node"] is found.node(NodeId(0))
    assert list(found.nx.edges(keys=True)) == [("leaf:90", 0, (0, 0)), (0, 1, (1, 0))]
    assert found.producer(ValueId(7)) == (0, 1)
    assert found.producer(ValueId(90)) is None
    assert nx.is_directed_acyclic_graph(found.nx)


def test_a_control_edge_carries_no_value() -> None:
    """It orders two nodes, and is no input."""
    found = one(ran(0), ran(1, controls=(NodeId(0),)))
    found.check()

    assert found.nx.edges[0, 1, "control"] == {"control": True}
    assert found.inputs(NodeId(1)) == []
    assert found.consumers(NodeId(0)) == []


def test_a_splice_keeps_the_wiring_of_its_base() -> None:
    """The first nodes are the base's, and read there what they read here."""
    events: list[Declaration] = [
        leaf(90),
        leaf(91),
        ran(0, inputs=[90]),
        ran(1, inputs=[90]),
        ran(2, inputs=[1]),
        WiringSeen(WiringId(7), NodeId(1), (ValueId(0),)),
        graph(0, 1, wirings=(WiringId(7),)),
        GraphSeen(GraphId(1), None, "b", "step", "ran", GraphId(0), 2, (NodeId(2),)),
        GraphSeen(GraphId(2), None, "c", "step", "ran", GraphId(1), 1, (NodeId(1),)),
    ]
    declared = built(events)

    assert [declared.order(GraphId(k)) for k in range(3)] == [[0, 1], [0, 1, 2], [0, 1]]
    assert [declared.graph(GraphId(k)).reads(NodeId(1)) for k in range(3)] == [(0,), (0,), (90,)]
    for k in range(3):
        declared.graph(GraphId(k)).check()


def test_a_graph_grows_in_place() -> None:
    """A pane may keep it while its first call runs."""
    declared = built([ran(0), graph(0)])
    found = declared.graph(GraphId(0))
    declared.fold(ran(1, inputs=[0]))
    declared.fold(GraphGrew(GraphId(0), (NodeId(1),)))

    assert declared.graph(GraphId(0)) is found
    assert found.order == [0, 1]
    assert found.seen.nodes == (0, 1)


def test_the_name_comes_when_the_first_call_has_ended() -> None:
    """What it is called is not known while it runs."""
    declared = built([graph(), GraphNamed(GraphId(0), "train", "step")])

    assert [(one.name, one.kind) for one in declared.graphs()] == [("train", "step")]


def test_a_node_that_is_not_declared_yet_waits() -> None:
    """A graph is valid at every moment: what it does not know yet is not in it."""
    declared = built([ran(0), graph(0, 1)])
    before = list(declared.graph(GraphId(0)).order)
    declared.fold(ran(1, inputs=[0]))

    assert before == [0]
    assert declared.graph(GraphId(0)).order == [0, 1]


def test_a_base_that_leads_back_to_itself_ends() -> None:
    """A hostile run must not hang us."""
    declared = built(
        [
            ran(0),
            GraphSeen(GraphId(0), None, "a", "step", "ran", GraphId(1), 5, (NodeId(0),)),
            GraphSeen(GraphId(1), None, "b", "step", "ran", GraphId(0), 5),
        ]
    )

    assert declared.order(GraphId(0)) == [0]
    declared.graph(GraphId(1)).check()


def test_specs_of_a_call_are_those_of_its_shapes() -> None:
    """The last batch is smaller: the same graph, other shapes."""
    events: list[Declaration] = [
        ran(0, outputs=[out(0, 8), out(1, 8)]),
        ran(1, outputs=[out(2, 8)]),
        graph(0, 1),
        ShapesSeen(3, GraphId(0), (Spec((5,), "f"), Spec((6,), "f"), Spec((7,), "f"))),
    ]
    declared = built(events)

    assert [spec.shape for spec in declared.specs(GraphId(0), 3, NodeId(1))] == [(7,)]
    assert [spec.shape for spec in declared.specs(GraphId(0), 3, NodeId(0))] == [(5,), (6,)]
    assert [spec.shape for spec in declared.specs(GraphId(0), 0, NodeId(1))] == [(8,)]


@st.composite
def declarations(draw: st.DrawFn) -> list[Declaration]:
    """What a tracer might say: nodes and leaves as they are needed, graphs that grow and are spliced."""
    events: list[Declaration] = []
    values: list[int] = []
    orders: dict[int, list[int]] = {}
    made: dict[int, list[int]] = {}
    for _ in range(draw(st.integers(1, 30))):
        what = draw(st.sampled_from(["leaf", "node", "node", "graph", "splice"]))
        if what == "leaf":
            values.append(len(values))
            events.append(leaf(values[-1]))
        elif what == "node" and orders:
            graph_id = draw(st.sampled_from(sorted(orders)))
            node = len(made)
            inside = [value for one in orders[graph_id] for value in made[one]]
            leaves = [event.value for event in events if isinstance(event, LeafSeen)]
            inputs = draw(st.lists(st.sampled_from([None, *inside, *leaves]), max_size=4))
            outputs = [out(len(values) + k) for k in range(draw(st.integers(0, 2)))]
            values += [o.value for o in outputs]
            made[node] = [o.value for o in outputs]
            orders[graph_id].append(node)
            controls = draw(st.lists(st.sampled_from(orders[graph_id]), max_size=1))
            events.append(ran(node, inputs=inputs, outputs=outputs, controls=tuple(controls)))
            events.append(GraphGrew(GraphId(graph_id), (NodeId(node),)))
        elif what == "graph":
            orders[len(orders)] = []
            events.append(graph(graph=len(orders) - 1))
        elif what == "splice" and orders:
            base = draw(st.sampled_from(sorted(orders)))
            keep = draw(st.integers(0, len(orders[base])))
            events.append(
                GraphSeen(GraphId(len(orders)), None, "s", "step", "ran", GraphId(base), keep),
            )
            orders[len(orders)] = orders[base][:keep]
    return events


@settings(deadline=None)
@given(events=declarations(), again=st.integers(0, 5))
def test_every_graph_is_valid_after_every_event(events: Sequence[Declaration], again: int) -> None:
    """A live run is looked at in the middle of everything; and what is said twice changes nothing."""
    declared = Declared()
    orders: dict[int, list[int]] = {}
    for k, event in enumerate(events):
        declared.fold(event)
        if again and k % again == 0:
            for before in events[max(0, k - 3) : k + 1]:
                declared.fold(before)
        if isinstance(event, GraphSeen):
            base = [] if event.base is None else orders[event.base][: event.keep]
            orders[event.graph] = [*base, *event.nodes]
        elif isinstance(event, GraphGrew):
            orders[event.graph] += event.nodes
        for seen_graph in declared.graphs():
            found = declared.graph(seen_graph.graph)
            found.check()
            assert found.order == orders[seen_graph.graph]


def breaking() -> list[tuple[str, Graph]]:
    """Graphs that are wrong, each with a word of what `check` says."""
    twice = one(ran(0), ran(1, inputs=[0]))
    twice.order.append(NodeId(0))
    lost = one(ran(0), ran(1, inputs=[0]))
    lost.nx.remove_edge(0, 1)
    added = one(ran(0), ran(1, inputs=[0]))
    added.nx.add_edge(0, 1, (0, 5), use=ValueUse(ValueId(0), 5))
    swapped = one(ran(0), ran(1, inputs=[0]))
    swapped.order.reverse()
    stranger = one(ran(0))
    stranger.nx.add_node(77, node=ran(77))
    lonely = one(ran(0))
    lonely.nx.add_node("leaf:5", leaf=leaf(5))
    other = one(ran(0), ran(1), ran(2, inputs=[0]))
    other.nx.remove_edge(0, 2)
    other.nx.add_edge(1, 2, (0, 0), use=ValueUse(ValueId(0), 0))
    undeclared = built([ran(0, inputs=[50]), graph(0)]).graph(GraphId(0))
    same = one(ran(0), ran(1, outputs=[out(0)]))
    return [
        ("twice", twice),
        ("argument 0 is value 0", lost),
        ("no value", added),
        ("later", swapped),
        ("77", stranger),
        ("nobody reads", lonely),
        ("is made by", other),
        ("neither made here nor a leaf", undeclared),
        ("value 0: made by", same),
    ]


@pytest.mark.parametrize("k", range(9))
def test_check_names_what_is_wrong(k: int) -> None:
    """A guard that cannot fail guards nothing."""
    word, wrong = breaking()[k]

    with pytest.raises(AssertionError, match=word):
        wrong.check()


def test_a_large_graph_has_all_its_edges() -> None:
    """What a step of GPT-2 is: nothing is cut off on the way."""
    nodes = [ran(0, inputs=[5000]), *(ran(k, inputs=[k - 1, max(0, k - 7), 5000]) for k in range(1, 1100))]
    declared = built([event for event in seen(*nodes) if isinstance(event, Declaration)])

    found = declared.graph(GraphId(0))

    assert found.nx.number_of_edges() == 1 + 1099 * 3
