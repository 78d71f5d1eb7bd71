"""Where the script is in its loops: what decides where one step ends and the next begins.

An *anchor* is the place in the user's source where a step is known to have done its work (the
last return of `Optimizer.step`, say). Its *loop* is the innermost source loop around it. A step
is over when an operation runs outside of that loop, or inside it but not after the anchor, or in
another loop that is going to step. A function that calls itself again is a loop, too.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from types import CodeType
from typing import Protocol

from graphlens_tracers.sites import Place

_BACKWARD_JUMPS = frozenset(
    op for name, op in dis.opmap.items() if "JUMP_BACKWARD" in name and "NO_INTERRUPT" not in name
)
_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"})
_CLEANS_UP = 5
"""Instructions between the end of a handler and the jump out of it."""
_TRAINING_NAMES = frozenset({
    "backward", "zero_grad", "manual_backward",
    "GradientTape", "apply_gradients", "train_on_batch", "train_function",
})  # fmt: skip


@dataclass(eq=False, slots=True)
class Loop:
    """A source loop: its code object and the offsets of its first and last instruction."""

    code: CodeType
    start: int
    stop: int
    trains: bool = False
    """Its own body (nested loops apart) calls a method that only training calls."""

    def holds(self, place: Place) -> bool:
        """Whether this place of this code is in the loop."""
        return place[0] is self.code and self.start <= place[1] <= self.stop


_loops: dict[int, tuple[CodeType, tuple[Loop, ...]]] = {}
"""By id: the hash of a code object reads all of its bytecode."""


def instructions_of(code: CodeType) -> list[dis.Instruction]:
    """The instructions of a code object; none when its bytecode was generated or patched."""
    try:
        return list(dis.get_instructions(code))
    except (IndexError, KeyError, ValueError):
        return []


def loops_of(code: CodeType) -> tuple[Loop, ...]:
    """The loops of a code object, innermost first; empty when it can't be disassembled."""
    known = _loops.get(id(code))
    if known is None:
        known = _loops[id(code)] = (code, _find_loops(code))
    return known[1]


def _find_loops(code: CodeType) -> tuple[Loop, ...]:
    instructions = instructions_of(code)
    spans: dict[int, int] = {}
    heads = {one.offset for one in instructions if one.opname == "FOR_ITER"}
    jumps = [
        (k, one)
        for k, one in enumerate(instructions)
        if one.opcode in _BACKWARD_JUMPS and isinstance(one.argval, int)
    ]
    heads |= {one.argval for k, one in jumps if not _leaves_a_handler(instructions, k)}
    for _, one in jumps:
        if one.argval in heads:
            spans[one.argval] = max(spans.get(one.argval, 0), one.offset)
    found = [Loop(code, start, stop) for start, stop in spans.items()]
    if any(one.opname in _LOADS and one.argval == code.co_name for one in instructions):
        found.append(Loop(code, 0, instructions[-1].offset))  # it calls itself: each time is a round
    found.sort(key=lambda loop: loop.stop - loop.start)
    for instruction in instructions:
        if instruction.argval in _TRAINING_NAMES:
            inner = next((loop for loop in found if loop.start <= instruction.offset <= loop.stop), None)
            if inner is not None:
                inner.trains = True
    return tuple(found)


def _leaves_a_handler(instructions: list[dis.Instruction], k: int) -> bool:
    """Whether a jump back goes on after an exception: handlers stand at the end since Python 3.12."""
    before = instructions[max(k - _CLEANS_UP, 0) : k]
    return sys.version_info >= (3, 12) and any(one.opname == "POP_EXCEPT" for one in before)


def trains(code: CodeType) -> bool:
    """Whether a function calls a method that only training calls, outside of its own loops."""
    loops = loops_of(code)
    return any(
        instruction.argval in _TRAINING_NAMES
        and not any(loop.start <= instruction.offset <= loop.stop for loop in loops)
        for instruction in instructions_of(code)
    ) or any(trains(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def innermost_loop(stack: list[Place]) -> tuple[Loop, int] | None:
    """The innermost source loop around a stack (innermost place first), and the index of its frame."""
    for index, (code, lasti) in enumerate(stack):
        for loop in loops_of(code):
            if loop.start <= lasti <= loop.stop:
                return loop, index
    return None


def in_training_loop(stack: list[Place]) -> bool:
    """Whether the innermost loop around some place of the stack trains by the look of its body."""
    for code, lasti in stack:
        for loop in loops_of(code):
            if loop.start <= lasti <= loop.stop:
                if loop.trains:
                    return True
                break
    return False


class Ahead(Protocol):
    """Tells by the look of its code which loop is going to step."""

    def __call__(self, stack: list[Place], inner: bool = False) -> Loop | None:
        """That loop around a stack (innermost first); `inner`: the innermost that does anything."""

    def found(self, loop: Loop, steps: bool) -> None:
        """An anchor is in this loop; `steps`: it is one of a training step."""


class Steps:
    """Remembers the anchors met so far and says whether an operation belongs to the same step.

    Attributes:
        loop: The loop of the call that is under way; None: outside of every loop that has an anchor.
        going: The loop that will have one, as far as is known; None when there is none, either.
        anchored: Whether the call that is under way has passed an anchor.
        loose: Whether it began with what could belong to any step: then the next operation decides.
    """

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._anchors: dict[Loop, list[Place]] = {}
        """By loop: the last anchor's places, the loop's frame first, then inwards."""
        self._furthest: dict[Loop, list[Place]] = {}
        """By loop: that of all training steps' anchors so far which is the last in the source."""
        self.loop: Loop | None = None
        self.going: Loop | None = None
        self.anchored = False
        self.loose = False
        self._source: Loop | None = None
        self._anchor: list[Place] = []
        self._around: list[Loop] = []

    @property
    def state(self) -> tuple[Hashable, ...]:
        """What `is_new` depends on besides the stack."""
        anchor = tuple((id(code), lasti) for code, lasti in self._anchor)  # hash() would read their code
        return self.loop, self.going, self.anchored, self.loose, self._source, anchor

    def anchor(self, stack: list[Place], steps: bool = True) -> None:
        """A call has done its work at this place (innermost first); `steps`: not only evaluated."""
        self.anchored = True
        self.loose = False
        self._anchor = stack[::-1]
        self._around = [loop for place in stack for loop in loops_of(place[0]) if loop.holds(place)]
        found = _round(stack)
        if found is None:
            self.loop = self.going = None
            return
        loop, index = found
        here = self._anchors[loop] = stack[index::-1]
        if steps and (loop not in self._furthest or follows(here, self._furthest[loop])):
            self._furthest[loop] = here
        self._ahead.found(loop, steps)
        self.loop = self.going = loop

    def loop_of(self, stack: list[Place]) -> Loop | None:
        """The innermost loop with an anchor around this stack."""
        for place in stack:
            inside = [loop for loop in self._anchors if loop.holds(place)]
            if inside:
                return min(inside, key=lambda loop: loop.stop - loop.start)
        return None

    def is_new(self, stack: list[Place], module: bool = False) -> bool:
        """Whether an operation at this stack (innermost first) belongs to another call than this one.

        Args:
            module: It is an outermost module that is called there.
        """
        loop = self.loop_of(stack)
        if loop is not self.loop:
            return True
        if self.anchored:
            if not follows(*self._since(stack)):
                return True
            ahead = self._ahead(stack, inner=True)
            return ahead is not None and ahead not in self._around
        if loop is not None:
            return False
        if self._ahead(stack) is not self.going:
            return True
        # Between the loops that are known, a loop that is not known yet (the first evaluation)
        # does not belong to what ran before it.
        return (
            module and self.going is None and bool(self._anchors) and _source_loop(stack) is not self._source
        )

    def is_last(self, stack: list[Place]) -> bool:
        """Whether a stack is after every anchor that a step had so far in this loop."""
        furthest = self._furthest.get(self.loop) if self.loop is not None else None
        return furthest is None or follows(self._since(stack)[0], furthest)

    def begin(self, stack: list[Place], loose: bool = False) -> None:
        """A call begins with an operation at this stack."""
        self.loop = self.loop_of(stack)
        self.going = self._ahead(stack)
        self.anchored = False
        self.loose = loose
        self._source = _source_loop(stack)

    def _since(self, stack: list[Place]) -> tuple[list[Place], list[Place]]:
        """This stack and the anchor, from the frame of the loop inwards."""
        if self.loop is None:
            return stack[::-1], self._anchor
        index = next(k for k, place in enumerate(stack) if self.loop.holds(place))
        return stack[index::-1], self._anchors[self.loop]


def _source_loop(stack: list[Place]) -> Loop | None:
    found = innermost_loop(stack)
    return found[0] if found is not None else None


def _round(stack: list[Place]) -> tuple[Loop, int] | None:
    """The innermost loop around an anchor, and the index of its frame.

    A generator's own loop counts only when there is no other: what it yields to is in the same round.
    """
    for index, (code, lasti) in enumerate(stack):
        if not code.co_flags & inspect.CO_GENERATOR:
            for loop in loops_of(code):
                if loop.start <= lasti <= loop.stop:
                    return loop, index
    return innermost_loop(stack)


def follows(stack: list[Place], anchor: list[Place]) -> bool:
    """Whether a stack is after an anchor in the same round; both outermost first, from one frame on."""
    for (code, lasti), (anchor_code, anchor_lasti) in zip(stack, anchor, strict=False):
        if code is not anchor_code:
            return False
        if lasti != anchor_lasti:
            return lasti > anchor_lasti
    # The same place down to the shallower of the two: below the anchor's own line, or back at it.
    return False
