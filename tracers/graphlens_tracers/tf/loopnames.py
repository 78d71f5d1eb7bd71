"""What the script calls the variables of a loop that AutoGraph has made of its `while` or `for`."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from graphlens_tracers.localnames import locals_of
from graphlens_tracers.tf import compat

_MAKES_LOOPS = "_tf_while_stmt"
_AUTOGRAPH = "/tensorflow/python/autograph/"
_COUNTERS = ("loop_counter", "maximum_iterations")
"""What TensorFlow gives to each loop before its variables."""


class LoopNames:
    """By graph of a loop's condition or body, the names of its arguments."""

    def __init__(self, is_user: Callable[[CodeType], bool]) -> None:
        self._is_user = is_user
        self._names: weakref.WeakKeyDictionary[Any, tuple[str, ...]] = weakref.WeakKeyDictionary()

    def begun(self, graph: Any) -> None:
        """A graph begins: what makes it is on the stack."""
        if not compat.is_of_loop(graph):
            return
        frame = sys._getframe(1)
        while frame.f_back is not None and not self._is_user(frame.f_code):
            file = frame.f_code.co_filename.replace("\\", "/")
            if _AUTOGRAPH in file:
                if frame.f_code.co_name == _MAKES_LOOPS:
                    self._names[graph] = _COUNTERS + _variables(locals_of(frame, shows=False))
                return  # else a loop of the script's own, which says no names
            frame = frame.f_back

    def of(self, graph: Any) -> Sequence[str]:
        """The names of a graph's first arguments, "" for those that have none; none of any other graph."""
        return self._names.get(graph, ())


def _variables(names: dict[str, Any]) -> tuple[str, ...]:
    """The names of a loop's variables, one for each tensor; by the local names of what makes the loop."""
    found: list[str] = [""] if names.get("require_one_iteration") else []
    for name, value in zip(names.get("symbol_names", ()), names.get("init_vars", ()), strict=False):
        parts = len(compat.tf.nest.flatten(value, expand_composites=True))
        shown = "" if str(name).startswith("<internal") else str(name)
        found += [shown] if parts == 1 else [shown and f"{shown}.{part}" for part in range(parts)]
    return tuple(found)
