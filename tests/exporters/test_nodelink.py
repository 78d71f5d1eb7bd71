"""The graph itself as JSON: it loads back equal, into plain networkx too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import graphlens
from factories import new_run, out, ran, seen, site, small_run
from graphlens.exporters import Options
from graphlens.exporters.nodelink import EXPORTER, SCHEMA, dumps, loads
from graphlens.ir import Graph
from graphlens.store import Run
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import GraphId, ModuleCallSeen, NodeId, ScopeId, ScopeSeen


def read(path: Path) -> Run:
    """The run at a path."""
    run: Run = graphlens.load(path)
    run.refresh()
    return run


def graph_of(path: Path) -> Graph:
    """Graph 0 of the run's only process."""
    return read(path).main.graph(GraphId(0))


def same(a: Graph, b: Graph) -> None:
    """Every fact of both is equal, order included."""
    assert a.seen == b.seen
    assert a.order == b.order
    assert dict(a.nx.nodes(data=True)) == dict(b.nx.nodes(data=True))
    assert list(a.nx.edges(keys=True, data=True)) == list(b.nx.edges(keys=True, data=True))
    assert [a.reads(node) for node in a.order] == [b.reads(node) for node in b.order]


NODES = [
    ran(0, inputs=[100, None, 101], outputs=[out(0, 2, 3), out(1, ranged="")], form='[["$0",null],"$1",1.5]'),
    ran(1, inputs=[0, 0], outputs=[out(2, 2, 3)]),
    ran(2, inputs=[2], outputs=[out(3, 2, 3, alias=0)], writes=((0, 0),), controls=(NodeId(0),)),
]


def test_loads_back_equal(tmp_path: Path) -> None:
    """The same value twice, a missing argument, two outputs, a view, a write, an order without a value."""
    small_run(tmp_path / "a.glens", *NODES)
    graph = graph_of(tmp_path / "a.glens")
    again = loads(dumps(graph))

    same(graph, again)
    assert dumps(again) == dumps(graph)


def test_exporter_writes_modules_and_lines_too(tmp_path: Path) -> None:
    log = new_run(tmp_path / "a.glens")
    log.declare(
        ScopeSeen(ScopeId(0), None, "Net", "Net"),
        ScopeSeen(ScopeId(1), ScopeId(0), "Net.fc", "Linear"),
        ModuleCallSeen(0, None, ScopeId(0)),  # type: ignore[arg-type]  # ids as plain numbers
        ModuleCallSeen(1, 0, ScopeId(1)),  # type: ignore[arg-type]
        site(0, 3),
        site(1, 7, outer=0),
    )
    log.declare(*seen(ran(0, inputs=[9], outputs=[out(1, 2)], scope=ScopeId(1), module_call=1, site=1)))
    log.ran(0)
    with (tmp_path / "out.json").open("wb") as file:
        EXPORTER.export(read(tmp_path / "a.glens"), file, Options())
    document = json.loads((tmp_path / "out.json").read_text())

    assert document["schema"] == SCHEMA == "graphlens/graph/1"
    assert [scope["path"] for scope in document["graph"]["scopes"]] == ["Net", "Net.fc"]
    assert [one["line"] for one in document["graph"]["sites"]] == [3, 7]
    same(graph_of(tmp_path / "a.glens"), loads((tmp_path / "out.json").read_bytes()))


def test_networkx_reads_it_by_itself(tmp_path: Path) -> None:
    small_run(tmp_path / "a.glens", *NODES)
    graph = graph_of(tmp_path / "a.glens")
    plain = nx.node_link_graph(json.loads(dumps(graph)), edges="edges")

    assert isinstance(plain, nx.MultiDiGraph)
    assert set(plain.nodes) == set(graph.nx.nodes)
    assert set(plain.edges(keys=True)) == {
        (source, target, key if isinstance(key, str) else f"{key[0]}>{key[1]}")
        for source, target, key in graph.nx.edges(keys=True)
    }


def test_keys_as_lists_are_read_too(tmp_path: Path) -> None:
    small_run(tmp_path / "a.glens", *NODES)
    graph = graph_of(tmp_path / "a.glens")
    document = json.loads(dumps(graph))
    for edge in document["edges"]:
        if ">" in edge["key"]:
            edge["key"] = [int(slot) for slot in edge["key"].split(">")]

    same(graph, loads(json.dumps(document).encode()))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.update(schema="graphlens/graph/99"), "graphlens/graph/99"),
        (lambda d: d["edges"].pop(), "edge"),
        (lambda d: d["nodes"][-1]["reads"].__setitem__(0, 77), "edge"),
        (lambda d: d["nodes"].append({"id": "x", "node": 5}), "Expected"),
        (lambda d: d.pop("graph"), "graph"),
    ],
)
def test_damaged_document_is_refused(tmp_path: Path, change: Any, what: str) -> None:
    small_run(tmp_path / "a.glens", *NODES)
    document = json.loads(dumps(graph_of(tmp_path / "a.glens")))
    change(document)

    with pytest.raises(BadRunFile, match=what):
        loads(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": 3}', b"null"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadRunFile):
        loads(data)


def test_numbers_json_has_none_for_do_not_break_it(tmp_path: Path) -> None:
    """A form keeps NaN and infinities as its own text; names may hold half characters."""
    small_run(tmp_path / "a.glens", ran(0, inputs=[5], outputs=[out(1)], form='["$0", NaN]', key="\ud800"))
    graph = graph_of(tmp_path / "a.glens")
    document = dumps(graph)

    json.loads(document.decode())  # strict UTF-8
    assert loads(document).node(NodeId(0)).form == graph.node(NodeId(0)).form
