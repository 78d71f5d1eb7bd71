"""The corpus, and what its programs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlens_tracers.tf.compat import tf

Program = Callable[[], Any]
PROGRAMS: dict[str, Program] = {}


def program(make: Program) -> Program:
    """Put it into the corpus under its name."""
    PROGRAMS[make.__name__] = make
    return make


def numbers(*shape: int) -> Any:
    """The same ordinary numbers each time."""
    return tf.constant(np.random.default_rng(7).normal(size=shape).astype(np.float32))


def differentiated(compute: Callable[[Any], Any], x: Any) -> Any:
    """A function's value and gradient, computed inside of one function."""

    @tf.function
    def both(given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = compute(given)
        return value, tape.gradient(value, given)

    return both(x)
