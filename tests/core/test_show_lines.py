"""`graphlens show` of a source file in one step, and of one operation in every call: against all rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factories import write_run
from graphlens.cli import main
from graphlens.plain import number
from graphlens.session import load
from graphlens_tracers.events import Seq


def show(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What the command prints."""
    capsys.readouterr()
    assert main(["show", *words]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_a_file_in_one_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts of a step and of all steps are those of a walk over all rows; NaN goes first."""
    path = write_run(tmp_path / "r.glens", nodes=120, steps=3, nan_from=1)
    process = load(path).main
    rows = [process.op(Seq(seq)) for seq in range(process.end)]
    for step in (None, 0, 1, 2):
        option = [] if step is None else ["--step", str(step)]
        answer = json.loads(show(capsys, str(path), "source", "train.py", "--json", *option))
        for line in answer["lines"]:
            mine = [
                op for op in rows
                if op.site is not None and op.site.line == line["line"]
                and (step is None or (op.call is not None and op.call.step == step))
            ]  # fmt: skip
            assert line["ops"] == len(mine)
            assert line["took_ns"] == sum(op.took_ns for op in mine)
            bad = [op.seq for op in mine if any(out.finite is False for out in op.outputs)]
            assert line["nan"] + line["inf"] >= len(bad)
            assert (line["telling"] is None) == (not mine)
            if bad:
                assert line["telling"]["seq"] == bad[0] and line["telling"]["ill"]
        assert answer["step"] == step and answer["kept"]
    assert "no step 9" in show(capsys, str(path), "source", "train.py", "--step", "9", code=1)
    text = show(capsys, str(path), "source", "train.py", "--plain", "--step", "1")
    assert "   step 1\n" in text and "_softmax" in text
    assert "--step is for" in show(capsys, str(path), "ops", "--step", "1", code=2)
    assert "--steps is for" in show(capsys, str(path), "ops", "--steps", code=2)


def test_an_operation_in_every_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of its node, with step and numbers."""
    path = write_run(tmp_path / "r.glens", nodes=120, steps=5, nan_from=3)
    process = load(path).main
    node = process.op(Seq(40)).node.node
    wanted = [seq for seq in range(process.end) if process.op(Seq(seq)).node.node == node]
    answer = json.loads(show(capsys, str(path), "op", "40", "--steps", "--json"))

    assert [one["seq"] for one in answer["calls"]] == wanted
    assert [one["step"] for one in answer["calls"]] == list(range(5))
    for one in answer["calls"]:
        assert one["outputs"][0]["min"] == number(process.op(one["seq"]).outputs[0].low)
    assert len(show(capsys, str(path), "op", "40", "--steps").splitlines()) == 2 + len(wanted)


def test_graphs_say_where_they_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New fields stand at the end, those that were there are as they were."""
    path = write_run(tmp_path / "r.glens", nodes=60, steps=2)
    graphs = json.loads(show(capsys, str(path), "graphs", "--json"))["graphs"]

    assert [list(one)[-5:] for one in graphs] == [["parent", "depth", "variant_of", "first", "parts"]] * len(
        graphs
    )
    assert all(one["parts"] == "" for one in graphs)
