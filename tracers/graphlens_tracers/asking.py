"""What a person asks in a stopped frame: expressions, statements, local variables."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import linecache
import reprlib
import sys
import time
import traceback
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

PATIENCE = 10.0
"""Seconds that Python code of an expression may run."""
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_HOLDS = (list, tuple, dict, set, frozenset)
FILE = "<graphlens>"


class TookTooLong(Exception):
    """An expression ran for more than `PATIENCE` seconds."""


class GivenUp(Exception):
    """Who had asked for an expression has left, or has pressed Ctrl-C."""


class _Short(reprlib.Repr):
    """Short texts of values; of what is not Python's own, only what it is: nothing of it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.maxother = self.maxstring = self.maxlong = 120

    def repr_instance(self, x: object, level: int) -> str:  # the name that reprlib calls
        kind = type(x)
        if kind in _PLAIN or kind.__module__ == "builtins":
            return super().repr_instance(x, level)
        shape = getattr(x, "shape", None) if kind.__module__.split(".")[0] in KNOWN else None
        about = f" {getattr(x, 'dtype', '')} {list(shape)}" if shape is not None else ""
        return f"<{kind.__module__}.{kind.__qualname__}{about}>"


KNOWN = ("torch", "tensorflow", "numpy")
"""Packages whose objects may be asked for their shape."""
_short = _Short()


def short(value: object) -> str:
    """A line about a value, without running code of the user's."""
    return _short.repr(value)


def local_values(frame: FrameType) -> dict[str, str]:
    """The local variables of a frame, a line each; at module level without modules and functions."""
    found = {}
    for name, value in list(frame.f_locals.items()):
        if name.startswith("__") or (frame.f_locals is frame.f_globals and _is_definition(value)):
            continue
        found[name] = short(value)
    return found


def _is_definition(value: object) -> bool:
    return type(value).__name__ in ("module", "function", "type", "builtin_function_or_method")


def line_of(frame: FrameType) -> str:
    """The source line that a frame is at; "" where there is no source."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()


class Answer:
    """What became of an expression.

    Attributes:
        value: Its value; None for statements.
        printed: What it printed.
        error: What it raised, with where; "" when all went well.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.printed = ""
        self.error = ""


def evaluate(
    text: str,
    frame: FrameType,
    names: Mapping[str, Any],
    first: Mapping[str, Any] | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> Answer:
    """Evaluate an expression, or run statements, in a frame; never raises.

    Args:
        names: Seen where neither the frame nor Python has such a name; `first`: before all others.
        given_up: Asked now and then whether nobody waits for the answer any more.
    """
    answer, printed = Answer(), io.StringIO()
    try:
        code, is_expression = _compiled(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        answer.error = "".join(traceback.format_exception_only(error)).strip()
        return answer
    known = {name: value for name, value in names.items() if not hasattr(builtins, name)}
    everything: Any = ChainMap(frame.f_locals, frame.f_globals, known)
    trace = sys.gettrace()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _until(given_up):
            if is_expression:
                # As globals, so that comprehensions and lambdas see all of them.
                answer.value = eval(code, {**known, **frame.f_globals, **frame.f_locals, **(first or {})})
            else:
                _run(code, frame, everything)
    except BaseException as error:  # Ctrl-C ends what is evaluated, not the script
        answer.error = "".join(traceback.format_exception(_cut(error))).strip()
    finally:
        sys.settrace(trace)
    answer.printed = printed.getvalue()
    return answer


def _compiled(text: str) -> tuple[CodeType, bool]:
    try:
        return compile(text.strip(), FILE, "eval"), True
    except SyntaxError:
        return compile(text, FILE, "exec"), False


def _run(code: CodeType, frame: FrameType, everything: Any) -> None:
    """Run statements; what they assign is the frame's."""
    values = frame.f_locals
    before = dict(everything)
    space = dict(before)
    exec(code, space)
    space.pop("__builtins__", None)
    for name, value in space.items():
        if name not in before or before[name] is not value:
            values[name] = value
    if values is not frame.f_globals and sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _cut(error: BaseException) -> BaseException:
    """The error with the entries of its own code alone."""
    entry = error.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename != FILE:
        entry = entry.tb_next
    error.__traceback__ = entry
    return error


@contextlib.contextmanager
def _until(given_up: Callable[[], bool]) -> Iterator[None]:
    """End Python code that runs for too long. The caller puts the thread's own trace function back."""
    look = time.monotonic()
    end = look + PATIENCE

    def trace(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal look
        now = time.monotonic()
        if now > end:
            raise TookTooLong(f"stopped after {PATIENCE:g} s")
        if now > look:
            look = now + 0.05
            if given_up():
                raise GivenUp("nobody waits for it any more")
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
