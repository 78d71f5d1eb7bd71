"""A PyTorch that lacks one of the private functions that we use: less is known, and the log says what."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import nn

from graphlens_tracers.pytorch import compat
from recorded import recorded

MISSING: dict[str, Any] = {
    "current_autograd_node": None,
    "sequence_number": None,
    "get_dispatch_mode": None,
    "_disable_modes": None,
    "without_torch_function": contextlib.nullcontext,
    "mode_stack": None,
    "_top_hooks": None,
    "_neg_view": None,
    "engine_holders": [],
}
"""What `compat` has in the place of each function that is not there."""


def train() -> list[float]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(net.parameters())
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        hidden = torch.utils.checkpoint.checkpoint(net[0], torch.randn(3, 4), use_reentrant=False)
        loss = net[1:](hidden).square().mean() + torch.randn(2, dtype=torch.complex64).conj().imag.sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_what_torch_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "LACKS", [])

    assert compat._find(torch._C, "_a_name_that_no_torch_has", "its capability") is None
    assert compat._find(torch._C, "_len_torch_dispatch_stack", "another one") is not None
    assert compat.LACKS == ["its capability"]


@pytest.mark.parametrize("name", sorted(MISSING))
def test_the_tracer_does_without(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = train()
    assert hasattr(compat, name)
    monkeypatch.setattr(compat, name, MISSING[name])
    monkeypatch.setattr(compat, "LACKS", [name])
    traced: list[float] = []

    process = recorded(lambda: traced.extend(train()), tmp_path / "run.glens")

    assert traced == plain
    assert [gap for gap in process.gaps if gap.kind == "failed"] == []
    assert process.tracers[0].lacks == (name,)
    assert process.op_count > 100


def test_this_torch_lacks_nothing() -> None:
    assert compat.LACKS == []
