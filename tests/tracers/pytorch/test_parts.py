"""Operations on long lists that run a few tensors at a time: nobody can tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ranges import wrong_ranges
from torch.utils._python_dispatch import TorchDispatchMode
from watching import Watching

from graphlens_tracers.pytorch import parts
from recorded import recorded, recording

ROUNDS = 4
Lists = list[list[torch.Tensor]]


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch) -> list[parts.Parts]:
    """Parts of twelve bytes, so that short lists have some; gives those that ran, in order."""
    monkeypatch.setattr(parts, "PART", 12)
    monkeypatch.setattr(parts, "LARGE", 24)
    found: list[parts.Parts] = []
    cuts = parts.Parts.cuts

    def noted(self: parts.Parts) -> Any:
        found.append(self)
        return cuts(self)

    monkeypatch.setattr(parts.Parts, "cuts", noted)
    return found


def train(step: Callable[[], object], rounds: int = ROUNDS) -> None:
    """A training loop: from the second round on the operations of `step` are known."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, foreach=False)
    for _ in range(rounds):
        step()
        weight.sum().backward()
        optimizer.step()


def lists() -> Lists:
    """Three lists of tensors of many shapes, with NaN and infinities here and there."""
    torch.manual_seed(0)
    shapes = [(3,), (), (2, 2), (5, 1), (1,), (7,), (0,), (2, 3)]
    made = [[torch.rand(shape) + 0.5 for shape in shapes] for _ in range(3)]
    made[0][2][0, 1] = math.nan
    made[1][5][3] = -math.inf
    made[2][3][4] = 3e38
    return made


OPERATIONS: dict[str, Callable[[Lists], object]] = {
    "in place, a number": lambda x: torch._foreach_mul_(x[0], 0.9),
    "in place, a tensor": lambda x: torch._foreach_mul_(x[0], torch.tensor(1.5)),
    "in place, numbers": lambda x: torch._foreach_add_(x[0], [k / 2 for k in range(8)]),
    "in place, a list": lambda x: torch._foreach_add_(x[0], x[1], alpha=-0.1),
    "in place, two lists": lambda x: torch._foreach_addcmul_(x[0], x[1], x[2], value=0.5),
    "in place, two lists and numbers": lambda x: torch._foreach_addcdiv_(x[0], x[1], x[2], [0.1] * 8),
    "in place, two lists and a tensor of numbers": lambda x: torch._foreach_addcdiv_(
        x[0], x[1], x[2], torch.arange(8.0)
    ),
    "between": lambda x: torch._foreach_lerp_(x[0], x[1], 0.3),
    "a new list": lambda x: x.__setitem__(0, list(torch._foreach_mul(x[0], 1.1))),
    "a new list of roots": lambda x: x.__setitem__(0, list(torch._foreach_sqrt(x[2]))),
    "norms": lambda x: torch._foreach_norm(x[0]),
    "copies": lambda x: torch._foreach_copy_(x[0], x[2]),
    "a number to the power of each": lambda x: torch._foreach_pow(1.01, x[0]),
    "each other": lambda x: torch._foreach_add_(x[0][:-1], [x[0][-1][0, 0].clone()] * 7),
    "what later ones write": lambda x: torch._foreach_add_(
        [x[0][0], x[1][0], x[2][0]], [x[1][0], x[2][0], x[0][0]]
    ),
    "views of one": lambda x: torch._foreach_add_([x[0][5][:3], x[0][5][3:6]], [x[0][5][3:6], x[0][5][:3]]),
}
ONCE = {"in place, two lists and a tensor of numbers", "views of one"}
"""What is no loop over its lists, or makes too little."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_results_and_ranges_are_those_of_the_whole(name: str, tmp_path: Path, ran: list[parts.Parts]) -> None:
    """To the bit, whatever is in the lists; and every range is that of what was there."""
    plain, traced = lists(), lists()
    for _ in range(ROUNDS):
        OPERATIONS[name](plain)
    watching = Watching()

    def run() -> None:
        with watching:
            train(lambda: OPERATIONS[name](traced))

    process = recorded(run, tmp_path / "run.glens")
    for mine, other in zip(traced, plain, strict=True):
        for one, same in zip(mine, other, strict=True):
            assert one.numpy().tobytes() == same.numpy().tobytes()
    assert process.op_count == len(watching.seen)
    assert wrong_ranges(process, watching) == []
    assert bool(ran) is (name not in ONCE)
    assert all(len(one.cuts()) > 1 for one in list(ran))


def test_a_failure_in_the_middle(tmp_path: Path, ran: list[parts.Parts]) -> None:
    """What was written before it stays written; the error is torch's, and one row says that it raised."""
    sizes = [7, 1, 7, 1, 7, 1, 3]
    in_parts: list[int] = []

    def run() -> list[Any]:
        x, y, _ = lists()
        found: list[Any] = []
        rounds = iter(sizes)

        def step() -> None:
            before = len(ran)
            try:
                size = next(rounds)
                ill = torch.full((3,), math.nan if size == 3 else 1.0)
                torch._foreach_add_(x, [ill, *y[1:5], torch.ones(size), *y[6:]])
            except RuntimeError as error:
                depth, where = 0, error.__traceback__
                while where is not None:
                    depth, where = depth + 1, where.tb_next
                found.append((str(error), depth))
                in_parts.append(len(ran) - before)

        train(step, len(sizes))
        return [*found, [one.numpy().tobytes() for one in x]]

    plain = run()
    assert len(plain) == 2  # it did raise
    traced: list[Any] = []
    process = recorded(lambda: traced.extend(run()), tmp_path / "run.glens")
    assert traced == plain
    assert in_parts == [0, 1]
    raised = [fact for fact in process.unusual(0, process.op_count) if fact.error]
    assert len(raised) == 1
    # Its outputs are what it may have written.
    said = process.unusual(raised[0].seq, raised[0].seq + 1)
    nans = [fact.numerics.nan for fact in said if fact.numerics]
    truth = [int(np.isnan(np.frombuffer(one, np.float32)).sum()) for one in plain[-1]]
    assert nans == [count for count in truth if count]
    assert truth[0] == 3
    assert process.gaps == []


def test_a_mode_of_the_scripts_own_sees_one_operation(tmp_path: Path, ran: list[parts.Parts]) -> None:
    """Also one that was there before us, and so is asked after us."""
    seen: list[str] = []

    class Below(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    x, _, _ = lists()
    with Below(), recording(tmp_path / "run.glens"):  # type: ignore[no-untyped-call]  # torch's is not typed
        train(lambda: torch._foreach_mul_(x, 0.5))
    assert ran
    assert seen.count("aten._foreach_mul_.Scalar") == ROUNDS
