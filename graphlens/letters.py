"""How wide text is, without font files: the metrics that Helvetica, Arial and Liberation Sans share.

The same numbers on every machine, so that a picture has the same bytes everywhere. Widths are a
little generous: a substituted font may be wider, and text must not leave its card.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from graphlens_tracers.events import Spec

# Advance widths of U+0020 to U+007E in thousandths of the size (Adobe's Helvetica metrics).
_HELVETICA = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_MONO = 602  # Menlo, DejaVu Sans Mono and Liberation Mono, in thousandths
LONGEST = 400
"""No text in a picture is longer; what is behind is never measured."""


@lru_cache(maxsize=4096)
def _advance(letter: str, mono: bool) -> int:
    code = ord(letter)
    if 32 <= code < 127:
        return _MONO if mono else _HELVETICA[code - 32]
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1000 if not mono else 2 * _MONO
    return _MONO if mono else 640


def width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """Width in the unit of `size` (font size); of the first 400 characters."""
    total = sum(_advance(letter, mono) for letter in text[:LONGEST])
    return total * size / 1000 * (1.0 if mono else 1.08 if bold else 1.02)


def elide(text: str, room: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """`text`, or its head and tail around "…" where it is wider than `room`.

    The tail is kept because names differ at their end ("encoder.layer.11"). The work is bounded
    by `room`, not by the length of the text.
    """
    most = min(LONGEST, int(room / size * 6) + 8)  # the narrowest letters fit no more often than this
    if len(text) <= most and width(text, size, bold=bold, mono=mono) <= room:
        return text
    low, high = 0, min(most, max(len(text) - 1, 0))
    while low < high:
        kept = (low + high + 1) // 2
        if width(_around(text, kept), size, bold=bold, mono=mono) <= room:
            low = kept
        else:
            high = kept - 1
    return _around(text, low)


def _around(text: str, kept: int) -> str:
    """`kept` characters of `text`, rather more of its head, with "…" in between."""
    tail = kept // 2
    return text[: kept - tail] + "…" + (text[len(text) - tail :] if tail else "")


_DTYPES = {
    "float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64",
    "int32": "i32", "int16": "i16", "int8": "i8", "uint8": "u8", "uint16": "u16", "uint32": "u32",
    "uint64": "u64", "complex64": "c64", "complex128": "c128", "complex32": "c32", "string": "str",
    "float8_e4m3fn": "f8e4m3", "float8_e5m2": "f8e5m2",
}  # fmt: skip


def spec_text(spec: Spec) -> str:
    """A tensor in one word: "f32[2,16,64]"; "?" is an unknown size, "[…]" an unknown rank."""
    dtype = _DTYPES.get(spec.dtype, spec.dtype)
    if spec.shape is None:
        return f"{dtype}[…]"
    return f"{dtype}[{','.join('?' if size is None else str(size) for size in spec.shape)}]"


def shape_text(spec: Spec) -> str:
    """A parameter's shape as people say it: "128×64"; "scalar" without dimensions."""
    if spec.shape is None:
        return "?"
    return "×".join("?" if size is None else str(size) for size in spec.shape) or "scalar"


def count_text(count: int) -> str:
    """A count in three digits: "16.6K", "124M"."""
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 100 * unit else 0}f}{letter}"
    return str(count)


def bytes_text(size_bytes: int) -> str:
    """A size in bytes as people say it: "1.5 MB"."""
    amount = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


_SIZES = {"64": 8, "32": 4, "16": 2, "8": 1, "128": 16}


def elements(spec: Spec) -> int:
    """How many elements a tensor has; unknown sizes count as one."""
    count = 1
    for size in spec.shape or ():
        count *= 1 if size is None else size
    return count


def size_bytes(spec: Spec) -> int:
    """Bytes of a tensor's elements, by its dtype's name; one each where the name says nothing."""
    digits = "".join(letter for letter in spec.dtype.partition("_")[0] if letter.isdigit())
    return elements(spec) * _SIZES.get(digits, 1)
