"""What the keys do in the Runs mode: see `commands`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from textual.message import Message
from textual.timer import Timer

from graphlens import runs, tails
from graphlens.against import against_answer
from graphlens.live import Live
from graphlens.runs import Entry
from graphlens.session import Saved, Session, load
from graphlens.text import clean, size_text
from graphlens_tracers.errors import CannotWrite
from graphlens_tracers.events import Seq
from graphlens_tui import words
from graphlens_tui.listing import Listing, Opened
from graphlens_tui.messages import (
    Compared,
    Deleted,
    DifferenceChosen,
    Listed,
    ListingMoved,
    RunChosen,
    RunOpened,
    Said,
    Summed,
)
from graphlens_tui.model import Mode
from graphlens_tui.panes import Pane
from graphlens_tui.panes.compare import ComparePane
from graphlens_tui.panes.preview import PreviewPane
from graphlens_tui.panes.runs import RunsPane
from graphlens_tui.reader import Reader, aside
from graphlens_tui.step_commands import StepCommands
from graphlens_tui.widgets.dialogs import Ask, Choice

ROOM = 30
"""Rows from which the preview stands below the list."""
FRAME = 0.2
"""Seconds between two looks at what has been read."""
PATIENCE = 600
"""Seconds that a picture may take."""


class RunCommands(StepCommands):
    """The app as the keys of the Runs mode see it."""

    runs: RunsPane
    preview: PreviewPane
    compare: ComparePane
    reader: Reader
    typed: list[str]
    _soon: Timer | None = None

    def listing_begins(self, listing: Listing) -> None:
        """Show this listing, and have it read when somebody looks."""
        self.runs.listing = self.preview.listing = self.compare.listing = listing
        self.reader = Reader(self.session, listing, self.post_message)

    @property
    def listing(self) -> Listing:
        """The saved runs."""
        return self.runs.listing

    @property
    def comparing(self) -> bool:
        """Whether two runs are shown beside each other, instead of the list."""
        return self.compare.compared is not None

    def arrange_runs(self, has_keys: Pane, height: int) -> None:
        """Show the list and the preview, as there is room for them; or the comparison."""
        alone = has_keys is self.preview and height < ROOM
        self.compare.set_class(not self.comparing, "hidden")
        self.runs.set_class(self.comparing or alone, "hidden")
        self.preview.set_class(self.comparing or (height < ROOM and not alone), "hidden")
        self.preview.styles.height = "1fr" if alone else max(9, min(self.preview.wanted + 2, height // 3))

    def _arrange(self) -> None:
        raise AssertionError("the app does")

    def _changed(self) -> None:
        """The listing has changed."""
        if not self.runs.is_attached:
            return  # the app ends
        self.runs.changed()
        self.preview.changed()
        self.compare.changed()
        self._arrange()

    # ── news ─────────────────────────────────────────────────────────────────────────────────

    def on_listed(self, event: Listed) -> None:
        """The list was read."""
        self.listing.take(event.entries, event.trouble)
        self.reader.wake()
        self._changed()

    def on_summed(self, event: Summed) -> None:
        """More is known of a run: shown soon, for many may come at once."""
        if self._soon is None:
            self._soon = self.set_timer(FRAME, self._show_known)

    def _show_known(self) -> None:
        self._soon = None
        if self.listing.asked:
            self.listing.fit()
        self._changed()

    def on_listing_moved(self, event: ListingMoved) -> None:
        """The cursor is on another run."""
        self.reader.moved()
        self.preview.changed()
        self._arrange()

    def on_compared(self, event: Compared) -> None:
        """Two runs stand beside each other."""
        self.compare.found(event)
        self.say(f"{self.keymap_.shown('back')} goes back to the list")
        if self.mode is Mode.RUNS:
            self.show_mode(Mode.RUNS)

    def on_deleted(self, event: Deleted) -> None:
        """A run is gone."""
        self.reader.look()

    # ── the list ─────────────────────────────────────────────────────────────────────────────

    def do_runs_mode(self) -> None:
        if self.mode is Mode.RUNS and self.comparing:
            self._list_again()
            return
        self.show_mode(Mode.RUNS)

    def _list_again(self) -> None:
        self.compare.found(None)
        self.show_mode(Mode.RUNS)

    def do_back(self) -> None:
        if self.mode is Mode.RUNS and self.comparing:
            self._list_again()
        else:
            super().do_back()

    def do_judge(self) -> None:
        if self.mode is Mode.RUNS:
            self.reader.look()
        else:
            super().do_judge()

    def do_search(self) -> None:
        if self.mode is Mode.RUNS:
            prompt = "runs with these words: name, script, argument, framework, nan, inf, clean, lost"
            self.push_screen(Ask(prompt, self.listing.asked), self._look_for)
        else:
            super().do_search()

    def _look_for(self, asked: str | None) -> None:
        if asked is not None:
            self.listing.look_for(asked)
            self._changed()

    def _selected(self) -> Entry | None:
        entry = None if self.comparing else self.listing.selected()
        if entry is None:
            self.say("no run is selected" if not self.comparing else "backspace goes back to the list")
        return entry

    # ── opening ──────────────────────────────────────────────────────────────────────────────

    def choose(self) -> None:
        """Enter: open the run, or go to what differs."""
        if self.comparing:
            stop = self.compare.selected()
            if stop is not None:
                self.on_difference_chosen(DifferenceChosen(stop.target[0]))
            return
        entry = self._selected()
        if entry is not None:
            self.on_run_chosen(RunChosen(entry))

    def on_run_chosen(self, event: RunChosen) -> None:
        """Open a run: read it first, so that what is wrong with it is said here."""
        entry = event.entry
        if entry.path == self.session.run.path:
            self.trail.append(Mode.RUNS)
            self.show_mode(Mode.GRAPH)
            return
        self.say(f"opening {clean(entry.name, 60)}")
        aside(lambda: RunOpened(self._session_on(entry)), self.post_message, entry)

    def _session_on(self, entry: Entry) -> Session:
        if entry.path == self.started.run.path:
            return self.started
        if runs.state_of(runs.read_record(entry.path)) == "running":
            return Live(entry.path)
        tails.settle(entry)
        return Saved(entry.path)

    def on_run_opened(self, event: RunOpened) -> None:
        """Another run can be shown: this app ends, and the next one begins."""
        self.exit(Opened(event.session, self.listing, not self.current_theme.dark, self.typed))

    # ── comparing ────────────────────────────────────────────────────────────────────────────

    def do_mark(self) -> None:
        entry = self._selected()
        if entry is not None:
            self.listing.mark(entry.path)
            self._changed()

    def do_compare(self) -> None:
        pair = self.listing.pair()
        if pair is None:
            self.say(f"mark two runs first, each with {self.keymap_.shown('mark')}")
            return
        self.say("comparing…")
        aside(lambda: self._compared(*pair), self.post_message, *pair)

    def _compared(self, older: Entry, newer: Entry) -> Compared:
        shown = self.session.run
        mine, other = (shown if one.path == shown.path else load(one.path) for one in (older, newer))
        return Compared(older, newer, against_answer(mine, other))

    def on_difference_chosen(self, event: DifferenceChosen) -> None:
        """Go to an operation that differs, in the run that is open."""
        compared, found = self.compare.compared, self.compare.difference(event.number)
        if compared is None or found is None:
            return
        open_, shown = self.session.run, self.model.shown
        sides = {compared.older.path: found["mine"], compared.newer.path: found["other"]}
        names = {compared.older.path: compared.older.name, compared.newer.path: compared.newer.name}
        place = sides.get(open_.path)
        if open_.path not in sides:
            self.say("neither of the two is open: backspace, and enter on one of them")
        elif place is None:
            other = next(clean(name, 60) for path, name in names.items() if path != open_.path)
            self.say(f"only {other} has it, which is not open")
        elif shown is None or shown.process is not open_.main:
            self.say(f"op {place['seq']} is of another process than the graph")
        else:
            self.go_to(Seq(place["seq"]))

    # ── deleting and exporting ───────────────────────────────────────────────────────────────

    def do_delete(self) -> None:
        entry = self._selected()
        if entry is None:
            return
        name = clean(entry.name, 60)
        if runs.state_of(entry.record) == "running":
            self.say(f"{name} still runs: end its script first", wrong=True)
        elif entry.path in (self.session.run.path, self.started.run.path):
            self.say(f"{name} is open: leave first, then graphlens runs --delete {name}", wrong=True)
        else:
            known = self.listing.known.get(entry.path)
            size = "" if known is None else f"{size_text(known.size_bytes)}, "
            text = f"{size}started {words.moment(entry.started)}. It cannot be brought back."
            answers = [("k", "keep it"), ("d", "delete it")]
            self.push_screen(
                Choice(f"delete {name}?", text, answers), lambda answer: self._delete(entry, answer)
            )

    def _delete(self, entry: Entry, answer: str | None) -> None:
        if answer == "d":
            self.say(f"deleting {clean(entry.name, 60)}")
            aside(lambda: self._deleted(entry), self.post_message, entry)

    def _deleted(self, entry: Entry) -> Message:
        runs.delete(entry.path)
        self.post_message(Deleted())
        return Said(f"deleted {clean(entry.name, 60)}")

    def do_export(self) -> None:
        """In the list the run under the cursor; elsewhere the step that the cursor is in."""
        entry = self._selected() if self.mode is Mode.RUNS else None
        if self.mode is Mode.RUNS and entry is None:
            return
        stem = (self.session.run if entry is None else entry).path.name.removesuffix(runs.SUFFIX)
        self.push_screen(Ask("write it to: .svg, .html, .png, .json, …", f"{stem}.svg"), self.export_to)

    def export_to(self, answer: str | None) -> None:
        """Write a picture of what `do_export` is about into a file."""
        file = (answer or "").strip()
        entry = self._selected() if self.mode is Mode.RUNS else None
        if not file or (self.mode is Mode.RUNS and entry is None):
            return
        process = self.model.process()
        options: Sequence[str] = ()
        if entry is None and process is not None and self.at is not None:
            call = process.call_at(self.at)
            options = () if call is None or call.step is None else (f"--step={call.step}",)
        run = self.session.run.path if entry is None else entry.path
        self.say(f"drawing {clean(run.name.removesuffix(runs.SUFFIX), 60)}")
        entries = () if entry is None else (entry,)
        aside(lambda: _exported(run, file, options), self.post_message, *entries)


def _exported(run: Path, file: str, options: Sequence[str]) -> Said:
    """Let the command line draw it: exporters are no part of the terminal UI.

    Raises:
        CannotWrite: It could not; the message is the command's.
    """
    where = Path(file).expanduser().absolute()
    # -P: the directory we are in may hold a graphlens.py of somebody else.
    command = [sys.executable, "-P", "-m", "graphlens", "export", "--quiet", *options, str(run)]
    command.append(f"--output={where}")
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CannotWrite(f"drawing took longer than {PATIENCE} s") from error
    if ended.returncode != os.EX_OK:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CannotWrite(clean(said[-1], 300) if said else f"exit code {ended.returncode}")
    return Said(f"wrote {clean(str(where))}")
