"""What is said of a tensor's elements: statistics, a histogram, where they are not finite, how two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens.elements import Elements

Array = npt.NDArray[Any]  # Any: whatever kind of number
MOST_PLACES = 1000
"""Places of elements that are not finite that are listed."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the elements of a tensor that are there; of complex ones the sizes.

    Attributes:
        low, high, mean, spread: Of the finite ones, the last as standard deviation; None when there are none.
        percentiles: The 1st, 50th and 99th of the finite ones.
        smallest: The smallest size above zero.
    """

    size: int
    low: float | None
    high: float | None
    mean: float | None
    spread: float | None
    percentiles: tuple[float, float, float] | None
    smallest: float | None
    zeros: int
    nan: int
    pos_inf: int
    neg_inf: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many finite elements lie in each of equally wide parts of `low` … `high`."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bad:
    """Elements that are not finite.

    Attributes:
        count: How many there are.
        places: The first of them, and what is there.
        rows: How many there are in each row of the first axis that has some, by its number; empty for
            a part of a tensor.
    """

    count: int
    places: tuple[tuple[tuple[int, ...], Any], ...]
    rows: dict[int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a tensor differs from another one of its shape.

    Attributes:
        largest: Largest size of a difference; infinite or NaN where only one of two is finite.
        changed: Elements that are not the same; two NaN are.
        broken: Elements that are not finite, and were in the other one.
        cosine: Of the angle between them, over what is finite in both; None where one of them is 0.
        scale: How many times as large it is, by the mean size of what is finite in both.
    """

    size: int
    largest: float
    changed: int
    broken: int
    cosine: float | None
    scale: float | None


def statistics(array: Array) -> Statistics:
    """The statistics of an array."""
    flat = _real(array)
    nan, above, below = np.isnan(flat), np.isposinf(flat), np.isneginf(flat)
    finite = flat[~(nan | above | below)]
    sizes = np.abs(finite[finite != 0])
    counts = int(nan.sum()), int(above.sum()), int(below.sum())
    zeros = int((flat == 0).sum())
    if not finite.size:
        return Statistics(flat.size, None, None, None, None, None, None, zeros, *counts)
    with np.errstate(over="ignore"):
        one, half, last = np.percentile(finite, (1, 50, 99)).tolist()
        mean, spread = float(finite.mean()), float(finite.std())
    smallest = float(sizes.min()) if sizes.size else None
    low, high = float(finite.min()), float(finite.max())
    return Statistics(flat.size, low, high, mean, spread, (one, half, last), smallest, zeros, *counts)


def histogram(array: Array, bins: int) -> Histogram | None:
    """How the finite elements are spread; None when there are none."""
    flat = _real(array)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    half = high / 2 - low / 2  # the whole width may be more than float64 holds
    parts = np.full(finite.size, bins // 2)
    if half:
        with np.errstate(under="ignore"):
            parts = np.clip(((finite / 2 - low / 2) / half * bins).astype(np.int64), 0, bins - 1)
    counts = np.bincount(parts, minlength=bins)
    return Histogram(low, high, tuple(counts.tolist()))


def bad(elements: Elements) -> Bad:
    """Where the elements are not finite."""
    flat = elements.array.reshape(-1)
    if flat.dtype.kind not in "fc":
        return Bad(0, (), {})
    found = np.flatnonzero(~np.isfinite(flat))
    places = tuple((elements.place(at), flat[at].item()) for at in found[:MOST_PLACES].tolist())
    rows: dict[int, int] = {}
    if elements.whole and elements.array.ndim:
        per_row = found // max(1, flat.size // max(1, elements.array.shape[0]))
        numbers, counts = np.unique(per_row, return_counts=True)
        rows = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    return Bad(len(found), places, rows)


def difference(array: Array, other: Array) -> Difference | None:
    """How one differs from the other; None where their shapes do."""
    if array.shape != other.shape:
        return None
    one, two = _real(array), _real(other)
    same = (one == two) | (np.isnan(one) & np.isnan(two))
    fine, was_fine = np.isfinite(one), np.isfinite(two)
    both = fine & was_fine
    with np.errstate(all="ignore"):
        sizes = np.abs(one - two)[~same]
        largest = float(sizes.max()) if sizes.size else 0.0
        a, b = one[both], two[both]
        length, other_length = float(np.sqrt(a @ a)), float(np.sqrt(b @ b))
        cosine = float(a @ b) / (length * other_length) if length and other_length else None
        before = float(np.abs(b).mean()) if b.size else 0.0
        scale = float(np.abs(a).mean()) / before if before else None
    return Difference(one.size, largest, int((~same).sum()), int((~fine & was_fine).sum()), cosine, scale)


def plane(array: Array, axes: Sequence[int], at: Sequence[int]) -> Array:
    """A slice of two axes (rows, columns), or of as many as there are, at the indices of the others."""
    if array.ndim <= 1:
        return array.reshape(1, -1)
    index = tuple(slice(None) if axis in axes else at[axis] for axis in range(array.ndim))
    found = array[index]
    return found if axes[0] < axes[1] else found.T


def _real(array: Array) -> npt.NDArray[np.float64]:
    flat = array.reshape(-1)
    return np.abs(flat).astype(np.float64) if flat.dtype.kind == "c" else flat.astype(np.float64)
