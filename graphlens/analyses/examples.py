"""What was read and made at the very places where something that is not finite was born."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlens.analyses.births import Bad
from graphlens.elements import Elements
from graphlens.store import Process
from graphlens_tracers.errors import BadRunFile

MOST = 4
"""Places that are told."""


@dataclass(frozen=True, slots=True)
class Tensors:
    """The kept tensors of an operation.

    Attributes:
        made: The output that is not finite; None when it was not kept.
        read: Inputs, by their position.
        trouble: Why they cannot be read, though they were kept; "" when they can.
    """

    made: Elements | None = None
    read: Mapping[int, Elements] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One place: where it is in the output, what was made there, and what was read for it.

    Attributes:
        read: For each kept input, by position, its element there; only inputs that reach over the
            output's shape as NumPy broadcasts.
    """

    place: tuple[int, ...]
    made: Any  # a number
    read: Mapping[int, Any]


def tensors_of(process: Process, bad: Bad) -> Tensors:
    """What is kept of an operation."""
    kept = process.kept(bad.seq)
    try:
        made = kept.get((None, bad.slots[0])) if bad.slots else None
        read = {k: process.elements(one) for (k, _), one in kept.items() if k is not None}
        return Tensors(None if made is None else process.elements(made), read)
    except BadRunFile as error:
        return Tensors(trouble=str(error))


def examples(bad: Bad, tensors: Tensors) -> list[Example]:
    """The first places where what was made is not finite; NaN first, where that was born."""
    made = tensors.made
    if made is None or not np.issubdtype(made.array.dtype, np.inexact):
        return []
    flat = made.array.reshape(-1)
    born = np.isnan(flat) if bad.kind == "nan" else ~np.isfinite(flat)
    found = []
    over = tuple(n or 0 for n in made.spec.shape or ())
    for element in np.flatnonzero(born)[:MOST].tolist():
        place = made.place(element)
        read = {k: number for k, one in tensors.read.items() if (number := _at(one, over, place)) is not None}
        found.append(Example(place, flat[element].item(), read))
    return found


def aligned(shape: Sequence[int], whole: Sequence[int], place: Sequence[int]) -> tuple[int, ...] | None:
    """The place in an input that belongs to a place of an output, as NumPy broadcasts.

    Args:
        shape: Of the input; `whole`: of the output.

    Returns:
        None where the input's shape does not reach over the output's.
    """
    first = len(whole) - len(shape)
    if first < 0 or any(n not in (1, over) for n, over in zip(shape, whole[first:], strict=True)):
        return None
    return tuple(0 if n == 1 else at for n, at in zip(shape, place[first:], strict=True))


def _at(elements: Elements, whole: Sequence[int], place: tuple[int, ...]) -> Any:  # Any: a number, or None
    """The element that belongs to a place of an output; None where that is not plain, or not kept."""
    shape = tuple(n or 0 for n in elements.spec.shape or ())
    index = aligned(shape, whole, place)
    if index is None:
        return None
    element = int(np.ravel_multi_index(index, shape)) - elements.start if shape else 0
    flat = elements.array.reshape(-1)
    return flat[element].item() if 0 <= element < len(flat) else None
