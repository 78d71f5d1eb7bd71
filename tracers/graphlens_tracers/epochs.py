"""Which epoch the script is in: what the `for` loop around it counts with, when that is called an epoch.

`for epoch in range(3)`, `for epoch, batches in enumerate(...)`. It is the innermost such loop around what
runs, and a whole number as the loop counts it: from 0, from 1, or from where training goes on.
"""

from __future__ import annotations

import inspect
from types import FrameType
from typing import Any

from graphlens_tracers.localnames import frame_at, locals_of, shows_locals
from graphlens_tracers.loops import Loop, instructions_of, loops_of
from graphlens_tracers.sites import Place

_WORD = "epoch"
_BOTH = "STORE_FAST_STORE_FAST"
"""Of Python 3.13: its argument is two names."""
_names: dict[int, tuple[Loop, tuple[str, ...]]] = {}
"""By the `id` of a loop: its variables that are called epochs."""


def epoch_at(stack: list[Place], frame: FrameType | None) -> int | None:
    """The epoch that a stack (innermost place first) is in; None where no loop around it counts any.

    Args:
        frame: The stack's innermost one, or one that it has called.
    """
    for place in stack:
        names = [name for loop in loops_of(place[0]) if loop.holds(place) for name in _counts_with(loop)]
        if not names:
            continue
        frame = frame_at(place, frame)
        if frame is None:
            return None
        for name in names:
            value = _value(frame, name)
            if type(value) is int and value >= 0:
                return value
    return None


def _counts_with(loop: Loop) -> tuple[str, ...]:
    known = _names.get(id(loop))
    if known is None:
        known = _names[id(loop)] = loop, _epochs_of(loop)
    return known[1]


def _epochs_of(loop: Loop) -> tuple[str, ...]:
    """The names that a loop gives a value when a round begins, those of epochs."""
    found: list[str] = []
    inside = [one for one in instructions_of(loop.code) if loop.start <= one.offset <= loop.stop]
    inside = [one for one in inside if one.opname != "EXTENDED_ARG"]  # a long loop begins with one
    if not inside or inside[0].opname != "FOR_ITER":
        return ()
    for one in inside[1:]:
        if one.opname.startswith("STORE_"):
            names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            found += names if one.opname == _BOTH else names[:1]
        elif not one.opname.startswith("UNPACK_"):
            break
    return tuple(name for name in found if _WORD in str(name).lower())


def _value(frame: FrameType, name: str) -> Any:
    """What a name stands for in a running function."""
    code = frame.f_code
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return frame.f_locals.get(name)
    if name not in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
        return frame.f_globals.get(name)
    return locals_of(frame, shows_locals(code)).get(name)
