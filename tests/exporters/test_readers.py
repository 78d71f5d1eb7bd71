"""Our files in the programs that they are for. What is not installed is skipped, and said."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from exporters_shared import HOSTILE, exported, hostile_run, needs
from factories import write_run
from graphlens.cli import main
from graphlens.exporters import Options, exporter_for, mermaid
from graphlens.store import Run
from models import mlp, residual, transformer, two_towers

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """One that is well, one with a NaN from step 1 on, one in which nothing is called as it should be."""
    place = tmp_path_factory.mktemp("runs")
    return {
        "well": Run(write_run(place / "well.glens", nodes=300, steps=3)),
        "sick": Run(write_run(place / "sick.glens", nodes=300, steps=3, nan_from=1)),
        "hostile": hostile_run(place / "hostile.glens"),
    }


@pytest.fixture
def folder(runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of all of them, in the working directory, as the docs have it."""
    if not needs(exporter_for("a.parquet")):
        pytest.skip("pyarrow is not installed")
    monkeypatch.chdir(tmp_path)
    for run in runs.values():
        assert main(["export", str(run.path), "-o", "runs/", "--format", "parquet", "-q"]) == 0
    return tmp_path / "runs"


def example(checkout: Path, language: str, about: str) -> str:
    """A piece of code from the docs."""
    text = (checkout / "docs" / "files.md").read_text()
    found = re.search(rf"^{about}.*?```{language}\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, about
    return found[1]


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def test_duckdb_answers_the_query_of_the_docs(folder: Path, runs: dict[str, Run], checkout: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    found = duckdb.sql(example(checkout, "sql", "DuckDB")).fetchall()
    sick = runs["sick"].main
    first = sick.op(int(sick.bad_rows()[0]))  # type: ignore[arg-type]  # a number is a Seq

    assert first.site is not None
    assert found == [("sick", 0, first.node.op, f"train.py:{first.site.line}", 1)]


def test_duckdb_counts_what_the_runs_have(folder: Path, runs: dict[str, Run]) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    source = "read_parquet('runs/**/*.parquet', hive_partitioning = true)"
    counted = dict(duckdb.sql(f"SELECT run, count(*) FROM {source} GROUP BY run").fetchall())
    widest = duckdb.sql(f"SELECT max(outputs[1].max) FROM {source} WHERE run = 'well'").fetchall()

    assert counted == {run.info.name: run.main.op_count for run in runs.values()}
    assert widest == [(2.5,)]


def test_polars_runs_the_example_of_the_docs(folder: Path, checkout: Path) -> None:
    pytest.importorskip("polars", reason="polars is not installed")
    done = subprocess.run(
        [sys.executable, "-c", example(checkout, "python", "Polars")],
        capture_output=True, text=True, check=True, cwd=folder.parent,
    )  # fmt: skip

    assert "took_ns" in done.stdout and "sick" in done.stdout


def test_folder_takes_a_run_once(folder: Path, runs: dict[str, Run]) -> None:
    words = ["export", str(runs["well"].path), "-o", "runs", "--format", "parquet", "-q"]
    before = sorted(folder.rglob("*"))

    assert main(words) == 1
    assert main([*words, "--force"]) == 0
    assert sorted(folder.rglob("*")) == before


# ── graphs ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """A page with Mermaid in it."""
    places = [os.environ.get("MERMAID", ""), f"{sys.prefix}/node_modules/mermaid/dist/mermaid.min.js"]
    found = next((place for place in places if place and Path(place).is_file()), None)
    if found is None:
        pytest.skip("Mermaid is not installed: make formats, or MERMAID=…/mermaid.min.js")
    made = browser.new_page()
    made.add_script_tag(path=found)
    made.evaluate("mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' })")
    yield made
    made.close()


def rendered(page: Any, text: str) -> dict[str, Any]:
    """What Mermaid draws: ids of boxes, texts in them, and whether anything in it could run."""
    page.evaluate("window.evil = undefined; window.alert = () => { window.evil = true; }; 0")
    told: dict[str, Any] = page.evaluate(
        """async (text) => {
            const { svg } = await mermaid.render('made', text);
            const holder = document.createElement('div');
            document.body.appendChild(holder);
            holder.innerHTML = svg;
            const told = {
                nodes: [...holder.querySelectorAll('.node')].map(n => n.id.match(/-([nb]\\d+)-\\d+$/)[1]),
                links: holder.querySelectorAll('.edgePaths path, path.flowchart-link').length,
                frames: holder.querySelectorAll('.cluster').length,
                text: holder.textContent,
                live: holder.querySelectorAll('script, img, iframe, a').length,
                evil: window.evil === undefined ? null : window.evil,
            };
            holder.remove();
            return told;
        }""",
        text,
    )
    return told


@pytest.mark.parametrize("model", [mlp(), residual(), transformer(12), two_towers()], ids=lambda m: m.name)
@pytest.mark.parametrize("phase", ["forward", "both", "backward"])
def test_mermaid_draws_every_box_and_link(page: Any, model: Any, phase: Any) -> None:
    text = mermaid.text(model.subject(), Options(phase=phase))
    drawn = rendered(page, text)

    boxes = re.findall(r"^\s*([nb]\d+)(?=[(\[])", text, re.MULTILINE)
    links = re.findall(r"^\s*[nb]\d+ (?:-->|-\.->|==>)", text, re.MULTILINE)
    assert sorted(drawn["nodes"]) == sorted(boxes)
    assert drawn["links"] == len(links)
    assert drawn["frames"] == text.count("subgraph ")


def test_mermaid_shows_hostile_names_as_text(page: Any, runs: dict[str, Run]) -> None:
    drawn = rendered(page, exported(runs["hostile"], "mermaid").decode())

    assert drawn["evil"] is None and drawn["live"] == 0
    assert len(drawn["nodes"]) > len(HOSTILE) // 2
    assert "<script>alert(1)</script>" in drawn["text"]


def test_model_explorer_shows_every_operation(browser: Any, runs: dict[str, Run], tmp_path: Path) -> None:
    """Its own server and its own page, which counts what it has read."""
    python = os.environ.get("MODEL_EXPLORER", f"{sys.prefix}/explorer/bin/python")
    if not Path(python).is_file():
        pytest.skip("Model Explorer is not installed: make formats, or MODEL_EXPLORER=…/bin/python")
    for name in ("well", "hostile"):
        path = tmp_path / f"{name}.json"
        path.write_bytes(exported(runs[name], "explorer"))
        (graph,) = json.loads(path.read_bytes())["graphs"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [python, "-m", "model_explorer", "--no_open_in_browser", "--port", str(port), str(path)]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, server)
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.goto(f"http://localhost:{port}/?data={quote(json.dumps({'models': [{'url': str(path)}]}))}")
            said = page.get_by_text(re.compile(rf"\b{len(graph['nodes'])} nodes"))
            said.first.wait_for(state="attached", timeout=60_000)
            page.close()
        finally:
            server.kill()
            server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server does not answer")


def test_poppler_reads_the_text_of_the_pdf(runs: dict[str, Run], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None or not needs(exporter_for("a.pdf")):
        pytest.skip("there is no pdftotext, or no CairoSVG")
    (tmp_path / "a.pdf").write_bytes(exported(runs["well"], "pdf"))
    done = subprocess.run(
        ["pdftotext", str(tmp_path / "a.pdf"), "-"], capture_output=True, text=True, check=True
    )

    assert "native_layer_norm" in done.stdout and "training step" in done.stdout
