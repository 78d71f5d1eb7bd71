"""The saved runs, a line each, the newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.events import Click, Resize
from textual.geometry import Size
from textual.strip import Strip

from graphlens import runs
from graphlens.runs import Entry
from graphlens.text import clean
from graphlens_tracers.errors import CannotWrite
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.listing import Listing
from graphlens_tui.messages import ListingMoved, RunChosen
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot
from graphlens_tui.run_rows import RunRow, heading, widths


class RunsPane(Pane):
    """Lines are drawn when they are on the screen: a thousand runs are there at once."""

    TITLE: ClassVar[str] = "runs"
    SLOT: ClassVar[Slot] = "runs"
    HELP: ClassVar[str | None] = """\
Saved runs, the newest first; below them what the one under the cursor was. Steps,
operations and health are read run by run, those on the screen first. Clean: every
number was looked at and all were finite; incomplete: not all were looked at; else how
many operations made a NaN ✖ or an infinity ▲. Enter opens a run, backspace comes back.
Mark two ◉ to compare them."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.listing = Listing()
        self._widths: dict[str, int] = {}
        self._made_for: tuple[Sequence[Entry], int] = ((), 0)

    def changed(self) -> None:
        """The listing has changed, or the room for it."""
        try:
            home = runs.state_directory()
        except CannotWrite:
            home = None
        where = "" if home is None else f"  {clean(str(home), 100)}"
        self.border_title = Text(self.glyphs.text(f"runs{where}"))  # a string would be read as markup
        made_for = self.listing.shown, self.scrollable_content_region.width
        if made_for[0] is not self._made_for[0] or made_for[1] != self._made_for[1]:
            self._made_for, self._widths = made_for, widths(*made_for)
        self.virtual_size = Size(self.size.width, len(self.listing.shown) + 1)
        self._into_view()
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Room for other columns."""
        self.changed()

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    def move(self, lines: int) -> None:
        """To another run."""
        self.select(self.listing.cursor + lines)

    def move_to(self, *, end: bool) -> None:
        """To the newest, or to the oldest."""
        self.select(len(self.listing.shown) - 1 if end else 0)

    def select(self, number: int) -> None:
        """To the run in this line."""
        self.listing.cursor = max(0, min(number, len(self.listing.shown) - 1))
        self._into_view()
        self.refresh()
        self.post_message(ListingMoved())

    def _into_view(self) -> None:
        cursor, first = self.listing.cursor, int(self.scroll_offset.y)
        room = max(1, self.rows - 1)
        if cursor < first:
            self.to_row(cursor)
        elif cursor >= first + room:
            self.to_row(cursor - room + 1)
        else:
            self.to_row(first)
        first = int(self.scroll_offset.y)
        self.listing.visible = range(first, first + room)

    def on_click(self, event: Click) -> None:
        """Select a run; the second click opens it."""
        line = event.y - self.gutter.top - 1 + int(self.scroll_offset.y)
        if event.y > self.gutter.top and line < len(self.listing.shown):
            self.select(line)
            entry = self.listing.selected()
            if event.chain > 1 and entry is not None:
                self.post_message(RunChosen(entry))

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """The heading, or a run."""
        width, palette, shown = self.scrollable_content_region.width, self.palette, self.listing.shown
        if y == 0:
            return heading(self._widths, width, self.glyphs, palette)
        row = y - 1 + int(self.scroll_offset.y)
        if row < len(shown):
            draw = RunRow(self.listing, self.model.session.run.path, self.glyphs, palette, time.time())
            selected = row == self.listing.cursor
            return draw.paint(shown[row], self._widths, width, selected=selected, focused=self.has_focus)
        ground = style(palette.text, palette.ground)
        if y != 2 or shown:
            return Strip.blank(width, ground)
        text, colour = self._nothing()
        return Strip(
            [Segment(f"    {self.glyphs.text(text)}", style(colour, palette.ground))]
        ).adjust_cell_length(width, ground)

    def _nothing(self) -> tuple[str, str]:
        listing, palette = self.listing, self.palette
        if not listing.listed:
            return "looking…", palette.mute
        if listing.trouble:
            return clean(listing.trouble, 300), palette.nan
        if listing.entries:
            return f"no run fits {clean(listing.asked)!r}", palette.warn
        return "there are no runs yet; make one with: graphlens record SCRIPT", palette.mute


PANE = RunsPane
