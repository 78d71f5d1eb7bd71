"""Follows the session on other threads and posts messages; touches no widget.

However often the run changes, one message is on its way at most, so a slow terminal is behind by one
frame and never by a queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual.message import Message

from graphlens.session import Delta, Process, Session
from graphlens_tracers.errors import BadRunFile
from graphlens_tui.decoded import Ill
from graphlens_tui.messages import IllKnown, RunChanged, Said

PAUSE = 0.3
"""Seconds between two looks at which operations are ill, while a run grows."""


class Bridge:
    """Between one session and one app."""

    def __init__(
        self, session: Session, process: Callable[[], Process | None], post: Callable[[Message], object]
    ) -> None:
        self._session = session
        self._process = process
        self._post = post
        self._told = threading.Event()
        self._closed = threading.Event()
        self._on_its_way = False
        self._stop: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._look, name="graphlens-ill", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._stop = self._session.watch(self._changed)

    def begin(self) -> None:
        """Begin to work out which operations are ill: once the first screen is there, which goes first."""
        if not self._closed.is_set():
            self._thread.start()

    def close(self) -> None:
        """Stop following. Safe to call twice."""
        self._closed.set()
        self._told.set()
        if self._stop is not None:
            self._stop()
            self._stop = None
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def taken(self) -> None:
        """The app has begun to show the last change: the next one is news."""
        self._on_its_way = False

    def wake(self) -> None:
        """Work out again which operations are ill: another process is shown."""
        self._told.set()

    def _changed(self, _delta: Delta) -> None:
        self._told.set()
        if not self._on_its_way:
            self._on_its_way = True
            self._post(RunChanged())

    def _look(self) -> None:
        """Work out which operations are ill, off the UI's thread: for a large run it takes a while."""
        while not self._closed.is_set():
            self._told.wait()
            self._told.clear()
            if self._closed.is_set():
                return
            process = self._process()
            if process is not None:
                try:
                    ill = Ill.of(process)
                except BadRunFile as error:
                    self._post(Said(str(error), wrong=True))
                    return
                self._post(IllKnown(ill))
            self._closed.wait(PAUSE)
