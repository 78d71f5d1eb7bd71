"""A graph as JSON in networkx's node-link form; it loads back to an equal graph.

One document with the schema's name. Ids are those of the run. Modules, calls and source lines that
the operations name come along, so that a file tells as much as the run does about its graph.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from graphlens.exporters import Options
from graphlens.text import without_surrogates
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import GraphSeen, LeafSeen, NodeSeen, ValueId
from graphlens_tracers.eventtext import plain

if TYPE_CHECKING:
    from graphlens.ir import Graph
    from graphlens.store import Process, Run

SCHEMA = "graphlens/graph/1"


class NodeLink:
    """The exporter."""

    name = "json"
    suffix = ".json"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses."""
        from graphlens.exporters._chosen import chosen

        picked = chosen(run, options)
        out.write(dumps(picked.process.graph(picked.seen.graph), picked.process))


EXPORTER = NodeLink()


def dumps(graph: Graph, process: Process | None = None) -> bytes:
    """The document: fixed order of keys, no NaN, UTF-8, a line's end at the end."""
    from graphlens.ir import leaf_key  # networkx takes its time: not for finding out which formats there are

    nodes: list[dict[str, Any]] = []  # Any: JSON
    edges: list[dict[str, Any]] = []
    for leaf in graph.leaves():
        nodes.append({"id": leaf_key(leaf.value), "leaf": plain(leaf)})
    for node in graph.order:
        nodes.append({"id": node, "node": plain(graph.node(node)), "reads": list(graph.reads(node))})
    for source, target, key, data in graph.nx.edges(keys=True, data=True):
        # As text: JSON has no tuples, and networkx takes no list for a key.
        said = key if isinstance(key, str) else f"{key[0]}>{key[1]}"
        edge: dict[str, Any] = {"source": source, "target": target, "key": said}
        if "use" in data:
            edge["use"] = {"value": data["use"].value, "slot": data["use"].slot}
        else:
            edge["control"] = True
        edges.append(edge)
    document = {
        "schema": SCHEMA,
        "directed": True,
        "multigraph": True,
        "graph": {"seen": plain(graph.seen), **(_context(graph, process) if process is not None else {})},
        "nodes": nodes,
        "edges": edges,
    }
    text = json.dumps(document, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return without_surrogates(text).encode() + b"\n"


def _context(graph: Graph, process: Process) -> dict[str, Any]:
    """Modules, their calls, and source lines that the graph's operations name."""
    nodes = [graph.node(node) for node in graph.order]
    calls = _with_outer(process.module_calls, (node.module_call for node in nodes), "parent")
    scopes = [node.scope for node in nodes] + [process.module_calls[one].scope for one in calls]
    modules = _with_outer(process.scopes, scopes, "parent")
    sites = _with_outer(process.sites, (node.site for node in nodes), "outer")
    return {
        "scopes": [plain(process.scopes[one]) for one in modules],
        "module_calls": [plain(process.module_calls[one]) for one in calls],
        "sites": [plain(process.sites[one]) for one in sites],
    }


def _with_outer(known: Mapping[Any, Any], wanted: Iterable[Any], outer: str) -> list[Any]:  # Any: ids, facts
    """The ids wanted and those around them, in order; what was never declared is left out."""
    found: set[Any] = set()
    for one in wanted:
        while one is not None and one not in found and one in known:
            found.add(one)
            one = getattr(known[one], outer)
    return sorted(found)


# ── back ─────────────────────────────────────────────────────────────────────────────────────


class _Use(msgspec.Struct):
    value: ValueId
    slot: int


class _Node(msgspec.Struct):
    id: int | str
    node: NodeSeen | None = None
    leaf: LeafSeen | None = None
    reads: tuple[ValueId | None, ...] = ()


class _Edge(msgspec.Struct):
    source: int | str
    target: int
    key: tuple[int, int] | str
    use: _Use | None = None
    control: bool = False

    @property
    def slots(self) -> tuple[int, int] | str:
        """The key as the graph has it; files once had the slots as a list."""
        out, mark, into = self.key.partition(">") if isinstance(self.key, str) else ("", "", "")
        if mark and out.isdecimal() and into.isdecimal():
            return int(out), int(into)
        return self.key


class _About(msgspec.Struct):
    seen: GraphSeen


class _Document(msgspec.Struct):
    schema: str
    graph: _About
    nodes: list[_Node]
    edges: list[_Edge]


def loads(data: bytes) -> Graph:
    """The graph that `dumps` wrote.

    Raises:
        BadRunFile: It is no such document, of another version, or its edges and nodes disagree.
    """
    from graphlens.ir import Graph  # as in `dumps`

    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRunFile(f"not a graph written by graphlens: {error}") from error
    if document.schema != SCHEMA:
        raise BadRunFile(f"the graph's schema is {document.schema!r}, this is {SCHEMA!r}; upgrade graphlens")
    graph = Graph(document.graph.seen)
    leaves = {one.leaf.value: one.leaf for one in document.nodes if one.leaf is not None}
    for one in document.nodes:
        if one.node is not None:
            graph.add(one.node, one.reads, leaves)
    wanted = {(edge.source, edge.target, edge.slots) for edge in document.edges}
    found = {(source, target, key) for source, target, key in graph.nx.edges(keys=True)}
    if wanted != found:
        odd = min(wanted ^ found, key=repr)
        raise BadRunFile(f"damaged graph: edge {odd} does not go with what its nodes read")
    try:
        graph.check()
    except AssertionError as error:
        raise BadRunFile(f"damaged graph: {error}") from error
    return graph
