"""Which epoch a step of a PyTorch script is in: what the loop around it counts with."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from recorded import recorded


def test_a_step_is_in_the_epoch_of_its_loop(tmp_path: Path) -> None:
    """Also where the batch is looked at in a function, and an evaluation ends each epoch."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    batches = [torch.randn(2, 3) for _ in range(3)]
    told: list[tuple[str, int | None]] = []

    def train(x: torch.Tensor) -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    def program() -> None:
        for epoch in range(1, 4):
            for x in batches:
                train(x)
                told.append(("train", epoch))
            with torch.no_grad():
                for x in batches[:2]:
                    model(x)
                    told.append(("eval", epoch))
        with torch.no_grad():
            for x in batches:
                model(x)
                told.append(("eval", None))

    process = recorded(program, tmp_path / "run.glens")

    found = [(call.role, call.epoch) for call in process.calls() if call.role in ("train", "eval")]
    assert found == told
