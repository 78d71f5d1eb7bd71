"""The elements of an eager tensor as bytes, for what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlens_tracers.events import Kept, Spec
from graphlens_tracers.keeping import Keeping, part_of
from graphlens_tracers.tf import compat


def readable(tensor: Any) -> bool:
    """Whether its elements are numbers that a reader knows: no strings, handles, lists, or smaller floats."""
    return tensor._datatype_enum() in compat.NUMBERS


def keep(
    keeping: Keeping, tensor: Any, given: int | None = None, place: tuple[int, ...] = ()
) -> tuple[Kept, ...]:
    """Keep its elements; of a large one those around `place`. `given` as in `Keeping.put`.

    Raises:
        Exception: Its memory cannot be read, as TensorFlow says it.
    """
    array = tensor._numpy_internal()
    spec = Spec(tuple(array.shape), tensor.dtype.name, compat.device(tensor))
    indices, start = part_of(array.shape, array.itemsize, place)
    piece = np.ascontiguousarray(array[tuple(indices)] if indices else array)
    return keeping.put(piece.reshape(-1).view(np.uint8).data, spec, start, given)


def keep_array(keeping: Keeping, array: Any, given: int | None = None) -> tuple[Kept, ...]:
    """Keep an array that is in no tensor any more."""
    spec = Spec(tuple(array.shape), array.dtype.name, "cpu")
    return keeping.put(memoryview(bytes_of(array)), spec, given=given)


def bytes_of(array: Any) -> bytes:
    """The elements of an array in order."""
    return bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
