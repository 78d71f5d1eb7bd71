"""Ends a script that still runs, politely first: interrupt, terminate, kill."""

from __future__ import annotations

import time
from collections.abc import Callable

from graphlens.live import Live
from graphlens.session import RunState
from graphlens_tracers.errors import NotLive

PATIENCE = 4.0
"""Seconds that a script has to end by itself after each signal."""


def stop(session: Live, say: Callable[[str], object], patience: float = PATIENCE) -> bool:
    """Blocks until the script has ended, at most three times `patience`; whether it has.

    Raises:
        NotLive: It has no host that could be asked.
    """
    steps = ((session.interrupt, "interrupted"), (session.terminate, "terminated"), (session.kill, "killed"))
    for send, what in steps:
        try:
            send()
        except NotLive:
            if _over(session, 1.0):
                return True
            raise
        say(f"{what}; waiting for the script to end")
        if _over(session, patience):
            return True
    return False


def end(session: Live, patience: float = PATIENCE) -> None:
    """Terminate it, and kill it where that does not help; blocks until it has ended.

    Raises:
        NotLive: It has no host that could be asked, or does not end.
    """
    session.terminate()
    if not _over(session, patience):
        session.kill()
        if not _over(session, patience):
            raise NotLive("it does not end: even SIGKILL did nothing yet")


def _over(session: Live, patience: float) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if session.state not in (RunState.RUNNING, RunState.HELD):
            return True
        time.sleep(0.05)
    return False
