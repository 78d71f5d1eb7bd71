"""What conditions and rules measure a tensor by: without gradients, modes, and whatever is the script's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import PLAIN
from graphlens_tracers.pytorch.numerics import ranged_as


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While we compute: no gradients, no functions and modes of the script's."""
    with torch.no_grad(), compat.without_modes(), compat.without_torch_function():
        yield


def _reals(tensor: Any) -> torch.Tensor | None:
    """Its elements as real numbers in plain memory; None where there are none to read."""
    if not isinstance(tensor, torch.Tensor) or not ranged_as(tensor) or not tensor.numel():
        return None
    tensor = usable(tensor)
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def usable(tensor: torch.Tensor) -> torch.Tensor:
    """The same with memory of its own, where it has none: in here torch crashes on such a one."""
    if type(tensor) not in PLAIN:
        return tensor
    if tensor._is_zerotensor():
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return tensor.resolve_conj().resolve_neg()


def _number(measure: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], float]:
    def number(tensor: Any) -> float:
        with quiet():
            reals = _reals(tensor)
            return float("nan") if reals is None else float(measure(reals))

    return number


def _whether(any_is: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], bool]:
    def whether(tensor: Any) -> bool:
        with quiet():
            reals = _reals(tensor)
            return reals is not None and bool(any_is(reals).any())

    return whether


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nan": _whether(torch.isnan),
    "inf": _whether(torch.isinf),
    "absmax": _number(lambda x: x.abs().amax()),
    "amin": _number(torch.amin),
    "amax": _number(torch.amax),
    "norm": _number(torch.linalg.vector_norm),
    "shape": lambda tensor: tuple(tensor.shape),
    "dtype": lambda tensor: str(tensor.dtype).removeprefix("torch."),
}
