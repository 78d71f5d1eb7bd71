"""How the numbers of an eager tensor look: minimum and maximum, straight from its memory."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from graphlens_tracers.events import Numerics
from graphlens_tracers.tf import compat

POSITIONS = 8
"""How many places of elements that are not finite are named."""
INF = float("inf")
NOTHING = (INF, -INF)
"""The range of no numbers at all."""
Ranged = Literal["", "f4", "f8"]
_HOW: dict[int, Ranged] = {
    compat.HALF: "f4", compat.BFLOAT16: "f4", compat.FLOAT: "f4", compat.COMPLEX64: "f4",
    compat.DOUBLE: "f8", compat.COMPLEX128: "f8",
}  # fmt: skip
WIDTH = {"f4": 1, "f8": 2}
"""Slots of a range."""


def how_of(tensor: Any) -> Ranged:
    """How its range is stored, as in `Output.ranged`; "" when its numbers are not looked at."""
    return _HOW.get(tensor._datatype_enum(), "")


def range_of(tensor: Any) -> tuple[float, float]:
    """Minimum and maximum of a floating tensor; NaN when it holds one.

    Raises:
        Exception: Its memory cannot be read, as TensorFlow says it.
    """
    array = tensor._numpy_internal()
    if array.size == 1 and array.dtype.kind == "f":
        number = float(array.reshape(()))
        return number, number
    if not array.size:
        return NOTHING
    if array.dtype.kind == "c":
        array = np.ascontiguousarray(array).view(array.real.dtype)
    elif array.dtype.itemsize == 2:
        array = array.astype(np.float32)
    return float(np.minimum.reduce(array, axis=None)), float(np.maximum.reduce(array, axis=None))


def glance(tensor: Any) -> Numerics | None:
    """How the numbers of a tensor look, whole ones too, counted only where some are not finite.

    None where it holds no numbers.

    Raises:
        Exception: Its memory cannot be read, as TensorFlow says it.
    """
    if tensor._datatype_enum() not in compat.NUMBERS:
        return None
    array = tensor._numpy_internal()
    if not array.size:
        return Numerics(0, 0, 0, 0)
    low, high = range_of(tensor) if how_of(tensor) else (float(array.min()), float(array.max()))
    finite = -INF < low and high < INF
    return Numerics(array.size, 0, 0, 0, low, high) if finite else numerics(tensor)


def numerics(tensor: Any) -> Numerics:
    """How many of its elements are not finite, and where the first of them are.

    Raises:
        Exception: Its memory cannot be read, as TensorFlow says it.
    """
    return numerics_of(tensor._numpy_internal())


def numerics_of(array: Any) -> Numerics:
    """The same of an array."""
    numbers = array if array.dtype.kind in "fc" else array.astype(np.float32)
    parts = np.stack([numbers.real, numbers.imag]) if numbers.dtype.kind == "c" else numbers[None]
    nan, above, below = np.isnan(parts), np.isposinf(parts), np.isneginf(parts)
    finite = parts[~(nan | above | below)].astype(np.float64)

    def count(which: Any) -> int:
        return int(which.any(axis=0).sum())

    bad = (nan | above | below).any(axis=0)
    where = tuple(tuple(one) for one in np.argwhere(bad)[:POSITIONS].tolist())
    return Numerics(
        array.size, count(nan), count(above), count(below),
        float(finite.min()) if finite.size else None, float(finite.max()) if finite.size else None,
        where=where, zeros=int((array == 0).sum()),
    )  # fmt: skip
