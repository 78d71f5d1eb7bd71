"""Opens the terminal UI on a run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from graphlens import runs
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.errors import NoTerminal, NotLive


def need_terminal() -> None:
    """Refuse now, before anything was started, what could not be shown.

    Raises:
        NoTerminal: Standard input or output is none, or it can't move its cursor.
    """
    for file, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if file is None or not file.isatty():
            raise NoTerminal(
                f"standard {name} is not a terminal; use `graphlens record` and `graphlens show` instead"
            )
    if os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        raise NoTerminal(
            f"the terminal says it is {os.environ.get('TERM') or 'none'!r} and cannot be drawn on; "
            "set TERM, or use `graphlens record` and `graphlens show` instead"
        )


def watch(
    run: Path,
    breakpoints: Sequence[Breakpoint] | None = None,
    *,
    at_start: bool = True,
    again: Callable[[], Path] | None = None,
) -> None:
    """Show a run until the person leaves; follow it if it still runs.

    Args:
        breakpoints: For a script that was started held: what it is to stop at.
        at_start: Stop it at its first operation, too.
        again: Starts the same script once more, held, and says where it is recorded.

    Raises:
        BadRunFile: It can't be read.
    """
    running = runs.state_of(runs.read_record(run)) == "running"
    # Late: the UI and the store take long to import, and most commands need neither.
    from graphlens.live import Live
    from graphlens.session import Saved
    from graphlens_tui.app import run as show

    session = Live(run) if running else Saved(run)
    try:
        if breakpoints is not None and isinstance(session, Live):
            with contextlib.suppress(NotLive):  # it has ended already
                session.attach(breakpoints=breakpoints, at_start=at_start)
        show(session, again)
    finally:
        session.close()
