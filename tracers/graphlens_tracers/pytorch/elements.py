"""The elements of a tensor as bytes, for what is kept."""

from __future__ import annotations

import ctypes

import torch

from graphlens_tracers.events import Kept, Spec
from graphlens_tracers.keeping import Keeping, part_of
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import PLAIN

_KNOWN = frozenset(
    (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
        torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16,
        torch.int32, torch.int64,
    )
)  # fmt: skip


def readable(tensor: torch.Tensor) -> bool:
    """Whether its elements lie in memory as numbers that a reader knows."""
    return (
        type(tensor) in PLAIN
        and tensor.dtype in _KNOWN
        and tensor.layout is torch.strided
        and tensor.device.type != "meta"
        and not tensor.is_nested
    )


def keep(
    keeping: Keeping, tensor: torch.Tensor, given: int | None = None, place: tuple[int, ...] = ()
) -> tuple[Kept, ...]:
    """Keep its elements; of a large one those around `place`. `given` as in `Keeping.put`.

    Raises:
        RuntimeError: Its memory cannot be read, as PyTorch says it.
    """
    with compat.without_torch_function():
        shape = tuple(tensor.shape)
        spec = Spec(shape, str(tensor.dtype).removeprefix("torch."), str(tensor.device))
        indices, start = part_of(shape, tensor.element_size(), place)
        piece = _plain(tensor[tuple(indices)] if indices else tensor)
        return keeping.put(_memory(piece), spec, start, given)


def bytes_of(tensor: torch.Tensor) -> bytes:
    """Its elements in order. Raises RuntimeError as `keep` does."""
    with compat.without_torch_function():
        piece = _plain(tensor)
        return bytes(_memory(piece))


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """The same elements, one after the other in memory."""
    piece = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    return piece.clone() if piece._is_zerotensor() else piece


def _memory(piece: torch.Tensor) -> memoryview:
    """The memory of a plain tensor, as long as that lives."""
    size = piece.numel() * piece.element_size()
    elements = (ctypes.c_char * size).from_address(piece.data_ptr()) if size else b""
    return memoryview(elements).cast("B")
