"""Runs that were recorded once, with the format of then, say what they said then."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from golden_runs import make

PACKED = sorted(make.HERE.glob("*.zip"))


def opened(packed: Path, where: Path) -> Path:
    """The run that a golden file holds."""
    with zipfile.ZipFile(packed) as file:
        file.extractall(where)
    return where / f"{packed.stem}.glens"


@pytest.mark.parametrize("packed", PACKED, ids=lambda path: path.stem)
def test_a_golden_run_says_what_it_said(packed: Path, tmp_path: Path) -> None:
    """Every operation, its range, its call and its graph, and what went wrong."""
    assert make.facts(opened(packed, tmp_path)) == json.loads(packed.with_suffix(".json").read_text())


@pytest.mark.parametrize(
    ("name", "op", "code"),
    [
        ("torch_steps", "aten.addmm.default", "loss = net(x)"),
        ("tensorflow_steps", "Log", "tf.math.log(x @ w)"),
    ],
)
def test_a_golden_run_names_the_line_of_its_script(name: str, op: str, code: str, tmp_path: Path) -> None:
    """The scripts are made to go wrong there: infinities times weights, the logarithm of what is below 0."""
    why = make.facts(opened(make.HERE / f"{name}.zip", tmp_path))["why"]

    assert (why["op"], why["step"], why["kind"]) == (op, 2, "nan")
    line = (make.SCRIPTS / f"{name}.py").read_text().splitlines()[why["line"] - 1]
    assert code in line
