"""One number in one cell: the formats it is written in, and the colours and characters of its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens.elements import Array
from graphlens.statistics import Statistics
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.palette import Palette

FORMATS = ("%.3g", "%.6g", "%.3e", "exact", "hex", "bits")
"""How numbers are written, in the order in which a key goes round."""
LEVELS = 12
"""Shades of each sign."""
TINT = 0.6
"""How much of a shade's colour is behind a number."""
INF, NAN = 1, 2
"""What an element is that is not finite."""
Number = Any
"""A number of NumPy's or Python's, of any kind."""


def cell_text(value: Number, how: str, dtype: str) -> str:
    """A number in a format; whole numbers and truth values as they are.

    Args:
        value: NumPy's for "exact", "hex" and "bits".
        dtype: The tensor's own.
    """
    if how in ("hex", "bits"):
        return _bits(value, how, dtype)
    if isinstance(value, (complex, np.complexfloating)):
        real, imaginary = _real(value.real, how), _real(value.imag, how)
        return f"{real}{'' if imaginary.startswith(('-', '−')) else '+'}{imaginary}j"
    return _real(value, how) if isinstance(value, (float, np.floating)) else str(value)


def _real(value: Number, how: str) -> str:
    number = float(value)
    if number - number != 0:  # not finite
        return "NaN" if number != number else "∞" if number > 0 else "−∞"
    if how == "exact":
        return str(value)
    text = how % number
    if "e" in text:
        digits, _, power = text.partition("e")
        return f"{digits}e{int(power)}"
    if -0.001 < number < 0.001 and number:  # shorter with a power
        digits, _, power = f"{number:.{int(how[2]) - 1}e}".partition("e")
        short = f"{float(digits):g}e{int(power)}"
        return short if len(short) < len(text) else text
    return "0" if text == "-0" else text


def _bits(value: Number, how: str, dtype: str) -> str:
    raw = int.from_bytes(value.tobytes(), "little")
    bits = 8 * value.dtype.itemsize
    if dtype == "bfloat16":  # held as the upper half of a float32
        raw, bits = raw >> 16, 16
    return f"{raw:0{bits}b}" if how == "bits" else f"{raw:0{bits // 4}x}"


def cell_width(how: str, dtype: np.dtype[Any], name: str, found: Statistics | None) -> int:
    """Cells that each number of a tensor is given, with one between them. `name`: the tensor's own type."""
    bits = 16 if name == "bfloat16" else 8 * dtype.itemsize
    if how == "bits":
        return bits + 2
    if how == "hex":
        return bits // 4 + 2
    if dtype.kind in "iub":
        if dtype.kind == "b" or found is None or found.low is None or found.high is None:
            return 7
        return max(5, 2 + max(len(str(int(found.low))), len(str(int(found.high)))))
    if how == "exact":
        longest = {16: 10, 32: 14, 64: 23}.get(bits // 2 if dtype.kind == "c" else bits, 23)
    else:
        longest = _longest(how, found)
    return 2 * longest + 3 if dtype.kind == "c" else longest + 2


@lru_cache(maxsize=64)
def _longest(how: str, found: Statistics | None) -> int:
    """Characters of the longest number of a tensor in a format."""
    if found is None:
        return 8
    largest = max(abs(found.low or 0.0), abs(found.high or 0.0))
    if not largest or found.smallest is None:
        return 3
    powers = range(math.floor(math.log10(found.smallest)) - 1, math.floor(math.log10(largest)) + 2)
    sign = (found.low or 0) < 0 or found.neg_inf > 0
    return max(3, sign + max(len(_real(1.23456789 * 10.0**power, how)) for power in powers))


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to shades: as dark as the 1st or 99th percentile is the darkest of its sign.

    Attributes:
        limit: A size from which on there is no darker shade.
    """

    limit: float

    @classmethod
    def of(cls, found: Statistics | None) -> Scale:
        """For the numbers of a tensor."""
        if found is None or found.percentiles is None or found.low is None or found.high is None:
            return cls(0.0)
        limit = max(abs(found.percentiles[0]), abs(found.percentiles[2]))
        return cls(limit or max(abs(found.low), abs(found.high)))

    def levels(self, array: Array) -> npt.NDArray[np.int64]:
        """For each element from -LEVELS to LEVELS; 0 for NaN."""
        sizes = np.abs(array) if array.dtype.kind == "c" else array.astype(np.float64)
        if not self.limit:
            return np.zeros(array.shape, np.int64)
        with np.errstate(invalid="ignore", over="ignore"):
            part = np.clip(np.nan_to_num(sizes / self.limit, posinf=1.0, neginf=-1.0), -1.0, 1.0)
        return np.rint(part * LEVELS).astype(np.int64)


def bads(array: Array) -> npt.NDArray[np.int64]:
    """For each element 0 when it is finite, INF, or NAN."""
    if array.dtype.kind not in "fc":
        return np.zeros(array.shape, np.int64)
    return np.where(np.isnan(array), NAN, np.where(np.isfinite(array), 0, INF))


@lru_cache(maxsize=512)
def shade(palette_ground: str, full: str, level: int, most: float) -> str:
    """A colour between a ground and another one; `most`: how near it gets at the highest level."""
    part = most * level / LEVELS
    one, other = _channels(palette_ground), _channels(full)
    mixed = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _channels(colour: str) -> Sequence[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def ground_of(level: int, palette: Palette) -> str:
    """The ground behind a number of that level."""
    if not level:
        return palette.ground
    return shade(palette.ground, palette.signs[0] if level < 0 else palette.signs[2], abs(level), TINT)


def map_colour(level: int, palette: Palette) -> str:
    """The colour of an element of that level on the map."""
    if not level:
        return palette.ground
    return shade(palette.ground, palette.accent if level < 0 else palette.lanes[6], abs(level), 1.0)


def map_text(level: int, glyphs: Glyphs) -> str:
    """The two characters of an element of that level on a map without colours."""
    steps = glyphs.shades
    step = steps[round(abs(level) / LEVELS * (len(steps) - 1))]
    return (glyphs.minus if level < 0 else step) + step
