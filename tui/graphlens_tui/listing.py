"""The saved runs as the Runs mode lists them: which there are, what is known of them, which are marked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphlens.runs import Entry
from graphlens.session import Session
from graphlens_tui.summaries import MOST_JUDGED, Summary, stamp_of
from graphlens_tui.words import signal_name

MOST_MARKED = 2


@dataclass
class Listing:
    """The UI's thread has it; the reader's thread looks, and writes into `known` only.

    Attributes:
        entries: The newest first.
        shown: Those that fit what is searched for.
        known: What was read of a run, by its directory.
        stale: Directories of runs of which there is more to read than is known.
        marked: Directories, in the order in which they were marked.
        cursor: A place in `shown`.
        visible: The places in `shown` that are on the screen.
        asked: What is searched for; "" for everything.
        listed: Whether the directory was read at all.
        trouble: Why it could not be read.
    """

    entries: Sequence[Entry] = ()
    shown: Sequence[Entry] = ()
    known: dict[Path, Summary] = field(default_factory=dict)
    stale: set[Path] = field(default_factory=set)
    marked: list[Path] = field(default_factory=list)
    cursor: int = 0
    visible: range = range(0)
    asked: str = ""
    listed: bool = False
    trouble: str = ""

    def take(self, entries: Sequence[Entry], trouble: str = "") -> None:
        """Show these from now on; the cursor stays on its run, or where that was."""
        self.listed, self.trouble = True, trouble
        self.entries = sorted(entries, key=lambda one: (-one.started, one.name))
        there = {one.path: one for one in self.entries}
        self.marked = [path for path in self.marked if path in there]
        for path in [path for path in list(self.known) if path not in there]:
            self.known.pop(path, None)
        self.stale = {
            path
            for path, summary in list(self.known.items())
            if there[path].state == "running" or summary.stamp != stamp_of(there[path])
        }
        self.fit()

    def look_for(self, asked: str) -> None:
        """Show only runs in which all of these words are."""
        self.asked = asked.strip()
        self.fit()

    def fit(self) -> None:
        """Find again which runs fit: more may be known of them now."""
        selected = self.selected()
        words = self.asked.casefold().split()
        shown = [one for one in self.entries if all(word in self._text(one) for word in words)]
        self.shown = shown if words else self.entries
        places = (k for k, one in enumerate(self.shown) if selected and one.path == selected.path)
        self.cursor = next(places, max(0, min(self.cursor, len(self.shown) - 1)))

    def selected(self) -> Entry | None:
        """The run that the cursor is on."""
        return self.shown[self.cursor] if self.cursor < len(self.shown) else None

    def mark(self, path: Path) -> None:
        """Mark a run, or take its mark away; the older one of three loses its mark."""
        if path in self.marked:
            self.marked.remove(path)
        else:
            self.marked = [*self.marked, path][-MOST_MARKED:]

    def pair(self) -> tuple[Entry, Entry] | None:
        """The two that are marked, the older one first."""
        found = [one for one in self.entries if one.path in self.marked]
        return (found[1], found[0]) if len(found) == MOST_MARKED else None

    def next_to_read(self) -> Entry | None:
        """Of the runs that are not known well the one nearest to the cursor; first those on the screen."""
        at, shown, every = self.cursor, self.shown, self.entries
        for entries, places in (
            (shown, self.visible), (shown, range(len(shown))), (every, range(len(every))),
        ):  # fmt: skip
            waiting = [k for k in places if k < len(entries) and self._unread(entries[k])]
            if waiting:
                return entries[min(waiting, key=lambda k: abs(k - at))]
        return None

    def on_screen(self, entry: Entry) -> bool:
        """Whether somebody can see what is said of a run."""
        return any(one.path == entry.path for one in self.shown[self.visible.start : self.visible.stop])

    def _unread(self, entry: Entry) -> bool:
        return entry.path not in self.known or entry.path in self.stale

    def next_to_judge(self) -> Entry | None:
        """The run under the cursor, if it is to be judged: over, not finite, and not large."""
        entry = self.selected()
        summary = None if entry is None else self.known.get(entry.path)
        if entry is None or summary is None or entry.state == "running" or summary.verdict is not None:
            return None
        return entry if summary.ill and summary.ops <= MOST_JUDGED else None

    def _text(self, entry: Entry) -> str:
        parts = [entry.name, *words_of(entry), ended(entry)]
        summary = self.known.get(entry.path)
        if summary is not None:
            parts += [summary.framework, health_word(summary)]
        return " ".join(parts).casefold()


@dataclass(frozen=True)
class Opened:
    """What the app ends with when a person wants to see another run: the next app goes on from it.

    Attributes:
        light: Dark text on light.
        typed: The history of the command line.
        again: It is the same script once more, on its way to (an operation's number, its name).
    """

    session: Session
    listing: Listing
    light: bool
    typed: list[str] = field(default_factory=list)
    again: tuple[int, str] | None = None


def words_of(entry: Entry) -> list[str]:
    """What was started: "-m" for a module, the script, its arguments. run.json may hold anything."""
    argv = entry.record.get("argv")
    words = [str(word) for word in argv] if isinstance(argv, list) else []
    return ["-m", *words] if entry.record.get("module") else words


def script_of(entry: Entry) -> str:
    """The script, without the directories that it is in."""
    words = words_of(entry)
    if words[:1] == ["-m"]:
        return " ".join(words[:2])
    return os.path.basename(words[0]) if words else ""


def arguments_of(entry: Entry) -> str:
    """What the script was given."""
    words = words_of(entry)
    return " ".join(words[2 if words[:1] == ["-m"] else 1 :])


def ended(entry: Entry) -> str:
    """How it stands in a word: "running", "lost", "finished", "exit 1", "SIGKILL"."""
    code, number = entry.record.get("exit_code"), entry.record.get("signal")
    if entry.state != "finished":
        return entry.state
    if isinstance(number, int):
        return signal_name(number)
    return f"exit {code}" if code else "finished"


def health_word(summary: Summary) -> str:
    """The same as the column says, without counts: what one would search for."""
    if summary.trouble:
        return "unreadable"
    if summary.ill:
        return "nan" * bool(summary.nan) + " inf ∞" * bool(summary.inf)
    return "clean" if summary.complete else "incomplete"
