"""A graph as GraphML, for Gephi, yEd, igraph and networkx.

Attributes that people read are flat and made safe to show. What was recorded stands beside them as one
JSON text a node, in ASCII: XML has no way to hold a control character, and so nothing is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from graphlens.exporters import Options
from graphlens.letters import spec_text
from graphlens.plain import inside, shown_path
from graphlens.text import clean
from graphlens_tracers.eventtext import plain

if TYPE_CHECKING:
    import networkx as nx

    from graphlens.exporters._chosen import Chosen
    from graphlens.store import Run

SCHEMA = "graphlens/graph/1"


class GraphML:
    """The exporter."""

    name = "graphml"
    suffix = ".graphml"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses."""
        import networkx as nx  # late: it takes its time

        from graphlens.exporters._chosen import chosen

        # Not write_graphml: with lxml installed that writes other bytes.
        nx.write_graphml_xml(flat(chosen(run, options), run.info.cwd), out)
        out.write(b"\n")


EXPORTER = GraphML()


def flat(picked: Chosen, cwd: str = "") -> nx.MultiDiGraph[Any]:
    """The graph with text, numbers and truth values as its only attributes."""
    import networkx as nx  # late, as above

    process = picked.process
    graph = process.graph(picked.seen.graph)
    made: nx.MultiDiGraph[Any] = nx.MultiDiGraph(
        schema=SCHEMA, name=clean(picked.seen.name), seen=_json(graph.seen)
    )
    for key, data in graph.nx.nodes(data=True):
        if "leaf" in data:
            leaf = data["leaf"]
            shown = {"label": leaf.name, "kind": leaf.kind, "tensor": spec_text(leaf.spec)}
            made.add_node(_id(key), **_clean(shown), leaf=_json(leaf))
            continue
        node = data["node"]
        site = process.site_of(node)
        shown = {
            "label": node.op,
            "kind": "op",
            "phase": str(node.phase),
            "module": inside(process.scope_path(node)),
            "file": shown_path(site.file, cwd) if site is not None else "",
            "tensor": ", ".join(spec_text(output.spec) for output in node.outputs[:8]),
        }
        line = {} if site is None else {"line": site.line}
        reads = json.dumps(list(graph.reads(node.node)))
        made.add_node(_id(key), **_clean(shown), **line, node=_json(node), reads=reads)
    for number, (source, target, _, data) in enumerate(graph.nx.edges(keys=True, data=True)):
        edge: dict[str, Any] = {"control": True}
        if "use" in data:
            maker = graph.producer(data["use"].value) if not isinstance(source, str) else None
            edge = {
                "value": data["use"].value,
                "slot": data["use"].slot,
                "from_slot": maker[1] if maker else 0,
            }
        made.add_edge(_id(source), _id(target), f"e{number}", **edge)
    return made


def _id(key: int | str) -> str:
    return key if isinstance(key, str) else f"op:{key}"


def _clean(facts: dict[str, str]) -> dict[str, str]:
    return {key: clean(value) for key, value in facts.items() if value}


def _json(event: object) -> str:
    return json.dumps(plain(event), default=plain, separators=(",", ":"))
