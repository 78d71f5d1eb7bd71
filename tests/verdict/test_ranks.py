"""What goes wrong on one of several ranks is blamed there, whatever a collective has made of it elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

import graphlens
from graphlens.verdict import verdict_answer
from host_processes import RECORD
from verdict.judged import Answer
from verdict.truth import some

SCRIPT = Path(__file__).parents[1] / "scripts" / "ranks" / "shared_nan.py"
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


def line_of(mark: str, way: str) -> int:
    """The line of the script with a mark; of several the one of this way."""
    lines = list(enumerate(SCRIPT.read_text().splitlines(), 1))
    begins = next((n for n, line in lines if f'way == "{way}"' in line), 0) if mark == "brought" else 0
    return next(n for n, line in lines if n > begins and line.endswith(f"# {mark}"))


def recorded(run: Path, way: str, *before: str) -> Answer:
    """The verdict on a run of two ranks."""
    command = [*RECORD, "--quiet", "--output", str(run), *before, str(SCRIPT), way]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return verdict_answer(graphlens.load(run))


def alone(run: Path, rank: int) -> Answer:
    """The verdict where only one rank's log is there."""
    for process in graphlens.load(run).processes():
        if process.rank != rank or not process.op_count:
            for log in run.glob(f"{process.stem}*"):
                log.unlink()
    return verdict_answer(graphlens.load(run))


@pytest.mark.parametrize(
    ("way", "launcher", "brings"),
    some(
        [
            ("ddp", TORCHRUN, "aten.copy_.default"),
            ("reduced", (), "aten.div_.Tensor"),
            ("gathered", (), "aten.stack.default"),
            ("features", (), "aten.div.Tensor"),
        ],
        4,
    ),
)
def test_the_rank_that_made_it_is_blamed(
    way: str, launcher: tuple[str, ...], brings: str, tmp_path: Path
) -> None:
    """Rank 0 has it in the same step at a lower number; alone it says that a collective has brought it."""
    answer = recorded(tmp_path / "run.glens", way, *launcher)
    origin = answer["origin"]

    assert (origin["op"], origin["rank"], origin["step"]) == ("aten.log.default", 1, 2)
    assert (origin["line"], origin["birth"]) == (line_of("born", way), "born")
    assert answer["reached"]["kind"] == "loss"
    assert answer["others"] == []

    brought = alone(tmp_path / "run.glens", 0)["origin"]
    assert (brought["op"], brought["rank"], brought["step"]) == (brings, 0, 2)
    assert brought["birth"] == "outside"
    assert "collective" in brought["cause"]
    assert brought["seq"] < origin["seq"]
    if way != "ddp":  # its reducer is none of the script's lines
        assert brought["line"] == line_of("brought", way)


def test_a_sum_that_overflows_is_no_other_ranks(tmp_path: Path) -> None:
    """Both gave finite numbers to it, as their logs say; one log alone cannot know what the other gave."""
    answer = recorded(tmp_path / "run.glens", "summed")
    origin = answer["origin"]

    assert (origin["op"], origin["kind"], origin["step"]) == ("c10d.allreduce_.default", "inf", 0)
    assert (origin["line"], origin["birth"]) == (line_of("summed", "summed"), "born")
    assert "the sum over all 2 ranks is larger than float16 can hold" in origin["cause"]
    assert "4e+04 at most" in origin["cause"] or "40000 at most" in origin["cause"]
    assert any("float32" in words for words in answer["advice"])
    assert answer["path"][0]["op"] == origin["op"]
    assert answer["others"] == []

    brought = alone(tmp_path / "run.glens", 0)["origin"]
    assert (brought["line"], brought["birth"]) == (line_of("brought", "summed"), "outside")
    assert "from another rank, or its sum overflowed" in brought["cause"]
