"""What conditions and expressions may say about tensors of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.elements import readable
from graphlens_tracers.tf.numerics import range_of


def value_of(thing: Any) -> Any:
    """An eager tensor, or that of a variable; None for anything else."""
    if compat.is_eager_tensor(thing):
        return thing
    value = thing.value() if isinstance(thing, compat.tf.Variable) else getattr(thing, "value", None)
    return value if compat.is_eager_tensor(value) else None


def _number(measure: Callable[[Any], float]) -> Callable[[Any], float]:
    def number(tensor: Any) -> float:
        value = value_of(tensor)
        if value is None or not readable(value) or not int(value._numpy_internal().size):
            return float("nan")
        return measure(value)

    return number


def _reals(tensor: Any) -> Any:
    array = tensor._numpy_internal()
    return np.abs(array).astype(np.float64) if array.dtype.kind == "c" else array.astype(np.float64)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nan": lambda tensor: _number(lambda x: float(np.isnan(_reals(x)).any()))(tensor) == 1,
    "inf": lambda tensor: _number(lambda x: float(np.isinf(_reals(x)).any()))(tensor) == 1,
    "absmax": _number(lambda x: float(np.abs(_reals(x)).max())),
    "amin": _number(lambda x: range_of(x)[0]),
    "amax": _number(lambda x: range_of(x)[1]),
    "norm": _number(lambda x: float(np.linalg.norm(_reals(x)))),
    "shape": lambda tensor: tuple(tensor.shape),
    "dtype": lambda tensor: str(tensor.dtype.name),
}
