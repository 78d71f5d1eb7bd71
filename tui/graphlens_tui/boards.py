"""A page of frames with a cursor that goes through the rows which can be chosen."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.strip import Strip

from graphlens_tui.boxes import Board, Stop
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import TextPane


class BoardPane(TextPane):
    """Who comes from this puts frames on `_board`, and says in `choose` where a row leads.

    Attributes:
        cursor: The number of the row that is selected.
    """

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.cursor = 0
        self._board = Board(0)

    def selected(self) -> Stop | None:
        """The row that the cursor is on."""
        return self._board.stops[self.cursor] if self.cursor < len(self._board.stops) else None

    def move(self, lines: int) -> None:
        """To the next rows that name an operation, as far as they are on the screen; else scroll."""
        stops, first = self._board.stops, int(self.scroll_offset.y)
        target = self.cursor + lines
        visible = range(first, first + self.rows)
        if 0 <= target < len(stops) and (abs(lines) > 1 or stops[target].line in visible):
            self._select(target)
            return
        before = int(self.scroll_offset.y)
        self.to_row(before + lines)
        if int(self.scroll_offset.y) == before and 0 <= target < len(stops):
            self._select(target)

    def move_to(self, *, end: bool) -> None:
        """To the first line, or to the last."""
        super().move_to(end=end)
        lines = [stop.line for stop in self._board.stops]
        if lines:
            self._select(lines.index(max(lines)) if end else 0, show=False)

    def _select(self, number: int, *, show: bool = True) -> None:
        self.cursor = number
        line, first = self._board.stops[number].line, int(self.scroll_offset.y)
        if show and not first <= line < first + self.rows:
            self.to_row(line - self.rows // 2)
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Select a row; the second click goes there."""
        line = event.y + int(self.scroll_offset.y)
        for k, stop in enumerate(self._board.stops):
            if stop.line == line and stop.x <= event.x < stop.x + stop.width:
                self._select(k)
                if event.chain > 1:
                    self.choose(stop)

    def choose(self, stop: Stop) -> None:
        """Go to what a row is about."""

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """One line of the screen, with the mark where the cursor is."""
        strip = super().render_line(y)
        stop = self.selected()
        if stop is None or stop.line != y + int(self.scroll_offset.y):
            return strip
        end = stop.x + stop.width
        before, row, after = strip.crop(0, stop.x), strip.crop(stop.x, end), strip.crop(end)
        ground = self.palette.cursor if self.has_focus else self.palette.cursor_away
        plain = style(self.palette.text, self.palette.ground).bgcolor
        marked = [Segment(f"{self.glyphs.cursor} ", style(self.palette.warn, ground, True))]
        for segment in row.crop(2, stop.width):
            look = segment.style
            if look is not None and look.bgcolor == plain:
                look = look + Style(bgcolor=ground)
            marked.append(Segment(segment.text, look))
        return Strip([*before, *marked, *after])
