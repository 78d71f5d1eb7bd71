"""The graphs of a process as a list: ways through a step, functions, and the branches and bodies in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlens.calls import Call
from graphlens.categories import short
from graphlens.process import Process
from graphlens_tracers.events import GraphId, GraphSeen, NodeId

STEPS = ("step", "setup", "session", "stream")
"""Kinds of graphs that are ways through a part of the script; variants of them have operations in common."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A graph in the list.

    Attributes:
        depth: How many graphs of the list it is in: a branch is in its function.
        nodes: How many operations it has.
        calls: How often it ran.
        ran: Its calls that had an operation: the first and the last one; None where it has none.
        variant_of: The first graph that is the same but for its way: a step of the same name, an
            earlier trace of the same function; None for that one itself.
    """

    seen: GraphSeen
    depth: int
    nodes: int
    calls: int
    ran: tuple[Call, Call] | None
    variant_of: GraphId | None


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two ways are first not the same.

    Attributes:
        position: Operations before it: they are the same, and read the same.
        node, instead: What each has there; None where it ended before.
    """

    position: int
    node: NodeId | None
    instead: NodeId | None

    @property
    def rewired(self) -> bool:
        """Whether the operation is the same, and only what it reads is not."""
        return self.node == self.instead


def catalog(process: Process) -> list[Entry]:
    """Every graph, a variant after what it is a variant of, a branch or body after what it is in."""
    with process.lock:
        graphs, calls = process.graphs(), process.calls()
        nodes = {seen.graph: len(process.order(seen.graph)) for seen in graphs}
    counts: dict[GraphId, int] = {}
    ran: dict[GraphId, tuple[Call, Call]] = {}
    for call in calls:
        counts[call.graph] = counts.get(call.graph, 0) + 1
        if call.last >= call.first:
            ran[call.graph] = ran.get(call.graph, (call, call))[0], call
    firsts: dict[tuple[GraphId | None, str, str], GraphId] = {}
    children: dict[GraphId | None, list[tuple[GraphSeen, GraphId | None]]] = {}
    known = {seen.graph for seen in graphs}
    for seen in graphs:
        parent = seen.parent if seen.parent in known and seen.parent != seen.graph else None
        kin = (parent, seen.kind, seen.family or seen.name.partition("#")[0])
        first = firsts.setdefault(kin, seen.graph)
        children.setdefault(parent, []).append((seen, None if first == seen.graph else first))
    return [
        Entry(seen, depth, nodes[seen.graph], counts.get(seen.graph, 0), ran.get(seen.graph), first)
        for seen, depth, first in _walk(children)
    ]


def _walk(
    children: dict[GraphId | None, list[tuple[GraphSeen, GraphId | None]]],
) -> Iterator[tuple[GraphSeen, int, GraphId | None]]:
    waiting = [(seen, 0, first) for seen, first in reversed(_kin_together(children.get(None, ())))]
    told: set[GraphId] = set()
    while waiting:
        seen, depth, first = waiting.pop()
        if seen.graph in told:
            continue
        told.add(seen.graph)
        yield seen, depth, first
        inner = _kin_together(children.get(seen.graph, ()))
        waiting += [(one, depth + 1, other) for one, other in reversed(inner)]


def _kin_together(
    graphs: Sequence[tuple[GraphSeen, GraphId | None]],
) -> list[tuple[GraphSeen, GraphId | None]]:
    """Variants behind the first of them; what is in a function comes after it by itself."""
    places = {seen.graph: at for at, (seen, _) in enumerate(graphs)}
    return sorted(graphs, key=lambda one: (places[one[0].graph if one[1] is None else one[1]], one[0].graph))


def parting(process: Process, graph: GraphId, other: GraphId) -> Parting | None:
    """Where a way through a step first differs from another one; None where it does not."""
    with process.lock:
        mine, theirs = process.order(graph), process.order(other)
        for at, (node, instead) in enumerate(zip(mine, theirs, strict=False)):
            if node != instead or process.inputs(graph, node) != process.inputs(other, node):
                return Parting(at, node, instead)
    if len(mine) == len(theirs):
        return None
    at = min(len(mine), len(theirs))
    return Parting(at, mine[at] if at < len(mine) else None, theirs[at] if at < len(theirs) else None)


def parting_of(process: Process, entry: Entry) -> str:
    """Where the way of a variant first differs, in words; "" for what is no way through a step."""
    if entry.variant_of is None or entry.seen.kind not in STEPS:
        return ""
    found = parting(process, entry.seen.graph, entry.variant_of)
    return "" if found is None else parting_text(process, found)


def parting_text(process: Process, parting: Parting) -> str:
    """ "op 4: relu train.py:12, not gelu train.py:13"; counted within the way, and not made safe to show."""
    if parting.rewired:
        return f"op {parting.position}: {_place(process, parting.node)} reads otherwise"
    mine, instead = _place(process, parting.node), _place(process, parting.instead)
    if mine == instead:  # the same line, called from elsewhere or in another call of a module
        return f"op {parting.position}: another {mine}"
    return f"op {parting.position}: {mine}, not {instead}"


def _place(process: Process, node: NodeId | None) -> str:
    seen = None if node is None else process.nodes.get(node)
    if seen is None:
        return "its end"
    site = process.site_of(seen)
    name = short(seen.op)
    return name if site is None else f"{name} {site.file.rpartition('/')[2]}:{site.line}"
