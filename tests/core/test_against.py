"""Two runs beside each other: against what was changed in a script by hand."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

import graphlens
from graphlens.against import against_answer
from graphlens.cli import main
from graphlens.store import Run
from recorded import recording

pytest.importorskip("torch")

SCRIPT = """\
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(16, 4), torch.randn(16, 1)
for step in range(4):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def _run(folder: Path, script: str) -> Run:
    """What was recorded of a script of this text."""
    folder.mkdir()
    file = folder / "train.py"
    file.write_text(script)
    with recording(folder / "run.glens"):
        runpy.run_path(str(file), run_name="__main__")
    return graphlens.load(folder / "run.glens")


def _changes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], (one["mine"] or one["other"])["op"]) for one in answer["operations"]]


def test_the_same_script_is_the_same(tmp_path: Path) -> None:
    """Also where lines and comments were added above."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", f"# trains\n# a model\n{SCRIPT}".replace("x, y =", "# data\nx, y ="))
    answer = against_answer(mine, other)

    assert answer["operations"] == [] and answer["parted"] is None and answer["alone"] == 0
    assert answer["steps"] >= 4


def test_what_was_exchanged_is_listed(tmp_path: Path) -> None:
    """And numbers part where it is read, in the first step."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", "# first\n" + SCRIPT.replace("ReLU", "Tanh"))
    answer = against_answer(mine, other)
    changes = _changes(answer)

    assert ("mine", "aten.relu.default") in changes and ("other", "aten.tanh.default") in changes
    assert ("mine", "aten.threshold_backward.default") in changes
    assert ("other", "aten.tanh_backward.default") in changes
    assert not [op for _, op in changes if "addmm" in op or "pow" in op]
    assert answer["parted"]["step"] == 0 and answer["parted"]["mine"]["op"] == "aten.addmm.default"
    assert answer["parted"]["mine"]["module"] == "2"


def test_numbers_part_where_a_number_was_changed(tmp_path: Path) -> None:
    """A learning rate: the step itself is alike up to the update."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", SCRIPT.replace("lr=0.01", "lr=0.02"))
    answer = against_answer(mine, other)

    assert answer["parted"]["step"] == 0 and answer["parted"]["mine"]["phase"] == "optimizer"
    assert {one["kind"] for one in answer["operations"]} <= {"changed"}


def test_shapes_and_further_steps_are_told(tmp_path: Path) -> None:
    """A wider layer, and a step more."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", SCRIPT.replace("8", "9").replace("range(4)", "range(5)"))
    answer = against_answer(mine, other)

    assert answer["alone"] == 1
    assert any("float32[16, 8] became float32[16, 9]" in one["what"] for one in answer["operations"])


def test_small_differences_are_within_a_tolerance(tmp_path: Path) -> None:
    """Ranges that differ by less are the same."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", SCRIPT.replace("(16, 4),", "(16, 4) * 1.0001,"))

    assert against_answer(mine, other)["parted"] is not None
    assert against_answer(mine, other, tolerance=0.05)["parted"] is None


def test_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an operation, with its sign."""
    mine = _run(tmp_path / "a", SCRIPT)
    other = _run(tmp_path / "b", SCRIPT.replace("ReLU", "Tanh"))
    assert main(["show", str(mine.path), "against", str(other.path)]) == 0
    printed = capsys.readouterr().out

    assert any(line.startswith("  - ") and "aten.relu.default" in line for line in printed.splitlines())
    assert any(line.startswith("  + ") and "aten.tanh.default" in line for line in printed.splitlines())
    assert "numbers part in step 0" in printed
