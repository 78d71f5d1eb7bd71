"""What was read and made at the very places where something that is not finite was born."""

from __future__ import annotations

from collections.abc import Mapping
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
    for element in np.flatnonzero(born)[:MOST].tolist():
        place = made.place(element)
        read = {k: number for k, one in tensors.read.items() if (number := _at(one, place)) is not None}
        found.append(Example(place, flat[element].item(), read))
    return found


def _at(elements: Elements, place: tuple[int, ...]) -> Any:  # Any: a number, or None
    """The element that belongs to a place of an output; None where that is not plain, or not kept."""
    shape = elements.spec.shape or ()
    if len(shape) > len(place):
        return None
    aligned = place[len(place) - len(shape) :]
    if any(n not in (1, None) and at >= n for n, at in zip(shape, aligned, strict=True)):
        return None
    sizes = tuple(n or 0 for n in shape)
    index = tuple(0 if n == 1 else at for n, at in zip(sizes, aligned, strict=True))
    element = int(np.ravel_multi_index(index, sizes)) - elements.start if sizes else 0
    flat = elements.array.reshape(-1)
    return flat[element].item() if 0 <= element < len(flat) else None
