"""How often an optimizer went into its loops: what tells its many operations of one kind apart.

The two loops of LBFGS go once through all directions in each of its iterations, and there is one
direction more each time. Counted from the beginning of the step, its operations would never be the
same twice; counted from where a loop was entered, they are.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType
from typing import NamedTuple

from graphlens_tracers.loops import Loop, loops_of


class Round(NamedTuple):
    """The nth time that a loop was entered in an optimizer's step; `start`: where it is in its code."""

    function: str
    start: int
    nth: int

    def __str__(self) -> str:
        return f"{self.function}+{self.start}#{self.nth}"


def loops_around(
    frame: FrameType | None, is_user: Callable[[CodeType], bool], frames: int
) -> tuple[Loop, ...]:
    """The loops around a frame, innermost first, outwards until after so many of the user's frames."""
    found: list[Loop] = []
    while frame is not None:
        code, at = frame.f_code, frame.f_lasti
        if is_user(code):
            if frames == 0:
                break
            frames -= 1
        found += [loop for loop in loops_of(code) if loop.start <= at <= loop.stop]
        frame = frame.f_back
    return tuple(found)


class Rounds:
    """Which loops of the optimizer's a call is in, and how often it went into each."""

    def __init__(self) -> None:
        self._inside: tuple[Loop, ...] = ()
        self._entered: dict[Loop, int] = {}
        self._begun: list[int] = []
        """Steps of optimizers that have begun since, by how many operations had run."""

    def begin(self) -> None:
        """A call begins."""
        self._inside = ()
        self._entered.clear()
        self._begun.clear()

    def step_begins(self, count: int) -> None:
        """An optimizer's step begins, after so many operations of the call."""
        self._begun.append(count)

    def goes_on(self, count: int, loops: tuple[Loop, ...]) -> None:
        """The operation after so many runs in these loops."""
        while self._begun and self._begun[0] <= count:
            del self._begun[0]
            self._inside = ()
            self._entered.clear()
        if loops != self._inside:
            for loop in loops:
                if loop not in self._inside:
                    self._entered[loop] = self._entered.get(loop, -1) + 1
            self._inside = loops

    def round(self, loop: Loop) -> Round:
        """Which time it is that this loop was entered."""
        return Round(loop.code.co_name, loop.start, self._entered[loop])
