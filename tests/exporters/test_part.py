"""A part of a graph: one module, or what is near an operation; and links, and pictures without health."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from exporters_shared import exported, hostile_run, needs
from factories import OpRow, new_run, out, ran, seen, write_run
from graphlens.cli import main
from graphlens.exporters import Drawn, Options, check, exporter_for, exporters
from graphlens.exporters._chosen import chosen, subject_for
from graphlens.exporters._links import check_template
from graphlens.exporters._part import around, of_module
from graphlens.exporters.svg import picture
from graphlens.store import Run
from graphlens.view import view_of
from graphlens.view.subject import NO_OPS, Subject, illnesses
from graphlens_tracers.errors import UnknownName, UnknownOp, Usage
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, NodeId, Phase, Seq
from models import Model, residual, transformer

HREF = re.compile(r'href="([^"]*)"')


def forward(subject: Subject) -> list[NodeId]:
    """The operations of the forward pass."""
    return [node.node for node in subject.nodes if node.phase is Phase.FORWARD]


# ── a module ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["h.3", "GPT.h.3", "h.3.attn", " h.3. "])
def test_module_is_what_ran_in_it_and_its_gradients(path: str) -> None:
    whole = transformer(6).subject()
    part = of_module(whole, path)
    name = path.strip(" .").removeprefix("GPT.")
    inside = {
        node.node
        for node in whole.nodes
        if node.scope is not None and f"{whole.scopes[node.scope].path}.".startswith(f"GPT.{name}.")
    }

    assert inside
    assert {node.node for node in part.nodes} == inside | {n.node for n in whole.nodes if n.twin in inside}
    assert part.outside == len(whole.nodes) - len(part.nodes)


def test_module_begins_with_what_it_is_fed_and_ends_with_what_is_read_outside() -> None:
    view = view_of(of_module(transformer(6).subject(), "h.3"))
    ends = [box for box in view.boxes if box.sort == "output"]

    assert view.title == "GPT · h.3 (Block)"
    assert [box.name for box in view.boxes if box.sort == "constant"][:1] == ["from add"]
    assert [box.name for box in ends] == ["output"]
    assert any(note.startswith("not in this part: ") for note in view.notes)


def test_module_that_is_not_there_is_named_with_those_that_are() -> None:
    subject = transformer(6).subject()

    with pytest.raises(UnknownName, match=r"no module 'h\.33' in this graph; it has h\.3, "):
        of_module(subject, "h.33")
    for nothing in ("", ".", "h"):
        with pytest.raises(UnknownName, match="no module"):
            of_module(subject, nothing)
    flat = Model()
    flat.op("exp", flat.batch("x", 2))
    with pytest.raises(UnknownName, match="it has no modules"):
        of_module(flat.subject(), "h")


# ── around an operation ──────────────────────────────────────────────────────────────────────


def distances(subject: Subject, centre: NodeId) -> dict[NodeId, int]:
    """How far operations of the forward pass are from one, by networkx."""
    wires: nx.Graph[NodeId] = nx.Graph()
    makers = {output.value: node.node for node in subject.nodes for output in node.outputs}
    drawn = set(forward(subject))
    wires.add_nodes_from(drawn)
    for node in subject.nodes:
        if node.node in drawn:
            for value in subject.reads(node):
                if makers.get(value) in drawn:
                    wires.add_edge(makers[value], node.node)
    return dict(nx.single_source_shortest_path_length(wires, centre))


@pytest.mark.parametrize("hops", [0, 1, 2, 5])
def test_around_is_what_is_so_many_hops_away(hops: int) -> None:
    whole = residual(4).subject()
    assert not any(node.op.split(".")[1] in NO_OPS for node in whole.nodes)
    for centre in forward(whole)[::5]:
        wanted = {node for node, far in distances(whole, centre).items() if far <= hops}

        assert set(forward(around(whole, centre, hops, "1"))) == wanted


def test_no_ops_are_no_hops() -> None:
    model = Model()
    x = model.op("exp", model.batch("x", 4))
    for _ in range(5):
        x = model.op("detach", x)
    x = model.op("sin", x)
    model.op("cos", x)
    subject = model.subject()
    near = around(subject, subject.nodes[0].node, 1, "0")

    assert [node.op.split(".")[1] for node in near.nodes] == ["exp", *["detach"] * 5, "sin"]


def test_a_gradient_is_surrounded_by_what_its_forward_is() -> None:
    whole = transformer(3).subject()
    back = next(node for node in whole.nodes if node.twin is not None)
    assert back.twin is not None
    one, other = around(whole, back.node, 2, "7"), around(whole, back.twin, 2, "7")

    assert [node.node for node in one.nodes] == [node.node for node in other.nodes]
    assert one.centre == back.twin


def test_the_centre_is_marked_and_nothing_is_folded() -> None:
    whole = transformer(12).subject()
    centre = forward(whole)[100]
    part = around(whole, centre, 6, "100 (x)")
    view = view_of(part)
    marked = [box for box in view.boxes if box.centre]

    assert [centre in box.members for box in marked] == [True]
    assert all(box.repeat == 1 for box in view.boxes) and all(one.repeat == 1 for one in view.frames)
    assert picture(part).count('class="centre"') == 1
    assert view.title == "GPT · 6 hops around op 100 (x)"


# ── in a run ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small transformer, three steps, the last two with NaN."""
    return write_run(tmp_path_factory.mktemp("runs") / "train.glens", nodes=300, steps=3, nan_from=1)


def test_every_picture_takes_a_part_and_nothing_else_does(path: Path) -> None:
    run = Run(path)
    everything = {one.name: exported(run, one.name) for one in exporters() if needs(one)}
    for exporter in exporters():
        options = Options(around="40", hops=1)
        if isinstance(exporter, Drawn):
            check(exporter, options) if needs(exporter) else None
            if needs(exporter):
                assert exported(run, exporter.name, options) != everything[exporter.name]
        else:
            with pytest.raises(Usage, match="it has no use for 'around'"):
                check(exporter, options)

    assert {one.name for one in exporters() if isinstance(one, Drawn)} == {
        "svg", "png", "pdf", "dot", "mermaid", "html",
    }  # fmt: skip


def test_around_chooses_the_graph_and_the_step_that_the_operation_ran_in(path: Path) -> None:
    run = Run(path)
    process = run.processes()[0]
    for seq in (5, 305, 605):
        picked = chosen(run, Options(around=str(seq)))
        call = process.call_at(Seq(seq))
        assert call is not None and picked.call is not None
        assert (picked.call.call, picked.call.step) == (call.call, call.step)
    assert subject_for(run, Options(around="0:5")).centre == process.rows(Seq(5), Seq(6)).node[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--module", "nope"], "no module 'nope' in this graph; it has "),
        (["--around", "99999"], "no op 99999: main has "),
        (["--around", "-1"], "'-1' is not the number of an op"),
        (["--around", "5", "--step", "2"], "op 5 is not in step 2: it ran in step 0"),
        (["--around", "5", "--graph", "nope"], "no graph 'nope'"),
        (["--around", "7:5"], "no process 7"),
        (["--hops", "3"], "--hops goes with --around"),
        (["--around", "5", "--module", "h"], "one part at a time"),
        (["--link-template", "javascript:{file}"], "not with 'javascript'"),
        (["--link-template", "https://{file}"], "where it leads to before its first name"),
        (["--link-template", "https://host/{user}"], "a link's names are {file}, {path} and {line}"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    options = [f"{words[0]}={words[1]}", *words[2:]]
    assert main(["export", str(path), "-o", str(tmp_path / "a.svg"), *options]) in (1, 2)
    heard = capsys.readouterr()
    assert said in heard.err and heard.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_health_nothing_is_ill(path: Path) -> None:
    run = Run(path)
    with_it, without = exported(run, "svg").decode(), exported(run, "svg", Options(health=False)).decode()

    assert "born here" in with_it and "born here" not in without
    assert "health not drawn" in without
    page = exported(run, "html", Options(health=False)).decode()
    assert '"born":[]' in page and '"ill":{}' in page


# ── health through views ─────────────────────────────────────────────────────────────────────


def test_a_view_of_a_nan_is_no_place_where_it_ends(tmp_path: Path) -> None:
    """Views have no range of their own: what reads one reads the NaN that it is a view of."""
    log = new_run(tmp_path / "views.glens")
    view = [out(1, 2, ranged="", alias=0)]
    part = [out(4, 1, ranged="", alias=0)]
    nodes = [
        ran(0, op="aten.log.default"),
        ran(1, inputs=[0], outputs=view, op="aten.view.default"),
        ran(2, inputs=[1], op="aten.mul.Tensor"),
        ran(3, inputs=[2], op="aten.sum.default"),
        ran(4, inputs=[0], outputs=part, op="aten.slice.Tensor"),
        ran(5, inputs=[4], op="aten.neg.default"),
    ]
    log.declare(*seen(*nodes))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    nan, fine = [(np.nan, np.nan)], [(0.0, 1.0)]
    log.ran(OpRow(0, nan), OpRow(1), OpRow(2, nan), OpRow(3, nan), OpRow(4), OpRow(5, fine))
    log.calls(CallEnded(CallId(0), Seq(5)))
    log.finish()
    subject = subject_for(Run(tmp_path / "views.glens"), Options())
    sick = illnesses(subject)

    assert sick.births == (0,)
    assert set(sick.ill) == {0, 1, 2, 3}  # not the slice: what reads it is well


# ── links ────────────────────────────────────────────────────────────────────────────────────

LINK = "https://example.org/tree/{file}#L{line}"


def test_links_lead_where_the_template_says_whatever_files_are_called(tmp_path: Path) -> None:
    run = hostile_run(tmp_path / "hostile.glens")
    options = Options(link=LINK, full=True)
    document = exported(run, "svg", options).decode()
    links = [one.get("href", "") for one in ET.fromstring(document).iter() if "href" in one.attrib]
    page = exported(run, "html", options).decode()
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert data is not None
    links += json.loads(data[1])["links"].values()
    links += re.findall(r'URL="([^"]*)"', exported(run, "dot", options).decode())
    links += re.findall(r'click n\d+ href "([^"]*)"', exported(run, "mermaid", options).decode())

    assert len(links) > 20
    for link in links:
        assert re.fullmatch(r"https://example\.org/tree/[A-Za-z0-9%/._~+-]*#L\d+", link), link
    assert not HREF.findall(exported(run, "svg").decode())


@pytest.mark.parametrize(
    "template",
    [
        "https://github.com/me/it/blob/main/{file}#L{line}", "vscode://file/{path}:{line}",
        "pycharm://open?file={path}&line={line}", "http://localhost:8000/{file}", "HTTPS://a.b/{file}",
    ],
)  # fmt: skip
def test_templates_that_are_good(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    "template",
    [
        "", "{file}", "javascript:alert(1)//{file}", "data:text/html,{file}", "file:///{path}", "https://{file}/x",
        "https:///{file}", "https://host", "https://host/{file", "https://host/{}", "https://host/{file}{x}",
        'https://host/"{file}', "https://host/ {file}", "https://hö/{file}", "//host/{file}", " https://a/{file}",
        "java\nscript://a/{file}", "https://user@{file}/", "https://host/{file}}",
    ],
)  # fmt: skip
def test_templates_that_are_not(template: str) -> None:
    with pytest.raises(Usage):
        check_template(template)


def test_pixels_have_no_links(path: Path) -> None:
    png = exporter_for("a.png")
    if not needs(png):
        pytest.skip("cairosvg is not installed")
    run = Run(path)

    assert exported(run, "png", Options(link=LINK)) == exported(run, "png")


def test_unknown_operation_of_a_graph() -> None:
    with pytest.raises(UnknownOp, match="op 9 is not in this graph"):
        around(residual().subject(), NodeId(10**6), 1, "9")
