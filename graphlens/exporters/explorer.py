"""A graph for Google's Model Explorer, which draws tens of thousands of operations, by module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from graphlens.exporters import Options
from graphlens.ir import leaf_key
from graphlens.letters import bytes_text, elements, size_bytes, spec_text
from graphlens.plain import inside, shown_path
from graphlens.text import clean
from graphlens_tracers.events import Phase

if TYPE_CHECKING:
    from graphlens.exporters._chosen import Chosen
    from graphlens.store import Run

_Node = dict[str, Any]  # Any: JSON


class Explorer:
    """The exporter."""

    name = "explorer"
    suffix = ".explorer.json"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses."""
        from graphlens.exporters._chosen import chosen

        out.write(
            json.dumps(collection(chosen(run, options), run.info.cwd), separators=(",", ":")).encode() + b"\n"
        )


EXPORTER = Explorer()


def collection(picked: Chosen, cwd: str = "") -> _Node:
    """What Model Explorer calls a graph collection."""
    graph = picked.process.graph(picked.seen.graph)
    nodes = [_leaf(picked, graph, leaf) for leaf in graph.leaves()]
    nodes += [_op(picked, graph, node, cwd) for node in graph.order]
    name = clean(picked.seen.name) or "graph"
    return {"label": name, "graphs": [{"id": name, "nodes": nodes}]}


def _leaf(picked: Chosen, graph: Any, leaf: Any) -> _Node:
    """A parameter is in its module, what is fed in outside of all, anything else where it is read first."""
    module, _, name = leaf.name.rpartition(".")
    if leaf.kind in ("parameter", "buffer"):
        space = _space(module)
    else:
        name = leaf.name
        reader = min(graph.nx.successors(leaf_key(leaf.value)), default=None)
        fed = leaf.kind == "batch" and elements(leaf.spec)
        space = "" if fed or reader is None else _space_of(picked, graph.node(reader))
    return {
        "id": leaf_key(leaf.value),
        "label": clean(name) or leaf.kind,
        "namespace": space,
        "attrs": _facts(kind=leaf.kind, name=leaf.name),
        "incomingEdges": [],
        "outputsMetadata": [_output(0, leaf.spec)],
    }


def _op(picked: Chosen, graph: Any, node: Any, cwd: str) -> _Node:
    process = picked.process
    seen = graph.node(node)
    site = process.site_of(seen)
    edges = []
    for source, _, data in graph.nx.in_edges(node, data=True):
        if "use" in data:
            maker = graph.producer(data["use"].value) if not isinstance(source, str) else None
            slot = 0 if maker is None else maker[1]
            edges.append((str(source), str(slot), data["use"].slot))
    return {
        "id": str(node),
        "label": clean(seen.op),
        "namespace": _space_of(picked, seen),
        "attrs": _facts(
            phase=str(seen.phase),
            source="" if site is None else f"{shown_path(site.file, cwd)}:{site.line}",
            arguments=seen.form,
            forward="" if seen.twin is None else str(seen.twin),
            formula=seen.formula,
        ),
        "incomingEdges": [
            {"sourceNodeId": source, "sourceNodeOutputId": slot, "targetNodeInputId": str(into)}
            for source, slot, into in sorted(edges, key=lambda edge: edge[2])
        ],
        "outputsMetadata": [_output(slot, output.spec) for slot, output in enumerate(seen.outputs)],
    }


def _space_of(picked: Chosen, seen: Any) -> str:
    """The phase, unless it is the forward pass, and the module."""
    module = inside(picked.process.scope_path(seen)) if seen.scope is not None else ""
    phase = "" if seen.phase is Phase.FORWARD else str(seen.phase)
    return "/".join(part for part in (phase, _space(module)) if part)


def _space(module: str) -> str:
    return "/".join(clean(part.replace("/", "∕")) for part in module.split(".") if part)


def _facts(**facts: str) -> list[_Node]:
    return [{"key": key, "value": clean(value, 400)} for key, value in facts.items() if value]


def _output(slot: int, spec: Any) -> _Node:
    facts = {
        "tensor_shape": spec_text(spec),
        "size": bytes_text(size_bytes(spec)),
        "device": clean(spec.device),
    }
    return {"id": str(slot), "attrs": [{"key": key, "value": value} for key, value in facts.items()]}
