"""A part of a graph, to be drawn by itself: one module, or what is near an operation.

What comes from outside the part is drawn as coming from before, and what is read outside as a result.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections import deque

from graphlens.categories import short
from graphlens.plain import inside
from graphlens.text import clean
from graphlens.view.subject import CONSTANTS, NO_OPS, Subject
from graphlens_tracers.errors import UnknownName, UnknownOp
from graphlens_tracers.events import LeafSeen, NodeId, NodeSeen, Phase, ScopeId

LISTED = 8
"""Modules that a message names at most."""


def of_module(subject: Subject, path: str) -> Subject:
    """What ran in one module, the modules in it included, and its backward pass.

    Args:
        path: As the model knows it, "transformer.h.3", or with the class of the root before it.

    Raises:
        UnknownName: Nothing of this graph ran in such a module; the message names some that there are.
    """
    wanted = path.strip().strip(".")
    named = {
        scope: seen
        for scope, seen in subject.scopes.items()
        if wanted and wanted in (seen.path, inside(seen.path))
    }
    within = {scope for scope in subject.scopes if _is_in(subject, scope, set(named))}
    picked = {node.node for node in subject.nodes if node.scope in within}
    if not picked:
        raise UnknownName(f"no module {clean(path)!r} in this graph; {_there_are(subject, wanted)}")
    kind = next(iter(named.values())).kind
    return _part(subject, picked, f"{clean(wanted)} ({clean(kind)})" if kind else clean(wanted))


def around(subject: Subject, centre: NodeId, hops: int, called: str) -> Subject:
    """What is at most `hops` operations away from one, along the tensors; hidden no-ops do not count.

    Of an operation of the backward pass it is what surrounds the one that it differentiates.

    Args:
        called: How the operation is named in the title.

    Raises:
        UnknownOp: The graph does not hold it.
    """
    by_id = {node.node: node for node in subject.nodes}
    node = by_id.get(centre)
    if node is not None and node.phase is Phase.BACKWARD and node.twin is not None:
        node = by_id.get(node.twin, node)
    if node is None:
        raise UnknownOp(f"op {called} is not in this graph")
    drawn = (Phase.FORWARD, Phase.DATA)
    phases: set[Phase] = set(drawn) if node.phase in drawn else {node.phase}
    away = _distances(subject, node, phases, hops)
    said = f"{hops} {'hop' if hops == 1 else 'hops'} around op {called}"
    part = _part(subject, set(away), said)
    return dataclasses.replace(part, centre=node.node)


def _distances(subject: Subject, centre: NodeSeen, phases: set[Phase], hops: int) -> dict[NodeId, int]:
    """How far each operation is, those further than `hops` left out."""
    makers: dict[int, NodeSeen] = {}
    users: dict[int, list[NodeSeen]] = {}
    for node in subject.nodes:
        if node.phase in phases:
            makers.update((output.value, node) for output in node.outputs)
            for value in subject.reads(node):
                users.setdefault(value, []).append(node)
    away = {centre.node: 0}
    waiting = deque([centre])
    while waiting:
        node = waiting.popleft()
        near = [makers[value] for value in subject.reads(node) if value in makers]
        near += [user for output in node.outputs for user in users.get(output.value, ())]
        for other in near:
            free = short(other.op) in NO_OPS or short(other.op) in CONSTANTS
            far = away[node.node] + (not free)
            if far <= hops and far < away.get(other.node, hops + 1):
                away[other.node] = far
                (waiting.appendleft if free else waiting.append)(other)
    return away


def _is_in(subject: Subject, scope: ScopeId | None, outer: set[ScopeId]) -> bool:
    """Whether a scope is one of these, or in one."""
    while scope is not None and scope in subject.scopes:
        if scope in outer:
            return True
        scope = subject.scopes[scope].parent
    return False


def _there_are(subject: Subject, wanted: str) -> str:
    """The modules most like the wanted one, then the outermost."""
    ran = {node.scope for node in subject.nodes}
    paths: dict[str, None] = {}
    for scope in ran:
        while scope is not None and scope in subject.scopes:
            paths[inside(subject.scopes[scope].path)] = None
            scope = subject.scopes[scope].parent
    if not paths:
        return "it has no modules"
    near = difflib.get_close_matches(wanted, paths, LISTED, 0.6)
    outer = sorted(paths, key=lambda one: (one.count("."), one))
    found = list(dict.fromkeys([*near, *outer]))[:LISTED]
    more = f" and {len(paths) - len(found):,} more" if len(paths) > len(found) else ""
    return "it has " + ", ".join(clean(one) for one in found) + more


def _part(subject: Subject, picked: set[NodeId], said: str) -> Subject:
    """These operations and their gradients, with ends where the others begin."""
    nodes = [node for node in subject.nodes if node.node in picked or node.twin in picked]
    kept = {node.node for node in nodes}
    made = {output.value for node in nodes for output in node.outputs}
    outside = {
        output.value: (node, output)
        for node in subject.nodes
        if node.node not in kept
        for output in node.outputs
    }
    leaves = dict(subject.leaves)
    for node in nodes:
        for value in subject.reads(node):
            if value in outside and value not in made and value not in leaves:
                maker, output = outside[value]
                leaves[value] = LeafSeen(value, "earlier", f"from {short(maker.op)}", output.spec)
    forward = {node.node for node in subject.nodes if node.phase is not Phase.BACKWARD}
    read = {
        value
        for node in subject.nodes
        if node.node not in kept and node.node in forward
        for value in subject.reads(node)
    }
    ends = {
        node.node for node in nodes if node.node in forward and any(o.value in read for o in node.outputs)
    }
    return dataclasses.replace(
        subject,
        nodes=nodes,
        leaves=leaves,
        ends=frozenset(ends),
        part=said,
        outside=len(subject.nodes) - len(nodes),
    )
