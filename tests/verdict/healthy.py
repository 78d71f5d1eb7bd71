"""Two training steps of a model in which nothing is wrong, and what a bare dispatch mode sees of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from recorded import pytorch
from verdict.judged import judged
from verdict.observed_pytorch import SCRATCH

Step = Callable[[], torch.Tensor]
Made = tuple[nn.Module, Step]
"""A model, and what computes the loss of the next step."""

_LOOKS = ("aten.empty", "aten.new_empty", "aten.detach", "aten.alias")
"""Memory that is not written yet, and what only hands it on."""


class Births(TorchDispatchMode):
    """Notes which operations make what is not finite: infinity of finite numbers, or NaN of none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.ops: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # A constant of the script has its numbers before the first operation that anybody sees.
        before = set() if str(func).startswith("aten.lift_fresh") else _kinds([args, kwargs])
        result = func(*args, **(kwargs or {}))
        name = str(func)
        results = result[:-1] if name in SCRATCH else result
        after = _kinds([results, args if func._schema.is_mutable else ()])  # what is written in place
        if not name.startswith(_LOOKS) and (
            (after and not before) or ("nan" in after and "nan" not in before)
        ):
            self.ops.add(name)
        return result


def _kinds(values: Any) -> set[str]:
    found = set()
    for one in tree_leaves(values):
        if isinstance(one, torch.Tensor) and one.is_floating_point():
            if bool(one.isnan().any()):
                found.add("nan")
            if bool(one.isinf().any()):
                found.add("inf")
    return found


def trained(make: Callable[[], Made], steps: int = 2) -> list[float]:
    """The losses of a few steps with AdamW, and of what is trained the largest number."""
    torch.manual_seed(0)
    np.random.seed(0)  # masks of transformers' speech models
    model, loss_of = make()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return [*losses, max(float(one.detach().abs().max()) for one in model.parameters() if one.numel())]


def check(program: Callable[[], list[float]], run: Path) -> None:
    """It is healthy, recording changes nothing, no harm is said, and what is meant so is listed as such."""
    with Births() as births:
        plain = program()
    noted: list[float] = []
    answer = judged(lambda: noted.extend(program()), run, pytorch)

    assert bool(torch.isfinite(torch.tensor(plain)).all())
    assert noted == plain
    assert (answer["origin"], answer["status"]) == (None, "clean"), answer["coverage"]
    assert births.ops <= {one["op"] for one in answer["benign"]}
    assert bool(births.ops) == bool(answer["benign"])
