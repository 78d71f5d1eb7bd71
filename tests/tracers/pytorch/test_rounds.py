"""Loops of an optimizer: an operation is counted from where its loop was entered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_wiring import faults
from torch import nn

from graphlens.store import Process
from recorded import recorded

HISTORY = 5


def lbfgs(steps: int, search: str | None = None) -> Callable[[], None]:
    """LBFGS with a growing, then full history; three iterations a step, as long as it searches no line."""

    def run() -> None:
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(6, dtype=torch.float64))
        target = torch.randn(6, dtype=torch.float64)
        optimizer = torch.optim.LBFGS(
            [weight], 1e-3, max_iter=3, tolerance_grad=0, tolerance_change=0, history_size=HISTORY,
            line_search_fn=search,
        )  # fmt: skip

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = ((weight - target) ** 4).sum()
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)

    return run


def known(process: Process) -> tuple[int, int]:
    """How many nodes and how many graphs were declared."""
    return len(process.nodes), len(process.graphs())


def test_with_a_full_history_no_step_is_new(tmp_path: Path) -> None:
    """Each iteration goes through all directions: the same operations, whatever ran before them."""
    few, more = (recorded(lbfgs(steps), tmp_path / f"{steps}.glens") for steps in (8, 14))

    assert more.op_count > few.op_count
    assert known(more) == known(few)


def test_what_a_loop_reads_is_what_it_read(tmp_path: Path) -> None:
    """While the history grows, and when it is full: every edge is one that an observer of memory saw."""
    assert faults(lbfgs(6)) == []


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_every_operation_is_there(search: str | None, tmp_path: Path) -> None:
    """As often as without a history that is known: none is left out, and none is taken for another."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: Counter[str] = Counter()

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen[str(func)] += 1
            return func(*args, **(kwargs or {}))

    with Counting():  # type: ignore[no-untyped-call]  # torch's is not typed
        lbfgs(8, search)()
    process = recorded(lbfgs(8, search), tmp_path / "run.glens")
    ran = Counter(process.nodes[node].op for node in process.rows(0, process.op_count).node.tolist())
    assert ran == seen


def test_groups_of_parameters_go_through_the_same_loop(tmp_path: Path) -> None:
    """One after the other, in every step alike."""

    def run() -> None:
        weights = [nn.Parameter(torch.ones(3)) for _ in range(4)]
        groups: list[dict[str, Any]] = [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.2}]
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, foreach=False)
        for _ in range(5):
            optimizer.zero_grad()
            sum(weight.square().sum() for weight in weights).backward()  # type: ignore[union-attr]
            optimizer.step()

    process = recorded(run, tmp_path / "run.glens")
    trained = [call for call in process.calls() if call.role == "train"]
    assert len(trained) == 5
    assert len({call.graph for call in trained[2:]}) == 1
    assert faults(run) == []
