"""`graphlens why` and `check`: what they say, and with which code they end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from factories import write_run
from graphlens import cli
from host_processes import RECORD

torch = pytest.importorskip("torch")


GRAPHLENS = RECORD[:-1]
ILL = """
import torch
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(3):
    x = torch.tensor([1.0, 2.0, 0.0 if step == 2 else 3.0])
    loss = (weight * torch.log(x)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("done")
"""
HEALTHY = """
import torch
scores = torch.randn(2, 4, requires_grad=True)
mask = torch.tensor([[True, False, False, False]])
loss = scores.masked_fill(mask, float("-inf")).softmax(-1).sum()
loss.backward()
"""


def graphlens(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command with these words, its streams apart."""
    return subprocess.run(
        [*GRAPHLENS, *map(str, words)], cwd=cwd, env={**os.environ, "GRAPHLENS_HOME": str(cwd / "home")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_check_judges_a_script_and_writes_reports(tmp_path: Path) -> None:
    """The script keeps standard output; a pipeline reads the code and the files."""
    (tmp_path / "train.py").write_text(ILL)

    said = graphlens(
        "check", "--json", "v.json", "--junit", "v.xml", "--sarif", "v.sarif", "train.py", cwd=tmp_path
    )

    assert said.returncode == 10 and said.stdout == "done\n"
    assert all(line.startswith("graphlens: ") for line in said.stderr.splitlines())
    answer = json.loads((tmp_path / "v.json").read_text())
    origin = answer["origin"]
    assert (answer["schema"], answer["status"]) == ("graphlens/why/1", "found")
    assert (origin["file"], origin["line"], origin["op"]) == ("train.py", 7, "aten.log.default")
    assert (origin["kind"], origin["step"], origin["where"]) == ("inf", 2, [[2]])
    assert origin["cause"] == "x is exactly 0 at 1 of 3 places"
    assert origin["inputs"][0] | {"value": 0} == {
        "value": 0, "name": "x", "shape": [3], "dtype": "float32", "min": 0.0, "max": 2.0,
        "nan": 0, "pos_inf": 0, "neg_inf": 0, "zeros": 1,
    }  # fmt: skip
    assert answer["reached"]["kind"] == "loss" and answer["coverage"] == {"complete": True, "gaps": []}
    assert [place["op"] for place in answer["path"]][-1] == "aten.sum.default"
    suite = ElementTree.parse(tmp_path / "v.xml").getroot()
    assert suite.get("failures") == "1" and "x is exactly 0" in (suite.findtext("testcase/failure") or "")
    (result,) = json.loads((tmp_path / "v.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("train.py", 7)


def test_why_reads_what_check_has_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text(ILL)
    graphlens("record", "--quiet", "--output", "run.glens", "train.py", cwd=tmp_path)
    monkeypatch.chdir(tmp_path)

    assert cli.main(["why", "run.glens"]) == 0
    text = capsys.readouterr()
    assert text.err == ""
    assert text.out.startswith("infinity born in aten.log.default, forward, step 2: op ")
    assert "train.py:7" in text.out and "x is exactly 0 at 1 of 3 places" in text.out
    assert cli.main(["why", "--exit-code", "run.glens"]) == 10
    assert cli.main(["check", "run.glens"]) == 10


def test_a_mask_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HEALTHY)

    said = graphlens("check", "--strict", "--json", "v.json", "train.py", cwd=tmp_path)

    assert said.returncode == 0
    answer = json.loads((tmp_path / "v.json").read_text())
    assert answer["status"] == "clean" and answer["origin"] is None
    (benign,) = answer["benign"]
    assert (benign["op"], benign["reason"]) == ("aten.masked_fill.Scalar", "constant inf, removed by softmax")


def test_clean_is_only_said_when_everything_was_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text(HEALTHY)
    graphlens("record", "--quiet", "--level", "structure", "--output", "run.glens", "train.py", cwd=tmp_path)
    run = str(tmp_path / "run.glens")

    assert cli.main(["check", run]) == 0
    assert "not everything was looked at" in capsys.readouterr().err
    assert cli.main(["check", "--strict", run]) == 11


def test_a_script_that_fails_by_itself_keeps_its_code(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HEALTHY + "raise SystemExit(7)\n")

    assert graphlens("check", "train.py", cwd=tmp_path).returncode == 7


def test_a_script_without_a_framework_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('hello')\n")

    assert graphlens("check", "train.py", cwd=tmp_path).returncode == 0
    assert graphlens("check", "--strict", "train.py", cwd=tmp_path).returncode == 11


def test_of_a_large_run_only_what_is_ill_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of its steps are NaN: the first of them is enough."""
    write_run(tmp_path / "run.glens", nodes=200, steps=100, nan_from=50)

    assert cli.main(["why", "--json", str(tmp_path / "run.glens")]) == 0

    origin = json.loads(capsys.readouterr().out)["origin"]
    assert origin["step"] == 50 and origin["kind"] == "nan"
