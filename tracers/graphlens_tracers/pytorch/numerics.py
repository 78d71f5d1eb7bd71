"""How the numbers of a tensor look: minimum and maximum into the page, exact counts when they are bad.

`torch.aminmax` propagates NaN, keeps infinities, and writes straight into the shared page: one
reduction answers range and finiteness at once, without a copy or an allocation.
"""

from __future__ import annotations

import math
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
CHUNK = 1024
"""Elements that are searched for them at first."""


aminmax: Callable[..., Any] = torch.aminmax  # Any: two tensors, written to `out` where that is given
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


def _careful_aminmax(tensor: torch.Tensor, **out: Any) -> Any:  # Any: as `torch.aminmax` has it
    if tensor.numel() >= SERIAL and torch.get_num_threads() > 1:
        raise TooLarge(f"outputs of {SERIAL:,} elements and more in forked processes with several threads")
    return torch.aminmax(tensor, **out)


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

    def nan(self, ranged: Ranged, slot: int) -> bool:
        """Whether the range in `slot` holds NaN."""
        page, at = self._page, AT_SLOTS // 8 + slot
        if ranged in ("f4", "f8"):
            return math.isnan(page.f32[2 * at] if ranged == "f4" else page.f64[at])
        return page.u32[2 * at] & 0x7FFF > (0x7C00 if ranged == "f2" else 0x7F80)

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


def numerics(tensor: torch.Tensor) -> Numerics:
    """Exact counts of a tensor, its finite range, and the first places of what is not finite.

    Counted is only what its range says is there.

    Raises:
        TooLarge, RuntimeError: It can't be reduced.
    """
    with compat.without_torch_function():
        if tensor.is_nested:
            tensor = _reals(tensor)
        shape = tensor.shape
        if tensor._is_zerotensor():
            return Numerics(shape.numel(), 0, 0, 0, 0.0, 0.0, zeros=shape.numel())
        tensor = _reals(compat.without_neg(tensor).neg() if tensor.is_neg() else tensor)
        size = tensor.numel()
        if size == 0:
            return Numerics(0, 0, 0, 0)
        smallest, largest = aminmax(tensor)
        low, high = float(smallest.item()), float(largest.item())
        nan = _count(tensor.ne(tensor)) if low != low else 0
        mixed = 0 < nan < size
        above = _count(torch.isposinf(tensor)) if mixed or high == INF else 0
        below = _count(torch.isneginf(tensor)) if mixed or low == -INF else 0
        bad = nan + above + below
        return Numerics(
            size=shape.numel(),
            nan=nan,
            pos_inf=above,
            neg_inf=below,
            low=None if bad == size else _end(tensor, True) if nan or below else low,
            high=None if bad == size else _end(tensor, False) if nan or above else high,
            zeros=0 if bad == size else size - _count(tensor),
            where=tuple(place[: len(shape)] for place in _places(tensor, bad)),
        )


def _count(what: torch.Tensor) -> int:
    return int(torch.count_nonzero(what).item())


def _end(tensor: torch.Tensor, lowest: bool) -> float:
    """The smallest or largest of its finite numbers, of which there is one."""
    fill = torch.finfo(tensor.dtype).max if lowest else torch.finfo(tensor.dtype).min
    finite = torch.nan_to_num(tensor, nan=fill, posinf=fill, neginf=fill)
    return float((finite.amin() if lowest else finite.amax()).item())


def _places(tensor: torch.Tensor, bad: int) -> list[tuple[int, ...]]:
    """The first places of what is not finite. Not all of it is searched where many are `bad`."""
    wanted = min(bad, POSITIONS)
    if bad == tensor.numel():
        return [_unravelled(at, tensor.shape) for at in range(wanted)]
    flat = tensor.reshape(-1)
    found: list[int] = []
    start, width = 0, CHUNK
    while len(found) < wanted:
        part = flat[start : start + width]
        # What is finite is zero less itself, what is not is NaN.
        found += [start + at for at in torch.nonzero(part.sub(part)).flatten()[:POSITIONS].tolist()]
        start, width = start + width, 8 * width
    return [_unravelled(at, tensor.shape) for at in found[:wanted]]


def _unravelled(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    place: list[int] = []
    for extent in reversed(shape):
        at, rest = divmod(at, extent)
        place.append(rest)
    return tuple(reversed(place))
