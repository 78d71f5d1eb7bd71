"""What the verdict says of why a number is not finite."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch  # needs PyTorch, as what follows

from graphlens.cli._verdict import text_of
from recorded import pytorch
from verdict.judged import judged


def test_a_target_that_is_too_long_for_its_input_is_no_overflow(tmp_path: Path) -> None:
    """Five frames have no room for six letters."""

    def program() -> None:
        scores = torch.zeros(5, 1, 8, requires_grad=True)
        targets, lengths = torch.tensor([[1, 2, 3, 4, 5, 6]]), (torch.tensor([5]), torch.tensor([6]))
        torch.nn.functional.ctc_loss(scores.log_softmax(-1), targets, *lengths).backward()

    answer = judged(program, tmp_path / "run.glens", pytorch)

    assert answer["origin"]["op"].startswith("aten._ctc_loss")
    assert "longer than its input" in answer["origin"]["cause"]
    assert answer["advice"] == ["zero_infinity=True, or leave out what is too short for its target"]


def test_memory_that_a_loss_leaves_unwritten_is_not_looked_at(tmp_path: Path) -> None:
    """Of a batch with targets of several lengths CTC keeps a table that it fills in part."""

    def program() -> None:
        scores = torch.randn(12, 3, 8, requires_grad=True)
        lengths = torch.tensor([12, 12, 9]), torch.tensor([4, 14, 6])
        targets = torch.randint(1, 8, (3, 14))
        for _ in range(3):
            torch.full((3, 12, 29), float("nan"))  # memory that is free again, and NaN
            torch.nn.functional.ctc_loss(
                scores.log_softmax(-1), targets, *lengths, zero_infinity=True
            ).backward()

    answer = judged(program, tmp_path / "run.glens", pytorch)

    assert answer["status"] == "clean"
    ctc = [one for one in answer["benign"] if "ctc_loss" in one["op"]]
    assert [(one["op"].split(".")[1], one["kind"]) for one in ctc] == [("_ctc_loss", "inf")]


def test_a_row_without_spread_is_named(tmp_path: Path) -> None:
    """Where the layer adds nothing to it."""

    def program() -> None:
        given = torch.tensor([[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
        torch.nn.LayerNorm(4, eps=0.0)(given).sum().backward()

    origin = judged(program, tmp_path / "run.glens", pytorch)["origin"]

    assert origin["op"] == "aten.native_layer_norm.default"
    assert "no spread" in origin["cause"] and "eps is 0" in origin["cause"]
    assert [one["at"] for one in origin["examples"]] == [[1, k] for k in range(4)]


def test_the_text_says_how_large_numbers_came_into_it(tmp_path: Path) -> None:
    """The same operations as `before` of the JSON, with what they grew by."""

    def program() -> None:
        x = torch.ones(3, requires_grad=True)
        (x.mul(50.0).square().exp()).sum().backward()

    answer = judged(program, tmp_path / "run.glens", pytorch)
    lines = list(text_of(answer, "run"))
    at = lines.index("  the largest numbers came into it by")
    told = [line.split() for line in lines[at + 1 : at + 1 + len(answer["before"])]]

    assert [(int(words[0]), words[1]) for words in told] == [
        (one["seq"], one["op"]) for one in answer["before"]
    ]
    assert told[-2][-3:] == ["up", "to", "50"] or told[-2][-1] == "×50"
    assert told[-1][-4:] == ["up", "to", "2500", "×50"]
