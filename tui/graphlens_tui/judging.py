"""Judges the run on a thread of its own, when somebody asks, and posts what it has found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from textual.message import Message

from graphlens.health import find
from graphlens.rules import STANDARD, Rule, parsed
from graphlens.session import Process, Session
from graphlens.text import clean
from graphlens_tui.messages import Judged

PAUSE = 3.0
"""Seconds between two verdicts on a run that grows, at least."""
SHARE = 5
"""After a verdict the thread rests so many times as long as that took."""


class Judge:
    """Between one session and one app; touches no widget."""

    def __init__(
        self, session: Session, process: Callable[[], Process | None], post: Callable[[Message], object]
    ) -> None:
        self.rules: Sequence[Rule] = parsed(STANDARD)
        self._session = session
        self._process = process
        self._post = post
        self._asked = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._judge, name="graphlens-verdict", daemon=True)

    def start(self) -> None:
        """Be ready to be asked."""
        self._thread.start()

    def ask(self) -> None:
        """Judge, or judge again; what was asked meanwhile is answered by the next verdict."""
        self._asked.set()

    def close(self) -> None:
        """Stop. Safe to call twice; a verdict that is being worked out is not waited for."""
        self._closed.set()
        self._asked.set()

    def _judge(self) -> None:
        while True:
            self._asked.wait()
            if self._closed.is_set():
                return
            self._asked.clear()
            process = self._process()
            if process is None:
                continue
            took = 0.0
            try:
                found = find(self._session.run, process, self.rules)
                took = found.took
                self._post(Judged(found))
            except Exception as error:  # whatever it is, the person has to read it, and the graph goes on
                self._post(Judged(None, clean(f"{type(error).__name__}: {error}", 300)))
            if self._session.state == "running":
                self._closed.wait(max(PAUSE, SHARE * took))
