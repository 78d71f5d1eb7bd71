"""Reads the list of runs, and one run after the other, on a thread of its own; touches no widget."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.message import Message

from graphlens import runs, tails
from graphlens.runs import Entry
from graphlens.session import Run, Session, load
from graphlens.text import clean
from graphlens_tracers.errors import BadRunFile, CannotWrite, GraphlensError
from graphlens_tui.listing import Listing
from graphlens_tui.messages import Listed, Said, Summed
from graphlens_tui.summaries import judged, summed, unreadable

LOOK = 2.0
"""Seconds between two looks at whether there are other runs, or a run has moved on."""
SHARE = 2
"""After a run that is not on the screen the thread rests so many times as long as that took, at most a
second: the UI goes first."""
SHARE_OF_LIST = 20
"""After the list it is not read again for so many times as long as that took."""
REST = 0.15
"""Seconds that the cursor has to rest before a run is read."""


class Reader:
    """Between the directory of runs and one app.

    Attributes:
        wanted: Whether somebody looks at the list; else nothing is read.
    """

    def __init__(self, session: Session, listing: Listing, post: Callable[[Message], object]) -> None:
        self.wanted = False
        self._session = session
        self._listing = listing
        self._post = post
        self._look = True
        self._moved = self._next_look = 0.0
        self._changed = 0
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="graphlens-runs", daemon=True)

    def start(self) -> None:
        """Be ready."""
        self._thread.start()

    def look(self) -> None:
        """Read the list again, now."""
        self._look = True
        self._woken.set()

    def wake(self) -> None:
        """There may be something to read."""
        self._woken.set()

    def moved(self) -> None:
        """The cursor is on another run: that is read first, once the cursor rests."""
        self._moved = time.monotonic()
        self._woken.set()

    def close(self) -> None:
        """Stop. Safe to call twice; a run that is being read is not waited for."""
        self._closed.set()
        self._woken.set()

    def _read(self) -> None:
        while not self._closed.is_set():
            if self.wanted:
                self._look_at_list()
            entry, judge = self._next() if self.wanted else (None, False)
            rest = self._moved + REST - time.monotonic()
            if entry is None or rest > 0:
                self._woken.wait(LOOK if entry is None else rest)
                self._woken.clear()
                continue
            began = time.monotonic()
            self._sum(entry, judge=judge)
            self._post(Summed(entry.path))
            if not self._listing.on_screen(entry):
                self._closed.wait(min(1.0, SHARE * (time.monotonic() - began)))

    def _look_at_list(self) -> None:
        """List the runs if somebody asked, or there may be others now; a long list less often."""
        began = time.monotonic()
        asked, self._look = self._look, False
        if not asked and began < self._next_look:
            return
        changed = self._when_changed()
        running = any(one.state == "running" for one in self._listing.entries)
        if asked or running or changed != self._changed:
            self._changed = changed
            self._post(self._list())
        self._next_look = began + max(LOOK, SHARE_OF_LIST * (time.monotonic() - began))

    def _when_changed(self) -> int:
        """When a run was last added or deleted, in nanoseconds; 0 where there is no directory."""
        try:
            return runs.state_directory().stat().st_mtime_ns
        except (CannotWrite, OSError):
            return 0

    def _next(self) -> tuple[Entry | None, bool]:
        """What is to be read, or judged: the run under the cursor before all others."""
        entry, judge = self._listing.next_to_read(), self._listing.next_to_judge()
        if judge is not None and (entry is None or entry.path not in self._listing.stale):
            return judge, True
        return entry, False

    def _list(self) -> Listed:
        try:
            found: Sequence[Entry] = runs.entries()
            trouble = ""
        except CannotWrite as error:
            found, trouble = [], str(error)
        shown = self._session.run.path
        if all(one.path != shown for one in found):
            try:
                found = [*found, runs.entry(shown)]
            except BadRunFile:
                pass  # deleted by somebody else: what was read of it stays on the screen
        return Listed(found, trouble)

    def _sum(self, entry: Entry, *, judge: bool) -> None:
        known = self._listing.known
        try:
            run = self._run(entry)
            if judge:
                before = known.get(entry.path)
                if before is not None:
                    known[entry.path] = replace(before, verdict=judged(run))
                return
            known[entry.path] = summed(run, entry)
        except GraphlensError as error:
            known[entry.path] = unreadable(entry, str(error))
        except Exception as error:  # whatever it is, the person has to read it, and the others are read
            known[entry.path] = unreadable(entry, f"{type(error).__name__}: {error}")
        self._listing.stale.discard(entry.path)

    def _run(self, entry: Entry) -> Run:
        if entry.path == self._session.run.path:
            return self._session.run
        tails.settle(entry)
        return load(entry.path)


def aside(work: Callable[[], Message], post: Callable[[Message], object], *entries: Entry) -> None:
    """Do something that may take long on a thread of its own, and post what came of it.

    Args:
        entries: The runs that it is about: what goes wrong calls them by their names.
    """

    def do() -> None:
        try:
            post(work())
        except GraphlensError as error:
            text = str(error)
            for entry in entries:
                text = text.replace(str(entry.path), entry.name)
            post(Said(clean(text, 300), wrong=True))
        except Exception as error:  # whatever it is, the person has to read it
            post(Said(clean(f"{type(error).__name__}: {error}", 300), wrong=True))

    threading.Thread(target=do, name="graphlens-aside", daemon=True).start()
