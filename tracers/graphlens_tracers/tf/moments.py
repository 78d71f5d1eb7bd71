"""What whoever steps through functions is told, and what it answers. Nothing here needs TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

Tensors = Sequence[Any]
"""Eager tensors of TensorFlow."""


class Way(Enum):
    """How an operation runs."""

    WHOLE = "whole"
    """TensorFlow runs it, with all that is inside of it."""
    ENTER = "enter"
    """What is inside of it runs operation by operation. Of one that enters nothing, the same as WHOLE."""


@dataclass(eq=False, slots=True)
class Run:
    """A call of a function by Python.

    Attributes:
        serial: Counts on within the process.
        rows: How many rows its operations have so far, each behind those of what it entered; None: that is
            not known any more.
    """

    serial: int = 0
    rows: int | None = 0


@dataclass(eq=False, slots=True)
class Frame:
    """A function that runs.

    Attributes:
        function: Its name, as the script's.
        outer: The frame with the operation that entered it; None for what Python called.
        node: That operation; "" for none.
        part: By which of its attributes: "f", "then_branch", "else_branch", "branches", "cond", "body".
        nth: Which of several branches.
        iteration: Of a loop, from 0; None outside of loops.
        run: The call by Python that it is in.
    """

    function: str
    outer: Frame | None = None
    node: str = ""
    part: str = ""
    nth: int = 0
    iteration: int | None = None
    run: Run = field(default_factory=Run)

    @property
    def stack(self) -> list[Frame]:
        """It and those that it is in, outermost first."""
        found: list[Frame] = []
        one: Frame | None = self
        while one is not None:
            found.append(one)
            one = one.outer
        return found[::-1]


@dataclass(eq=False, slots=True)
class Moment:
    """An operation that is about to run, or has just run.

    Attributes:
        node: Its name in the function; `kind`: its type.
        inputs: The tensors that it reads: before it has run, others like them may be put into their place.
        enters: The functions that it may enter, by attribute; empty for most.
        way: How it runs.
        told: What a watched function tells of what is inside of it.
    """

    frame: Frame
    node: str
    kind: str
    inputs: list[Any]
    enters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    way: Way = Way.WHOLE
    told: Tensors = ()


class Listener(Protocol):
    """Hears of each operation on the thread that runs it, and may take its time: the script waits.

    What it raises ends the script's call.
    """

    def before(self, moment: Moment) -> Way:
        """An operation is about to run."""
        ...

    def after(self, moment: Moment, outputs: Tensors) -> Tensors:
        """It ran; gives the tensors with which the run goes on: `outputs`, or some others like them."""
        ...

    def failed(self, moment: Moment, error: BaseException) -> None:
        """It raised; the same error goes on to the script."""
        ...
