"""A model of a public library, and how to make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verdict.healthy import Made


@dataclass(frozen=True)
class Family:
    """A library's model, and how to make it."""

    library: str
    name: str
    make: Callable[[], Made]
