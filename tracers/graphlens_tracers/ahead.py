"""Whether a loop is going to step, before it has done so: by what its code calls.

The first round of a loop would otherwise lose what runs before its first module call to whatever
ran before. Names in the code are looked up as they are now; nothing of the script's is run.
"""

from __future__ import annotations

import functools
import inspect
import sys
from abc import ABC, abstractmethod
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from graphlens_tracers.localnames import SHOWS_LOCALS, locals_of
from graphlens_tracers.loops import Loop, instructions_of, loops_of, trains
from graphlens_tracers.sites import Place, Stacks

DEEPEST = 4
"""Calls that are followed from a loop's own body."""
MOST_LOOKS = 8
"""How often a loop that does not look like one that steps is looked at again."""
RUNS, STEPS = "runs", "steps"


class Ahead(ABC):
    """Looks at loops for one thread."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._calls: dict[int, tuple[CodeType, list[tuple[int, tuple[str, ...]]]]] = {}
        self._looks: dict[int, tuple[Loop, int, str | None]] = {}

    @abstractmethod
    def steps(self, kind: type, name: str) -> bool:
        """Whether to call this method of such an object is a training step."""

    @abstractmethod
    def runs(self, kind: type) -> bool:
        """Whether such an object is a module."""

    def inside(self, held: Any) -> Any | None:
        """The function that the framework has wrapped in an object of its own; None for any other object."""
        return None

    def part(self, whole: Any, name: str) -> Any:
        """An attribute as it is stored: no property and no `__getattr__` is run."""
        if type(whole) is ModuleType:
            return vars(whole).get(name)
        held = inspect.getattr_static(whole, name, None)
        if type(held) is FunctionType and not issubclass(type(whole), type):
            own = inspect.getattr_static(whole, "__dict__", None)
            stored = own if isinstance(own, dict) else {}
            return held if stored.get(name) is held else MethodType(held, whole)
        if type(held) is staticmethod or type(held) is classmethod:
            return held.__func__
        return held

    def __call__(self, stack: list[Place], inner: bool = False) -> Loop | None:
        """The loop around a stack of running frames (innermost first) whose rounds are going to be steps.

        Args:
            inner: The innermost that runs a module. Otherwise the innermost that runs an optimizer,
                and without any the outermost that runs a module.
        """
        last: Loop | None = None
        for place in stack:
            for loop in loops_of(place[0]):
                if not loop.holds(place):
                    continue
                does = self._does(loop)
                if does is STEPS or (inner and does is not None):
                    return loop
                if does is not None:
                    last = loop
        return last

    def found(self, loop: Loop, steps: bool) -> None:
        """An anchor is in this loop; `steps`: it is one of a training step."""
        _, looks, does = self._looks.get(id(loop), (loop, 0, None))
        self._looks[id(loop)] = (loop, looks, STEPS if steps else does or RUNS)

    def _does(self, loop: Loop) -> str | None:
        """STEPS when an optimizer steps in its own body, RUNS when a module or a backward runs there."""
        _, looks, does = self._looks.get(id(loop), (loop, 0, None))
        if does is None and looks < MOST_LOOKS:
            does = self._look(loop)
            self._looks[id(loop)] = (loop, looks + 1, does)
        return RUNS if does is None and loop.trains else does

    def _look(self, loop: Loop) -> str | None:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code is not loop.code:
            frame = frame.f_back
        own = [names for at, names in self._called(loop.code) if _innermost(loop.code, at) is loop]
        if frame is None or not own:
            return None
        shows = any(names[0] in SHOWS_LOCALS for _, names in self._called(loop.code))
        names, seen = _names(frame, shows), set[int]()
        found = {self._call_does(names, called, seen, 0) for called in own}
        return STEPS if STEPS in found else RUNS if RUNS in found else None

    def _called(self, code: CodeType) -> list[tuple[int, tuple[str, ...]]]:
        """What a code object calls by a dotted name: (offset, names)."""
        known = self._calls.get(id(code))
        if known is None:
            known = self._calls[id(code)] = (code, _called(code))
        return known[1]

    def _call_does(
        self, names: dict[str, Any], called: tuple[str, ...], seen: set[int], depth: int
    ) -> str | None:
        """As `_does`, of a call of what these names stand for."""
        held: Any = names.get(called[0])
        for part in called[1:]:
            if held is None:
                return None
            if self.steps(type(held), part):
                return STEPS
            held = self.part(held, part)
        bound: Any = None
        while True:
            kind: Any = type(held)
            if self.runs(kind):
                return RUNS
            if kind is functools.partial:
                held = held.func
            elif kind is MethodType:
                bound, held = held.__self__, held.__func__
            elif kind is FunctionType and "__wrapped__" in held.__dict__:
                held = held.__dict__["__wrapped__"]
            elif (inside := self.inside(held)) is not None:
                held = inside
            else:
                break
        if type(held) is not FunctionType:
            bound, held = held, inspect.getattr_static(type(held), "__call__", None)
        if type(held) is not FunctionType or depth >= DEEPEST or id(held.__code__) in seen:
            return None
        if not self._stacks.is_user(held.__code__):
            return None
        seen.add(id(held.__code__))
        return self._function_does(held, bound, seen, depth)

    def _function_does(self, function: FunctionType, bound: Any, seen: set[int], depth: int) -> str | None:
        code = function.__code__
        names = {name: held for name, held in function.__globals__.items() if name not in code.co_varnames}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            try:
                names[name] = cell.cell_contents
            except ValueError:
                continue  # not bound yet
        if bound is not None and code.co_argcount:
            names[code.co_varnames[0]] = bound
        found = {
            self._call_does(names, called, seen, depth + 1)
            for at, called in self._called(code)
            if _innermost(code, at) is None
        }
        if STEPS in found:
            return STEPS
        return RUNS if RUNS in found or trains(code) else None


def _innermost(code: CodeType, at: int) -> Loop | None:
    return next((loop for loop in loops_of(code) if loop.start <= at <= loop.stop), None)


def _called(code: CodeType) -> list[tuple[int, tuple[str, ...]]]:
    instructions = instructions_of(code)
    # A call expression begins where the expression of what it calls begins, and ends later.
    calls = {one.positions for one in instructions if one.opname.startswith("CALL") and one.positions}
    starts = {(where.lineno, where.col_offset) for where in calls}
    found: list[tuple[int, tuple[str, ...]]] = []
    for k, one in enumerate(instructions):
        where = one.positions
        if not one.opname.startswith("LOAD_") or not isinstance(one.argval, str) or where is None:
            continue
        if one.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_CONST"):
            continue
        if where.lineno is None or (where.lineno, where.col_offset) not in starts or where in calls:
            continue
        names = [one.argval]
        for after in instructions[k + 1 :]:
            if after.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            names.append(after.argval)
        found.append((one.offset, tuple(names)))
    return found


def _names(frame: FrameType, shows: bool) -> dict[str, Any]:
    """What the names in a running function stand for; `shows` as in `locals_of`."""
    return {**frame.f_globals, **locals_of(frame, shows)}
