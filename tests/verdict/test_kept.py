"""What a script keeps from step to step by hand: what it trains, what it averages, and what does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from recorded import pytorch
from verdict.judged import Answer, verdict_on

BEGIN = """
import torch
from torch import nn
torch.manual_seed(0)
x, y = torch.randn(16, 4), torch.randn(16, 1)
"""
UPDATED = """
w, momentum = torch.randn(4, 1), torch.zeros(4, 1)
for step in range(4):
    gradient = torch.func.grad(lambda w: ((x @ w - y) ** 2).mean())(w)
    gradient = gradient * (step != 2)
    unit = gradient / gradient.norm()
    momentum = momentum + unit
    w = w - 0.1 * momentum
"""
SKIPPED = """
w, worst = torch.randn(4, 1), torch.tensor(float("inf"))
for step in range(4):
    gradient = torch.func.grad(lambda w: ((x @ w - y) ** 2).mean())(w)
    worst = torch.minimum(worst, gradient.norm())
    gradient = gradient / (step != 2)
    w = torch.where(torch.isfinite(gradient).all(), w - 0.1 * gradient, w)
"""
TARGET = """
net, target = nn.Linear(4, 1), nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    loss = ((net(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for mine, its in zip(net.parameters(), target.parameters()):
            its.copy_(mine / (step - 1))
"""


def judged(text: str, tmp_path: Path) -> Answer:
    script = tmp_path / "script.py"
    script.write_text(BEGIN + text)
    return verdict_on(script, tmp_path / "run.glens", pytorch)


def code_of(answer: Answer) -> str:
    return str(answer["origin"]["code"])


def test_an_update_that_writes_into_nothing_is_one(tmp_path: Path) -> None:
    """A new tensor takes the place of what it was computed from; no optimizer and no backward says so."""
    answer = judged(UPDATED, tmp_path)

    assert code_of(answer) == "unit = gradient / gradient.norm()"
    assert (answer["origin"]["step"], answer["origin"]["phase"]) == (2, "optimizer")
    assert answer["reached"]["kind"] in ("parameter", "state")


def test_an_update_that_is_skipped_does_no_harm(tmp_path: Path) -> None:
    """The gradient was infinite, and a minimum begins with an infinity that is kept over the steps."""
    answer = judged(SKIPPED, tmp_path)

    assert answer["status"] == "clean"


def test_a_network_that_nobody_trains_is_state(tmp_path: Path) -> None:
    """Where another one is trained. Dividing by a number of Python that is 0 is said as that."""
    answer = judged(TARGET, tmp_path)

    assert code_of(answer) == "its.copy_(mine / (step - 1))"
    assert (answer["origin"]["step"], answer["reached"]["kind"]) == (1, "state")
    assert answer["origin"]["cause"] == "mine is divided by 0, or by next to nothing"
