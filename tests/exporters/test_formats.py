"""Every format, with whatever a script may have called things: well-formed, and inert."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import networkx as nx
import pytest

from exporters_shared import HOSTILE, exported, hostile_run, needs
from factories import LogWriter, new_run, ran, seen, write_run
from graphlens.exporters import Options, Partitioned, check, exporter_for, exporters, mermaid
from graphlens.exporters._writing import save, write
from graphlens.exporters.nodelink import loads
from graphlens.store import Run
from graphlens.text import clean
from graphlens_tracers.errors import CannotWrite, FileExists, NotInstalled
from graphlens_tracers.events import RunStarted

UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small transformer, three steps, the last two with NaN."""
    return Run(write_run(tmp_path_factory.mktemp("runs") / "train.glens", nodes=300, steps=3, nan_from=1))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Modules, operations, parameters, files and graphs are called as nobody should."""
    return hostile_run(tmp_path_factory.mktemp("runs") / "hostile.glens")


# ── which there are ──────────────────────────────────────────────────────────────────────────


def test_longer_suffix_goes_first() -> None:
    found = {
        name: exporter_for(name).name for name in ("a.json", "a.trace.json", "B.EXPLORER.JSON", "a.b.svg")
    }

    assert found == {
        "a.json": "json",
        "a.trace.json": "trace",
        "B.EXPLORER.JSON": "explorer",
        "a.b.svg": "svg",
    }


def test_every_exporter_is_found_by_its_suffix_and_by_its_name() -> None:
    for one in exporters():
        assert exporter_for(f"a{one.suffix}").name == one.name
        assert exporter_for("-", one.name).name == exporter_for("-", one.suffix[1:]).name == one.name


def test_what_is_not_installed_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in (("a.png", "cairosvg"), ("a.parquet", "pyarrow")):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(
            NotInstalled, match=r"needs \w+: pip install 'graphlens\[\w+\]' \[not-installed\]"
        ):
            check(exporter_for(name))


def test_library_that_does_not_load_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """CairoSVG raises an OSError where the system has no libcairo."""

    def load(name: str) -> None:
        raise OSError("no library called cairo-2 was found\ncannot load library")

    exporter = exporter_for("a.pdf")
    monkeypatch.setattr("graphlens.exporters.importlib.import_module", load)
    with pytest.raises(NotInstalled, match=r"which does not load: no library called cairo-2 was found \["):
        check(exporter)


# ── hostile names ────────────────────────────────────────────────────────────────────────────


def test_hostile_xml_is_well_formed(hostile: Run) -> None:
    for name in ("svg", "graphml"):
        data = exported(hostile, name)

        ET.fromstring(data)
        assert not UNSEEN.search(data.decode()), name
        assert b"<script" not in data and b"<!ENTITY" not in data


def test_hostile_json_is_json(hostile: Run) -> None:
    for name in ("json", "explorer", "trace"):
        json.loads(exported(hostile, name))


def test_hostile_names_are_text_to_mermaid(hostile: Run) -> None:
    """Not one of its own signs in a label, and none outside of one that is not ours."""
    text = exported(hostile, "mermaid").decode()
    lines = text.splitlines()[4:]
    label = r'"(?:[\w _\-.,:=+/×→∇›…?*()\[\]]|#\d+;|<br/>)*"'
    box = rf"[nb]\d+(?:\(\[{label}\]\)|\[\[{label}\]\]|\[{label}\]|\({label}\))(?::::\w+)?"
    link = rf"[nb]\d+ (?:-->|-\.->|==>)(?:\|{label}\|)? [nb]\d+"
    rule = rf"\s*(?:{box}|{link}|subgraph s\d+\[{label}\]|end|classDef [\w:#,. -]+)"

    assert [line for line in lines if not re.fullmatch(rule, line)] == []
    assert not UNSEEN.search(text)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_coded_label_reads_back(name: str) -> None:
    coded = mermaid.quoted(name)[1:-1]
    back = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), coded)

    assert back == (clean(name, mermaid.MOST) or " ")


def test_hostile_names_are_no_formulas(hostile: Run) -> None:
    rows = list(csv.reader(io.StringIO(exported(hostile, "csv").decode())))

    assert len({len(row) for row in rows}) == 1 and len(rows) > len(HOSTILE)
    texts = [
        cell for row in rows for at, cell in enumerate(row) if rows[0][at] in ("op", "module", "file", "run")
    ]
    assert any("cmd" in cell for cell in texts)
    assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert not [cell for cell in texts if UNSEEN.search(cell) or len(cell) > 32_767]


def test_hostile_names_make_no_nodes_in_graphviz(hostile: Run) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    done = subprocess.run(
        ["dot", "-Tplain"], input=exported(hostile, "dot"), capture_output=True, check=False
    )

    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    assert all(
        re.fullmatch(r"[nb]\d+", one) for one in re.findall(r"^node (\S+)", done.stdout.decode(), re.M)
    )


def test_hostile_pictures_are_drawn(hostile: Run) -> None:
    for name, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        if not needs(exporter_for("-", name)):
            pytest.skip("CairoSVG is not installed, or has no libcairo")
        assert exported(hostile, name).startswith(magic)


# ── the graph ────────────────────────────────────────────────────────────────────────────────


def attributes(graph: nx.MultiDiGraph[Any]) -> tuple[Any, Any]:
    """Nodes and edges of either file as JSON has them, sorted."""
    nodes = {}
    for key, data in graph.nodes(data=True):
        name = key if str(key).startswith(("leaf:", "op:")) else f"op:{key}"
        nodes[name] = {
            kind: json.loads(data[kind]) if isinstance(data[kind], str) else data[kind]
            for kind in ("node", "leaf", "reads")
            if kind in data
        }
    edges = []
    for source, target, data in graph.edges(data=True):
        ends = [one if str(one).startswith(("leaf:", "op:")) else f"op:{one}" for one in (source, target)]
        use = data.get("use", {"value": data.get("value"), "slot": data.get("slot")})
        edges.append((*ends, use["value"], use["slot"], bool(data.get("control"))))
    return nodes, sorted(edges, key=repr)


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_graphml_and_json_are_the_same_graph_to_networkx(which: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(which)
    document = json.loads(exported(run, "json"))
    of_json = nx.node_link_graph(document, edges="edges")
    of_graphml = nx.read_graphml(io.BytesIO(exported(run, "graphml")), force_multigraph=True)
    of_run = loads(exported(run, "json")).nx

    assert attributes(of_graphml) == attributes(of_json)
    assert len(of_run) == len(of_json) and of_run.number_of_edges() == of_json.number_of_edges()
    if which == "run":
        facts = next(
            data for _, data in of_graphml.nodes(data=True) if data["label"] == "aten._softmax.default"
        )
        assert (facts["phase"], facts["file"], facts["line"]) == ("forward", "train.py", 11)
        assert facts["module"] == "h.0.attn" and facts["tensor"] == "f32[8,64]"


def test_model_explorer_has_every_operation_and_edge(run: Run) -> None:
    (graph,) = json.loads(exported(run, "explorer"))["graphs"]
    truth = nx.node_link_graph(json.loads(exported(run, "json")), edges="edges")
    known = {node["id"] for node in graph["nodes"]}
    edges = [(edge["sourceNodeId"], node["id"]) for node in graph["nodes"] for edge in node["incomingEdges"]]

    assert known == {str(node) for node in truth}
    assert sorted(edges) == sorted((str(source), str(target)) for source, target, _ in truth.edges(keys=True))
    softmax = next(node for node in graph["nodes"] if node["label"] == "aten._softmax.default")
    assert softmax["namespace"] == "h/0/attn"


# ── what ran ─────────────────────────────────────────────────────────────────────────────────


def test_trace_has_every_operation_inside_of_its_step(run: Run) -> None:
    document = json.loads(exported(run, "trace"))
    events = document["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    steps = {event["name"]: event for event in spans if event["cat"] == "step"}
    ops = {event["args"]["op"]: event for event in spans if "op" in event.get("args", {})}
    rows = run.main.rows(0, run.main.end)

    assert set(ops) == set(rows.seq.tolist())
    assert [ops[seq]["dur"] for seq in rows.seq.tolist()] == [took / 1000 for took in rows.took.tolist()]
    assert list(steps) == ["setup", "train 0", "train 1", "train 2"]
    for call in run.main.calls():
        step = steps["setup" if call.step is None else f"train {call.step}"]
        for seq in (call.first, call.last):
            assert step["ts"] <= ops[seq]["ts"]
            assert ops[seq]["ts"] + ops[seq]["dur"] <= step["ts"] + step["dur"] + 0.001


def test_spans_of_a_trace_nest(run: Run) -> None:
    """What Perfetto calls misplaced: a span that ends inside of one that it did not begin in."""
    spans = [event for event in json.loads(exported(run, "trace"))["traceEvents"] if event["ph"] == "X"]
    stack: list[float] = []
    for event in sorted(spans, key=lambda event: (event["ts"], -event["dur"])):
        end = event["ts"] + event["dur"]
        while stack and stack[-1] <= event["ts"] + 0.0005:
            stack.pop()
        assert not stack or end <= stack[-1] + 0.0005, event
        stack.append(end)


def test_table_says_what_the_run_says(run: Run) -> None:
    """Against the reader's own account of each operation."""
    rows = list(csv.DictReader(io.StringIO(exported(run, "csv").decode())))

    assert [int(row["seq"]) for row in rows] == list(range(run.main.end))
    for row in (rows[0], rows[5], rows[400], rows[-1]):
        op = run.main.op(int(row["seq"]))  # type: ignore[arg-type]  # a number is a Seq
        outputs = json.loads(row["outputs"])
        assert row["op"] == op.node.op and row["phase"] == op.node.phase and int(row["took_ns"]) == op.took_ns
        assert [tuple(one["shape"]) for one in outputs] == [one.spec.shape for one in op.outputs]
        assert (row["nan"] == "1") == any(one.finite is False for one in op.outputs)
        assert row["step"] == ("" if op.call is None or op.call.step is None else str(op.call.step))


def test_one_step_of_a_table(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(run, "csv", Options(step=1)).decode())))

    assert {row["step"] for row in rows} == {"1"}
    assert len(rows) == len(run.main.order(run.main.calls()[1].graph))


def test_parquet_is_the_csv(run: Run, hostile: Run, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    for one in (run, hostile):
        table = pq.read_table(io.BytesIO(exported(one, "parquet"))).to_pylist()
        rows = list(csv.DictReader(io.StringIO(exported(one, "csv").decode())))

        assert len(table) == len(rows)
        for found, said in zip(table, rows, strict=True):
            for name in (
                "seq",
                "step",
                "node",
                "rank",
                "thread",
                "began_ns",
                "took_ns",
                "line",
                "call",
                "graph",
            ):
                assert str("" if found[name] is None else found[name]) == said[name], name
            assert ["" if found[name] is None else repr(found[name]) for name in ("min", "max")] == [
                said["min"], said["max"],
            ]  # fmt: skip
            assert found["inputs"] == json.loads(said["inputs"])
            assert [one["shape"] for one in found["outputs"]] == [
                one["shape"] for one in json.loads(said["outputs"])
            ]


def test_folder_has_a_file_for_each_process(tmp_path: Path) -> None:
    """Two ranks, and a worker of the second; the run's name is one that no path can hold."""
    place = tmp_path / "ranks.glens"
    log = new_run(place, name="a/b=c d")
    log.declare(RunStarted(("train.py",), log.pid, 0, world=2))
    for pid, rank in ((77, 1), (78, 1)):
        other = LogWriter(place, pid=pid, nonce=f"{pid:08x}")
        other.declare(RunStarted(("train.py",), pid, rank, world=2, parent=77 if pid == 78 else 4242))
        for one in (log, other) if pid == 77 else (other,):
            one.declare(*seen(ran(0, inputs=[9])))
            one.ran(0, 0)
    parquet = exporter_for("a.parquet")
    assert isinstance(parquet, Partitioned)
    run = Run(place)
    parts = [path for path, _ in parquet.parts(run, Options())]

    assert parts == ["rank=0/process-0.parquet", "rank=1/process-1.parquet", "rank=1/process-2.parquet"]
    assert parquet.part_of(run.info.name) == "run=a%2Fb%3Dc%20d"
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    save(parquet, run, f"{tmp_path}/runs/", Options(), force=False)
    table = pq.read_table(tmp_path / "runs").to_pylist()
    assert [(row["run"], row["rank"], row["process"]) for row in table] == [
        ("a/b=c d", rank, process) for rank, process in ((0, 0), (1, 1), (1, 2)) for _ in range(2)
    ]
    with pytest.raises(FileExists):
        save(parquet, run, f"{tmp_path}/runs/", Options(), force=False)


def test_folder_is_there_whole_or_not_at_all(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(run: Run, options: Options) -> Iterator[tuple[str, Callable[[BinaryIO], None]]]:
        yield "rank=0/process-0.parquet", lambda file: None

        def fails(file: BinaryIO) -> None:
            raise OSError(28, "No space left on device")

        yield "rank=1/process-1.parquet", fails

    parquet = exporter_for("a.parquet")
    monkeypatch.setattr(type(parquet), "parts", lambda _, run, options: half(run, options))
    for there in (False, True):
        if there:
            (tmp_path / "runs").mkdir()
        with pytest.raises(CannotWrite, match="No space left on device"):
            save(parquet, run, f"{tmp_path}/runs/", Options(), force=False)
        assert [*tmp_path.iterdir()] == ([tmp_path / "runs"] if there else [])
        assert not there or list((tmp_path / "runs").iterdir()) == []


def test_csv_is_written_where_no_one_can_seek(run: Run, tmp_path: Path) -> None:
    """Exporters write front to back, so that a pipe would do."""
    size = write(
        tmp_path / "a.csv", lambda file: exporter_for("a.csv").export(run, file, Options()), force=False
    )

    assert size == len(exported(run, "csv"))
