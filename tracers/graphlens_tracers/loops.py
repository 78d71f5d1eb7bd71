"""Where the script is in its loops: what decides where one step ends and the next begins.

An *anchor* is the place in the user's source where a step is known to have done its work (the
last return of `Optimizer.step`, say). Its *loop* is the innermost source loop around it. A step
is over when an operation runs outside of that loop, or inside it but not after the anchor.
"""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType

from graphlens_tracers.sites import Place

_BACKWARD_JUMPS = frozenset(
    op for name, op in dis.opmap.items() if "JUMP_BACKWARD" in name and "NO_INTERRUPT" not in name
)
_TRAINING_NAMES = frozenset({"backward", "zero_grad", "manual_backward"})


@dataclass(eq=False, slots=True)
class Loop:
    """A source loop: its code object and the offsets of its first and last instruction."""

    code: CodeType
    start: int
    stop: int
    anchor: list[Place] | None = None
    """The anchor's places, this loop's frame first, then inwards."""
    trains: bool = False
    """Its own body (nested loops apart) calls a method that only training calls."""

    def holds(self, place: Place) -> bool:
        """Whether this place of this code is in the loop."""
        return place[0] is self.code and self.start <= place[1] <= self.stop


_loops: dict[int, tuple[CodeType, tuple[Loop, ...]]] = {}
"""By id: the hash of a code object reads all of its bytecode."""


def loops_of(code: CodeType) -> tuple[Loop, ...]:
    """The loops of a code object, innermost first; empty when it can't be disassembled."""
    known = _loops.get(id(code))
    if known is None:
        known = _loops[id(code)] = (code, _find_loops(code))
    return known[1]


def _find_loops(code: CodeType) -> tuple[Loop, ...]:
    try:
        instructions = list(dis.get_instructions(code))
    except (IndexError, KeyError, ValueError):
        return ()  # bytecode that was generated or patched
    spans: dict[int, int] = {}
    for instruction in instructions:
        if instruction.opcode in _BACKWARD_JUMPS and isinstance(instruction.argval, int):
            target = instruction.argval
            spans[target] = max(spans.get(target, 0), instruction.offset)
    found = [Loop(code, start, stop) for start, stop in spans.items()]
    found.sort(key=lambda loop: loop.stop - loop.start)
    for instruction in instructions:
        if instruction.argval in _TRAINING_NAMES:
            inner = next((loop for loop in found if loop.start <= instruction.offset <= loop.stop), None)
            if inner is not None:
                inner.trains = True
    return tuple(found)


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


class Steps:
    """Remembers the anchors met so far and says whether an operation belongs to the same step."""

    def __init__(self) -> None:
        self._known: list[Loop] = []
        self.loop: Loop | None = None
        """The loop of the call that is under way; None: outside of every loop that has an anchor."""
        self.anchored = False
        """Whether the call that is under way has passed an anchor."""
        self._source: Loop | None = None

    def anchor(self, stack: list[Place]) -> None:
        """A step has done its work at this place (innermost first)."""
        found = innermost_loop(stack)
        self.anchored = True
        if found is None:
            self.loop = None
            return
        loop, index = found
        if loop not in self._known:
            self._known.append(loop)
        loop.anchor = stack[index::-1]
        self.loop = loop

    def loop_of(self, stack: list[Place]) -> Loop | None:
        """The innermost loop with an anchor around this stack."""
        for place in stack:
            inside = [loop for loop in self._known if loop.holds(place)]
            if inside:
                return min(inside, key=lambda loop: loop.stop - loop.start)
        return None

    def is_new(self, stack: list[Place]) -> bool:
        """Whether an operation at this stack (innermost first) belongs to another call than this one."""
        loop = self.loop_of(stack)
        if loop is not self.loop:
            return True
        if loop is None and not self.anchored and self._known:
            # Between the loops that are known, a loop that is not known yet (the first evaluation)
            # does not belong to what ran before it.
            return _source_loop(stack) is not self._source
        return self.anchored and loop is not None and not _after(stack, loop)

    def begin(self, stack: list[Place]) -> None:
        """A call begins with an operation at this stack."""
        self.loop = self.loop_of(stack)
        self.anchored = False
        self._source = _source_loop(stack)


def _source_loop(stack: list[Place]) -> Loop | None:
    found = innermost_loop(stack)
    return found[0] if found is not None else None


def _after(stack: list[Place], loop: Loop) -> bool:
    """Whether a stack inside `loop` is after the loop's anchor in the same round."""
    assert loop.anchor is not None
    index = next(k for k, place in enumerate(stack) if loop.holds(place))
    for (code, lasti), (anchor_code, anchor_lasti) in zip(stack[index::-1], loop.anchor, strict=False):
        if code is not anchor_code:
            return False
        if lasti != anchor_lasti:
            return lasti > anchor_lasti
    # The same place down to the shallower of the two: below the anchor's own line, or back at it.
    return False
