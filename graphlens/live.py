"""A session on a run that is still being written: it follows, and it can send orders to the host.

Following is polling by one thread: at most 20 times a second, and less when nothing happens. It
ends by itself when the run has ended, or when nobody is left who could end it.
"""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from graphlens.control import Control
from graphlens.debugger import Debugger, Stop
from graphlens.session import Delta, Run, RunState, everything, opened, state_of
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.errors import BadRunFile, NotLive

INTERVAL = 0.05
"""Seconds between two looks."""
IDLE = 0.1
"""Seconds between two looks when nothing has happened for a second."""

Told = Callable[[Delta], None]


class Ended(NamedTuple):
    """How the script ended: one of the two is None."""

    code: int | None
    signal: int | None


class Live:
    """Follows a run until it has ended.

    Attributes:
        trouble: Why it cannot be followed any further; None while all is well.
    """

    def __init__(self, run: Run | Path | str) -> None:
        self._run = opened(run)
        self._state = state_of(self._run.info)
        self._control = Control()
        self._debugger: Debugger | None = None
        self._closing = threading.Lock()
        self.trouble: BadRunFile | None = None
        self._old: list[Told] = []
        self._new: list[Told] = []
        self._wake = threading.Event()
        self._closed = self._over = False
        self._thread = threading.Thread(target=self._follow, name="graphlens-live", daemon=True)
        self._thread.start()

    @property
    def run(self) -> Run:
        """What was recorded so far."""
        return self._run

    @property
    def state(self) -> RunState:
        """Where it stands, as of the last look; held while a debugger of ours has a thread of it stopped."""
        held = self._state is RunState.RUNNING and self._debugger is not None and self._debugger.stops
        return RunState.HELD if held else self._state

    def watch(self, told: Told) -> Callable[[], None]:
        """Call `told` after each batch, on the reader's thread; the result ends it.

        What is there already is told first, as one batch a process. A batch with nothing new in
        it says that something else has changed: what runs now, or the state.
        """
        with self._run.lock:
            self._new.append(told)
            over = self._over
        self._wake.set()
        if over:
            self._tell([])

        def stop() -> None:
            with self._run.lock:
                for listeners in (self._old, self._new):
                    if told in listeners:
                        listeners.remove(told)

        return stop

    def output(self) -> bytes:
        """What the script printed so far."""
        return self._run.output()

    def ended(self) -> Ended | None:
        """How the script ended; None while it runs, and when nobody knows."""
        info = self._run.info
        return Ended(info.exit_code, info.signal) if info.state == "finished" else None

    def close(self) -> None:
        """Stop following; the script goes on. Safe to call twice."""
        self._closed = True
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self._control.close()
        self.detach()

    # ── stopping it at operations ────────────────────────────────────────────────────────────

    def attach(
        self,
        told: Callable[[Stop], None] | None = None,
        breakpoints: Sequence[Breakpoint] = (),
        *,
        at_start: bool = True,
    ) -> Debugger:
        """Become the debugger of this run, or say who is told of its stops from now on.

        Args:
            told: Called on a thread of the debugger's with each stop; those that are there already are told
                at once.
            breakpoints: To begin with.
            at_start: Stop a script that was started held at its first operation, too.

        Raises:
            NotLive: Another debugger listens, or the run has ended.
        """
        with self._closing:
            if self._state not in (RunState.RUNNING, RunState.HELD) or self._closed:
                raise NotLive(f"{self._run.info.name} has ended: there is nothing to stop")
            if self._debugger is None:
                pages = Path(self._run.info.pages)
                self._debugger = Debugger(pages, breakpoints=breakpoints, at_start=at_start)
            debugger = self._debugger
        if told is not None:
            debugger.tell(told)
        return debugger

    @property
    def debugger(self) -> Debugger | None:
        """Ours; None while nobody has attached."""
        return self._debugger

    def detach(self) -> None:
        """Let the script go on, and stop it no more."""
        with self._closing:
            debugger, self._debugger = self._debugger, None
        if debugger is not None:
            debugger.close()

    def look(self) -> None:
        """Read on now, not at the next look: something is known to be there."""
        self._wake.set()

    # ── orders ───────────────────────────────────────────────────────────────────────────────

    def type(self, data: bytes) -> None:
        """Send bytes to the script as if somebody had typed them."""
        for start in range(0, len(data), 4096):
            part = base64.b64encode(data[start : start + 4096]).decode()
            self._order({"type": part})

    def interrupt(self) -> None:
        """Send SIGINT to the script and what it started, as Ctrl-C does."""
        self._order({"signal": int(signal.SIGINT)})

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._order({"signal": int(signal.SIGTERM)})

    def kill(self) -> None:
        """Send SIGKILL: no finished operation is lost by it."""
        self._order({"signal": int(signal.SIGKILL)})

    def resize(self, rows: int, columns: int) -> None:
        """Tell the script how large its terminal is, in cells."""
        self._order({"resize": [rows, columns]})

    def _order(self, order: dict[str, object]) -> None:
        """Raises NotLive when the run has ended, or has no terminal of ours."""
        if self._state not in (RunState.RUNNING, RunState.HELD):
            raise NotLive(f"{self._run.info.name} has ended: there is nobody to ask")
        self._control.send(order, self._run.info)

    # ── following ────────────────────────────────────────────────────────────────────────────

    def _follow(self) -> None:
        try:
            self._look_on()
        finally:
            with self._run.lock:
                self._over = True
        self._tell([])  # whoever began to watch meanwhile

    def _look_on(self) -> None:
        last_news, looked_at_state = time.monotonic(), 0.0
        record = self._record()
        while not self._closed:
            began = time.monotonic()
            # First whether it has ended, then what it wrote: nothing comes after that look.
            now, changed = self._record(), False
            if now != record or began - looked_at_state > 0.5:
                record, looked_at_state = now, began
                changed = self._look_at_state()
            news = self._tell(self._news(), changed=changed)
            if self._state in (RunState.FINISHED, RunState.LOST) or self.trouble is not None:
                return
            if news:
                last_news = time.monotonic()
            took = time.monotonic() - began
            # A large batch is not followed by the next at once: the script needs the processor too.
            pause = INTERVAL if began - last_news < 1 else IDLE
            self._wake.wait(max(pause, took))
            self._wake.clear()

    def _record(self) -> tuple[int, int]:
        try:
            found = os.stat(self._run.path / "run.json")
        except OSError:
            return (0, 0)
        return found.st_mtime_ns, found.st_ino

    def _look_at_state(self) -> bool:
        before = self._state
        try:
            self._run.refresh_info()
            self._state = state_of(self._run.info)
        except BadRunFile as error:
            self.trouble, self._state = error, RunState.LOST
        return before != self._state

    def _news(self) -> list[Delta]:
        try:
            return self._run.refresh()
        except BadRunFile as error:
            self.trouble, self._state = error, RunState.LOST
            return []

    def _tell(self, deltas: list[Delta], *, changed: bool = False) -> bool:
        with self._run.lock:
            new, self._new = self._new, []
            old = list(self._old)
            self._old += new
            whole = everything(self._run) if new or (changed and not deltas) else []
        if changed and not deltas:
            deltas = [Delta(one.proc, (), (one.rows[1], one.rows[1])) for one in whole[:1]]
        for told in old:
            for delta in deltas:
                told(delta)
        for told in new:
            for delta in whole:
                told(delta)
        return bool(deltas)
