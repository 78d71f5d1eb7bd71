"""How the numbers of a tensor look: minimum and maximum into the page, exact counts when they are bad.

`torch.aminmax` propagates NaN, keeps infinities, and writes straight into the shared page: one
reduction answers range and finiteness at once, without a copy or an allocation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch

from graphlens_tracers.events import Numerics
from graphlens_tracers.page import Page
from graphlens_tracers.pytorch import compat
from graphlens_tracers.wire import AT_SLOTS, MAX_SLOTS

Ranged = Literal["", "f2", "b2", "f4", "f8"]
Ranges = tuple[tuple[int, Ranged], ...]
"""Which outputs are looked at, in order, and how."""
INF = float("inf")

_RANGED: dict[torch.dtype, Ranged] = {
    torch.float16: "f2",
    torch.bfloat16: "b2",
    torch.float32: "f4",
    torch.float64: "f8",
    torch.complex64: "f4",
    torch.complex128: "f8",
}
WIDTH = {"f2": 1, "b2": 1, "f4": 1, "f8": 2}
POSITIONS = 8
"""How many places of non-finite elements a fact names."""


aminmax: Callable[..., Any] = torch.aminmax  # Any: two tensors, written to `out`
"""The one reduction that looks at numbers."""

SERIAL = 32768
"""Elements from which on PyTorch uses several threads for a reduction."""


class TooLarge(Exception):
    """A tensor that is not looked at in a forked process."""


def be_careful() -> None:
    """In a forked child: the threads of the parent's OpenMP are gone, and to wait for them is to hang.

    What the script does itself is its own affair, but it must not hang because we look.
    """
    global aminmax
    aminmax = _careful_aminmax


def _careful_aminmax(tensor: torch.Tensor, *, out: tuple[torch.Tensor, torch.Tensor]) -> Any:
    if tensor.numel() >= SERIAL and torch.get_num_threads() > 1:
        raise TooLarge(f"outputs of {SERIAL:,} elements and more in forked processes with several threads")
    return torch.aminmax(tensor, out=out)


def ranged_as(tensor: torch.Tensor) -> Ranged:
    """How this tensor's range is stored; "" for one whose numbers are not looked at."""
    if tensor.layout is not torch.strided or tensor.device.type == "meta" or tensor.is_quantized:
        return ""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        return ""
    return _RANGED.get(tensor.dtype, "")


class Slots:
    """The page's slots as tensors that `aminmax` can write to."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._views: dict[Ranged, list[torch.Tensor]] = {}
        self.f4 = self._view("f4", torch.float32, 4)
        self.pairs = list(zip(self.f4[::2], self.f4[1::2], strict=True))
        """For each slot, where `aminmax` puts the range of a float32 tensor."""

    def _view(self, ranged: Ranged, dtype: torch.dtype, size: int) -> list[torch.Tensor]:
        known = self._views.get(ranged)
        if known is None:
            # An inference tensor could not be written to outside of inference mode, and the script's
            # default device must not apply here.
            with compat.without_torch_function(), torch.inference_mode(False):
                every = torch.frombuffer(
                    self._page.bytes, dtype=dtype, count=MAX_SLOTS * 8 // size, offset=AT_SLOTS
                )
                known = self._views[ranged] = list(every.unbind(0))
        return known

    def look(self, tensor: torch.Tensor, ranged: Ranged, slot: int) -> bool:
        """Write the range of `tensor` into `slot` (two of them for "f8"); True when all is finite.

        Raises:
            RuntimeError: This tensor can't be reduced; the slot then says "nothing to look at".
        """
        views, low, high = self._pair(ranged, slot)
        if tensor.is_neg():
            # In here nobody minds that bit: look at the memory, and turn around what it says.
            self.look(compat.without_neg(tensor), ranged, slot)
            if tensor.numel():
                views[low].neg_()
                views[high].neg_()
                smallest = views[high].clone()
                views[high].copy_(views[low])
                views[low].copy_(smallest)
            return self.finite(ranged, slot)
        if tensor._is_zerotensor():  # it has no memory
            views[low].zero_()
            views[high].zero_()
            return True
        if tensor.numel() == 0:
            self._blank(views, low, high)
            return True
        tensor = _reals(tensor)
        try:
            aminmax(tensor, out=(views[low], views[high]))
        except BaseException:
            self._blank(views, low, high)
            raise
        return self.finite(ranged, slot)

    def finite(self, ranged: Ranged, slot: int) -> bool:
        """Whether the range in `slot` holds neither NaN nor infinity."""
        page, at = self._page, AT_SLOTS // 8 + slot
        if ranged == "f4":
            return -INF < page.f32[2 * at] and page.f32[2 * at + 1] < INF
        if ranged == "f8":
            return -INF < page.f64[at] and page.f64[at + 1] < INF
        mask = 0x7C00 if ranged == "f2" else 0x7F80
        low, high = page.u32[2 * at], page.u32[2 * at + 1]
        return low & mask != mask and high & mask != mask

    def blank(self, ranged: Ranged, slot: int) -> None:
        """Say that there was nothing to look at."""
        self._blank(*self._pair(ranged, slot))

    def _pair(self, ranged: Ranged, slot: int) -> tuple[list[torch.Tensor], int, int]:
        if ranged == "f4":
            return self.f4, 2 * slot, 2 * slot + 1
        if ranged == "f8":
            return self._view("f8", torch.float64, 8), slot, slot + 1
        dtype = torch.float16 if ranged == "f2" else torch.bfloat16
        return self._view(ranged, dtype, 2), 4 * slot, 4 * slot + 2

    def _blank(self, views: list[torch.Tensor], low: int, high: int) -> None:
        with compat.without_torch_function():
            views[low].fill_(INF)
            views[high].fill_(-INF)


def _reals(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers as one tensor of real ones: the parts of a nested one, which has some, in a row."""
    if tensor.is_nested:
        tensor = torch.cat([part.reshape(-1) for part in tensor.unbind()])
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def _quietly(count: Callable[[], Any]) -> int:  # Any: a 0-dim tensor
    return int(count().item())


def numerics(tensor: torch.Tensor) -> Numerics:
    """Exact counts of a tensor that is not finite, its finite range, and the first bad places."""
    with compat.without_torch_function():
        if tensor.is_nested:
            tensor = _reals(tensor)
        shape = tensor.shape
        tensor = _reals(tensor)
        nan = torch.isnan(tensor)
        finite = torch.isfinite(tensor)
        good = tensor[finite]
        low = high = None
        if good.numel():
            smallest, largest = torch.aminmax(good)
            low, high = float(smallest.item()), float(largest.item())
        bad = torch.nonzero(~finite)[:POSITIONS].tolist()
        return Numerics(
            size=shape.numel(),
            nan=_quietly(nan.sum),
            pos_inf=_quietly(torch.isposinf(tensor).sum),
            neg_inf=_quietly(torch.isneginf(tensor).sum),
            low=low,
            high=high,
            zeros=_quietly(tensor.eq(0).sum),
            where=tuple(tuple(place[: len(shape)]) for place in bad),
        )
