"""Kept tensors: their elements as arrays, out of a file that may be anybody's."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens.decode import plain_file
from graphlens.text import clean
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import Kept, Spec

Array = npt.NDArray[Any]  # Any: one of the types below
LARGEST = 64 << 20
"""Bytes of a kept tensor that are read at most."""

_TYPES = {
    **{name: np.dtype(name).newbyteorder("<") for name in (
        "float16", "float32", "float64", "complex64", "complex128", "bool", "int8", "int16", "int32", "int64",
        "uint8", "uint16", "uint32", "uint64",
    )},
    "half": np.dtype("<f2"), "float": np.dtype("<f4"), "double": np.dtype("<f8"),
    "bfloat16": np.dtype("<u2"),  # the upper half of a float32
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """The elements of a tensor, or of a part of it.

    Attributes:
        spec: Of the whole tensor.
        array: All of them in the tensor's shape; of a part a row of them. bfloat16 as float32.
        start: The first one that is there, counted in order.
    """

    spec: Spec
    array: Array
    start: int = 0

    @property
    def whole(self) -> bool:
        """Whether no element is missing."""
        return self.array.shape == self.spec.shape

    @property
    def size(self) -> int:
        """How many elements the tensor has."""
        return math.prod(n or 0 for n in self.spec.shape or ())

    def place(self, element: int) -> tuple[int, ...]:
        """Where in the tensor an element is, counted in order from the first that is there."""
        shape = tuple(n or 0 for n in self.spec.shape or ())
        return tuple(int(n) for n in np.unravel_index(self.start + element, shape)) if shape else ()


def read(path: Path, kept: Kept) -> Elements:
    """The elements that a fact speaks of.

    Raises:
        BadRunFile: They are not there, or are not what was written.
    """
    dtype, shape = _TYPES.get(kept.spec.dtype), kept.spec.shape
    if dtype is None or shape is None or any(n is None or n < 0 for n in shape):
        raise BadRunFile(f"{path.name}: elements of {clean(kept.spec.dtype)} cannot be read")
    size = math.prod(n for n in shape if n is not None)
    count, rest = divmod(kept.size, dtype.itemsize)
    there = 0 <= kept.start and kept.start + count <= size and kept.at >= 0 and not rest
    if not there or not 0 <= kept.size <= LARGEST:
        raise BadRunFile(f"{path.name}: what is said of byte {kept.at} makes no sense")
    try:
        with plain_file(path) as fd:
            data = os.pread(fd, kept.size, kept.at)
    except (OSError, OverflowError) as error:
        raise BadRunFile(f"{path.name} cannot be read: {error}") from error
    if len(data) != kept.size or zlib.crc32(data) != kept.crc:
        raise BadRunFile(f"{path.name}: the elements at byte {kept.at} are damaged")
    array = _numbers(data, kept.spec.dtype)
    if count == size:
        try:
            array = array.reshape(tuple(n for n in shape if n is not None))
        except ValueError as error:  # none of no elements along an axis that is too long
            raise BadRunFile(f"{path.name}: no tensor has the shape {shape}") from error
    return Elements(kept.spec, array, kept.start)


def array_of(dtype: str, shape: Sequence[int], data: bytes) -> Array:
    """A tensor's elements, as a process sent them.

    Raises:
        ValueError: They are not what is said of them.
    """
    if dtype not in _TYPES:
        raise ValueError(f"elements of {clean(dtype)} cannot be read")
    return _numbers(data, dtype).reshape(tuple(shape))


def _numbers(data: bytes, dtype: str) -> Array:
    """Bytes as numbers in a row; bfloat16 as float32."""
    array: Array = np.frombuffer(data, _TYPES[dtype])
    return (array.astype("<u4") << 16).view("<f4") if dtype == "bfloat16" else array
