"""Starts a tracer when its framework has just been imported, and ends it with the process.

Loaded by the bootstrap at the first import of a framework, not before: a script that imports none
never pays for it. What `before`, `after` and `finish` raise, the bootstrap says, and goes on.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from graphlens_tracers import discover
from graphlens_tracers.api import HOLD, LEVELS, SET_BY_US, Keep, Options, Tracer, TracerSpec
from graphlens_tracers.sink import LogSink, complain, ends, open_sink

_tracers: dict[str, Tracer] = {}
"""Those that were started, by trigger."""
_tried: set[str] = set()
_sink: list[LogSink] = []
_hooked: list[bool] = []


def began() -> bool:
    """Whether this process is recorded as a whole."""
    return bool(_tried)


def before(trigger: str) -> None:
    """The framework is about to be imported: set what it reads from the environment meanwhile."""
    spec = _spec(trigger)
    for name, value in (*spec.environment, *(() if _compiled(os.environ) else spec.uncompiled)):
        if name not in os.environ:
            os.environ[name] = value
            os.environ[SET_BY_US] = f"{os.environ.get(SET_BY_US, '')} {name}".strip()


def after(trigger: str) -> None:
    """The framework was imported, whole: start its tracer, once a process."""
    if trigger in _tried:
        return
    _tried.add(trigger)
    sink = open_sink()
    try:
        spec = _spec(trigger)
        if _sink:  # each counts its operations, graphs and values for itself
            sink = sink.another(spec.name)
        _sink.append(sink)
        module, _, factory = spec.factory.partition(":")
        tracer: Tracer = getattr(importlib.import_module(module), factory)()
        _tracers[trigger] = tracer
        _hook_processes()
        tracer.start(sink, options(os.environ))
        if os.environ.get(HOLD) == "1":
            from graphlens_tracers.gate import gate  # what most runs never need

            tracer.attend(gate())
            if len(_tracers) == 1:
                gate().hold()
    except Exception as error:
        sink.gap("failed", f"the tracer of {trigger} could not start: {type(error).__name__}: {error}")
        raise


def finish() -> None:
    """The interpreter exits: stop the tracers and end the log."""
    _stop()
    for sink in _sink:
        sink.close()


def options(environment: Mapping[str, str]) -> Options:
    """What to look at, as the host wrote it down.

    Raises:
        ValueError: Not written by a host of this version.
    """
    level = environment.get("GRAPHLENS_LEVEL", "health")
    if level not in LEVELS:
        raise ValueError(f"GRAPHLENS_LEVEL={level!r} is none of {', '.join(LEVELS)}")
    first, _, stop = environment.get("GRAPHLENS_STEPS", ":").partition(":")
    steps = int(first or 0), int(stop) if stop else None
    keep = Keep.of(environment.get("GRAPHLENS_KEEP", "bad"))
    return Options(level, steps, _compiled(environment), keep)


def _compiled(environment: Mapping[str, str]) -> bool:
    return environment.get("GRAPHLENS_COMPILED") == "1"


def _spec(trigger: str) -> TracerSpec:
    for spec in discover.tracers():
        if spec.trigger == trigger:
            return spec
    raise LookupError(f"no tracer for {trigger}")


def _stop() -> None:
    """Stop every tracer; one that can't be stopped does not keep the others from it."""
    for trigger, tracer in _tracers.items():
        try:
            tracer.stop()
        except Exception as error:
            complain(f"could not end the recording of {trigger}: {type(error).__name__}: {error}")


# ── other processes ──────────────────────────────────────────────────────────────────────────


def _hook_processes() -> None:
    if _hooked:
        return
    _hooked.append(True)
    ends.append(finish)
    os.register_at_fork(after_in_child=_forked_away)
    sys.addaudithook(_child_counter(_sink, os.path.join(os.path.dirname(__file__), "bootstrap")))


def _forked_away() -> None:
    """In the child: the log and the page are the parent's. Its own begin at its first operation."""
    for sink in _sink:
        sink.forget()
    for trigger, tracer in _tracers.items():
        try:
            tracer.forked()
        except Exception as error:
            complain(f"a forked process is not recorded: {trigger}: {type(error).__name__}: {error}")


_STARTS = {"subprocess.Popen": (1, 3), "os.exec": (1, 2), "os.posix_spawn": (1, 2)}
"""Audit events that start a program: where its arguments and its environment are."""


def _child_counter(sinks: list[LogSink], bootstrap: str) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that counts the Pythons that start without our bootstrap.

    It is called for every audited event, `id()` and `sys._getframe()` among them, so the first
    line is all that most calls run; and it never raises, since that would forbid the event.
    """
    starts = _STARTS

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event not in starts:
            return
        try:
            at, environment_at = starts[event]
            why = why_not_followed(arguments[at], arguments[environment_at], bootstrap)
            if why is not None:
                for sink in sinks:
                    sink.gap("process", f"a Python {why}: not followed")
        except Exception as error:
            complain(f"could not look at a child process: {type(error).__name__}: {error}")

    return count


def why_not_followed(command: object, environment: object, bootstrap: str) -> str | None:
    """Why a program that is being started will not be recorded; None when it will, or is no Python.

    Args:
        command: One word or several, each text, bytes or a path, as the audit events have it.
        environment: A mapping of text or bytes; None for this process's own.
    """
    words = _words(command)
    if not words or not os.path.basename(words[0]).startswith(("python", "pypy")):
        return None
    at = 1
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "--"):
        letters = words[at].lstrip("-") if not words[at].startswith("--") else ""
        for k, letter in enumerate(letters):
            if letter in "IES":
                return f"started as python -{letter}"
            if letter in "cm":
                at = len(words)  # what follows is the program's
                break
            if letter in "WX":
                at += k == len(letters) - 1  # its value is the next word
                break
        at += 1
    given: Mapping[Any, Any] = os.environ if environment is None else environment  # type: ignore[assignment]  # audited
    seen = {os.fsdecode(name): os.fsdecode(value) for name, value in given.items()}
    if "GRAPHLENS_RUN" not in seen:
        return "started with an environment of its own"
    if bootstrap not in seen.get("PYTHONPATH", "").split(os.pathsep):
        return "started with another PYTHONPATH"
    return None


def _words(command: object) -> list[str]:
    if isinstance(command, (str, bytes, os.PathLike)):
        return [os.fsdecode(command)]
    return [os.fsdecode(word) for word in command] if isinstance(command, (list, tuple)) else []
