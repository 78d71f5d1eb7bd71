"""The local names of functions that are running, looked at without being noticed."""

from __future__ import annotations

import inspect
import sys
from types import CodeType, FrameType
from typing import Any

from graphlens_tracers.loops import instructions_of
from graphlens_tracers.sites import Place

SHOWS_LOCALS = frozenset({"locals", "vars", "dir", "eval", "exec"})
"""What may show a function the copy of its local names."""
_OURS_ALONE = 3
"""References to the copy of a frame's locals when the script has none: the frame's, and two while we look."""
_shows: dict[int, tuple[CodeType, bool]] = {}


def locals_of(frame: FrameType, shows: bool) -> dict[str, Any]:
    """What the local names of a running function stand for; none where we cannot look without being noticed.

    Args:
        shows: It may show the copy of its local names to the script: then that is left alone.
    """
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED or sys.version_info >= (3, 13):
        return dict(frame.f_locals)
    if shows:
        return {}
    held = frame.f_locals
    names = dict(held)
    if sys.getrefcount(held) <= _OURS_ALONE:
        held.clear()  # a copy that the frame keeps: it would keep tensors alive
    return names


def shows_locals(code: CodeType) -> bool:
    """Whether a function may show the copy of its local names to the script."""
    known = _shows.get(id(code))
    if known is None:
        loaded = {one.argval for one in instructions_of(code) if one.opname == "LOAD_GLOBAL"}
        known = _shows[id(code)] = code, bool(loaded & SHOWS_LOCALS)
    return known[1]


def frame_at(place: Place, frame: FrameType | None) -> FrameType | None:
    """The frame that is at a place, from this one outwards; None where none is."""
    while frame is not None and not (frame.f_code is place[0] and frame.f_lasti == place[1]):
        frame = frame.f_back
    return frame
