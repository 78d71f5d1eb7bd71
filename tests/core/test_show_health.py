"""`graphlens show RUN health`: against what the rows and ranges say, counted one by one."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from factories import LogWriter, OpRow, new_run, ran, seen, small_run, write_run
from graphlens.cli import main
from graphlens.session import load
from graphlens_tracers.events import Phase, RunStarted, Seq

KINDS = ("no number", "finite", "large", "inf", "nan")


def answer(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    """The JSON."""
    assert main(["show", *map(str, words), "health", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def spread_out(runs: list[tuple[str, int]]) -> list[str]:
    """One word a cell."""
    return [word for word, many in runs for _ in range(many)]


def kind_of(run: Path, seq: int) -> str:
    """What one operation was, by everything that is known of it."""
    op = load(run).main.op(Seq(seq))
    looked = [output for output in op.outputs if output.looked_at]
    if any(output.nan or (output.low is not None and math.isnan(output.low)) for output in looked):
        return "nan"
    if any(output.finite is False for output in looked):
        return "inf"
    sizes = [abs(end) for output in looked for end in (output.low, output.high) if end is not None]
    if not sizes:
        return "finite" if looked else "no number"
    return "large" if max(sizes) >= 1e4 else "finite"


def test_cells_are_operations_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each cell of a step is the operation at its place, and modules have all of them, each once."""
    run = write_run(tmp_path / "run.glens", nodes=60, steps=3, nan_from=1)
    found = answer(capsys, run)
    assert found["schema"] == "graphlens/health/1" and found["status"] == "found"
    assert [one["step"] for one in found["steps"]][-3:] == [0, 1, 2]
    wrong = found["steps"][-2]
    truth = [kind_of(run, seq) for seq in range(wrong["first"], wrong["last"] + 1)]
    assert spread_out(wrong["cells"]) == truth
    assert "nan" in truth and "finite" in truth
    assert found["focus"] == {"step": 1, "first": wrong["first"], "ops": wrong["ops"]}
    for kind in KINDS:
        counted = sum(one[way]["ops"][kind] for one in found["modules"] for way in ("forward", "backward"))
        assert counted == truth.count(kind), kind
    ends = [(one["first"], one["last"]) for one in found["phases"]]
    assert ends[0][0] == wrong["first"] and ends[-1][1] == wrong["last"]
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ends))


def test_alerts_count_operations_of_the_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By rules of one's own."""
    log = new_run(tmp_path / "run.glens")
    log.declare(*seen(ran(0), ran(1, inputs=[0], phase=Phase.BACKWARD)))
    big = [3.0, 5e3, 70.0, 2e-3]
    for size in big:
        log.ran(OpRow(0, ((-size, 0.0),)), OpRow(1, ((0.0, 1e-4),)))
    log.finish()
    found = answer(capsys, log.directory, "--rules", "absmax>50 |grad|<1e-3 all-zero")
    assert [(one["rule"], one["ops"], one["first"]) for one in found["alerts"]] == [
        ("absmax>50", sum(size > 50 for size in big), 2 * [size > 50 for size in big].index(True)),
        ("|grad|<1e-3", len(big), 1),
        ("all-zero", 0, None),
    ]


def test_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON says, in lines that can be read out."""
    run = write_run(tmp_path / "run.glens", nodes=60, steps=3, nan_from=1)
    found = answer(capsys, run)
    assert main(["show", str(run), "health", "--plain"]) == 0
    text = capsys.readouterr().out
    assert f"op {found['origin']['seq']} {found['origin']['op']}" in text
    for one in found["alerts"]:
        assert any(f"{one['ops']:,}" in line and one["rule"] in line for line in text.splitlines())
    for one in found["modules"]:
        assert one["module"] in text
    signs = next(line for line in text.splitlines() if line.startswith("  step 1")).split()[2]
    assert "X" in signs and set(signs) <= set("_-=iX")


def test_one_process_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is asked for, although the verdict is of another one."""
    log = small_run(tmp_path / "run.glens", ran(0), steps=2).finish()
    worker = LogWriter(log.directory, pid=77, nonce="00000001")
    worker.declare(RunStarted(("train.py",), 77, worker="DataLoader worker 0", parent=4242, began=1.0))
    worker.declare(*seen(ran(0))).ran(*[0] * 9).finish()
    assert answer(capsys, log.directory)["process"] == 0
    found = answer(capsys, log.directory, "--process", "1")
    assert (found["process"], found["process_name"]) == (1, "DataLoader worker 0")
    assert sum(many for _, many in found["calls"]) == len(load(log.directory).processes()[1].calls())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["health", "--rules", "often"], "'often' is no rule"),
        (["ops", "--rules", "nan"], "--rules is for"),
        (["health", "7"], "takes nothing more"),
    ],
)
def test_wrong_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """One line, and exit code 2."""
    run = small_run(tmp_path / "run.glens", ran(0)).finish().directory
    assert main(["show", str(run), *words]) == 2
    assert said in capsys.readouterr().err


def test_nothing_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is said."""
    log = new_run(tmp_path / "run.glens")
    assert main(["show", str(log.directory), "health"]) == 0
    assert capsys.readouterr().out
