"""A function while it runs operation by operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphlens_tracers.tf.moments import Frame
from graphlens_tracers.tf.routines import Op, Routine


@dataclass(eq=False, slots=True)
class Place:
    """A function where it is entered: kernels that remember do so for each such place.

    Attributes:
        is_outermost: Whether Python enters it.
        alone: By operation, the function that it is in alone.
        inside: Places in it, by where they are entered: operation, attribute, which of several branches.
    """

    routine: Routine
    is_outermost: bool = False
    alone: dict[str, str] = field(default_factory=dict)
    inside: dict[tuple[str, str, int], Place] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Running:
    """One run of a function.

    Attributes:
        frame: What whoever listens is told of it; None: nobody hears of it.
        values: Its tensors; None for one that is not there yet, or that nobody reads any more.
        outer: The run with the operation that entered it; `part`: by which of its attributes.
        iteration: Of a loop.
        op: The operation that runs.
        changed: Values that whoever listens has put in the place of others.
    """

    place: Place
    frame: Frame | None
    values: list[Any]
    outer: Running | None = None
    part: str = ""
    iteration: int | None = None
    op: Op | None = None
    changed: set[int] = field(default_factory=set)
