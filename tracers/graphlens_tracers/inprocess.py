"""Records one function of a process that is already running: a notebook, a test, a longer program.

The tracers begin when the function is called and end when it returns. Whatever else the process does,
on other threads and in children that are forked meanwhile, is not recorded.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from graphlens_tracers import discover
from graphlens_tracers.api import Options, Tracer, TracerSpec
from graphlens_tracers.errors import CannotStart
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import beside

Result = TypeVar("Result")

_going: list[tuple[list[Tracer], list[LogSink]]] = []
"""The recording that is going on: its tracers, and the logs that they write."""
_hooked: list[bool] = []


def ready() -> list[TracerSpec]:
    """The tracers of the frameworks that are imported.

    Raises:
        CannotStart: None is, or this process is being recorded already.
    """
    arrival = sys.modules.get("graphlens_tracers.arrival")  # not imported for this: it is for whole scripts
    if _going or (arrival is not None and arrival.began()):
        raise CannotStart("this process is being recorded already")
    found = [spec for spec in discover.tracers() if spec.trigger in sys.modules]
    if not found:
        names = " or ".join(spec.trigger for spec in discover.tracers())
        raise CannotStart(f"nothing to record: import {names} first")
    return found


def recorded(
    function: Callable[..., Result], args: Sequence[Any], more: Mapping[str, Any], run: str, pages: str,
    options: Options,
) -> Result:  # fmt: skip
    """Call a function, and record what it computes into a run directory.

    Args:
        args, more: What the function is given.
        run, pages: Where the log goes, and its pages while it is written.

    Raises:
        CannotStart: As `ready`.
        BaseException: Whatever the function raises.
    """
    specs = ready()
    beside.add(sys._getframe(1).f_code.co_filename)
    tracers: list[Tracer] = []
    sinks: list[LogSink] = []
    _hook_forks()
    _going.append((tracers, sinks))
    try:
        # A function that was compiled before stays so: what it would run as is decided already.
        late = replace(options, late=True, compiled="torch._dynamo" in sys.modules)
        for spec in specs:
            name = "" if not sinks else spec.name
            sinks.append(LogSink(run, pages, list(sys.argv), name) if not name else sinks[0].another(name))
            module, _, factory = spec.factory.partition(":")
            tracers.append(getattr(importlib.import_module(module), factory)())
            tracers[-1].start(sinks[-1], late)
        return function(*args, **more)
    finally:
        _end(tracers, sinks)
        _going.clear()


def _end(tracers: list[Tracer], sinks: list[LogSink]) -> None:
    for tracer, sink in zip(reversed(tracers), reversed(sinks[: len(tracers)]), strict=True):
        try:
            tracer.stop()
        except Exception as error:  # the function's own result goes before ours
            sink.gap("failed", f"the tracer could not end: {type(error).__name__}: {error}")
    for sink in sinks:
        sink.close()


def _hook_forks() -> None:
    if not _hooked:
        _hooked.append(True)
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    """In a forked child: the logs are the parent's, and nothing is recorded here."""
    for tracers, sinks in _going:
        for sink in sinks:
            sink.forget()
        for tracer in tracers:
            tracer.stop()
    _going.clear()
