"""A list of graphs that lies over the panes, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click, Key, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from graphlens.catalog import Entry, catalog, parting_of
from graphlens.processes import Who
from graphlens.text import clean
from graphlens_tui import words
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.widgets.dialogs import Dialog


@dataclass
class Row:
    """A line of the list: a process, or a graph of it.

    Attributes:
        entry: None for the headline of a process.
        here: The cursor of the graph is in it.
    """

    who: Who
    entry: Entry | None
    here: bool = False
    _why: str | None = field(default=None, repr=False)

    def why(self) -> str:
        """Where its way parts from the one it is a variant of: worked out when somebody looks."""
        if self._why is None:
            self._why = self._parts()
        return self._why

    def _parts(self) -> str:
        entry, process = self.entry, self.who.process
        if entry is None:
            return f"{words.count(process.op_count)} ops"
        if entry.seen.because:
            return f"traced again: {entry.seen.because}"
        return parting_of(process, entry)


def rows_of(whos: Sequence[Who], shown: Who | None, graph: int | None) -> list[Row]:
    """The list: the process that is shown first, of others what they are called before their graphs."""
    rows: list[Row] = []
    number = None if shown is None else shown.number
    for who in sorted(whos, key=lambda who: who.number != number):
        entries = catalog(who.process)
        if len(whos) > 1:
            rows.append(Row(who, None))
        rows += [Row(who, one, who.number == number and one.seen.graph == graph) for one in entries]
    return rows


class Graphs(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines: as many as there are graphs, and only those that are seen are made."""

    DEFAULT_CSS = "Graphs { scrollbar-size: 0 0; overflow: hidden hidden; }"

    def __init__(self, rows: Sequence[Row], glyphs: Glyphs, palette: Palette) -> None:
        super().__init__()
        self.rows, self._glyphs, self._palette = rows, glyphs, palette
        self.shown = list(range(len(rows)))
        here = (at for at, row in enumerate(rows) if row.here)
        self.cursor = next(here, next((at for at, row in enumerate(rows) if row.entry is not None), 0))

    def look_for(self, asked: str) -> None:
        """Show only graphs whose name, kind or process has all of these words."""
        wanted = asked.casefold().split()
        self.shown = [at for at, row in enumerate(self.rows) if all(word in _said(row) for word in wanted)]
        self.cursor = 0
        self.on_resize()
        self.move(0)

    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.shown[self.cursor]] if self.cursor < len(self.shown) else None

    def move(self, lines: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.cursor + lines, len(self.shown) - 1))
        first, height = int(self.scroll_offset.y), max(1, self.size.height)
        if not first <= self.cursor < first + height:
            top = self.cursor if self.cursor < first else self.cursor - height + 1
            self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self.refresh()

    def on_resize(self, event: Resize | None = None) -> None:
        """As many lines as there are."""
        self.virtual_size = Size(self.size.width, len(self.shown))
        self.call_after_refresh(self.move, 0)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number, palette, width = y + int(self.scroll_offset.y), self._palette, self.size.width
        if number >= len(self.shown):
            text = "  no graph fits" if not self.shown and y == 0 else ""
            look = style(palette.mute, palette.bar)
            return Strip([Segment(text, look)]).adjust_cell_length(width, look)
        row, selected = self.rows[self.shown[number]], number == self.cursor
        ground = palette.cursor if selected else palette.bar
        segments = [
            Segment(self._glyphs.text(text), style(colour, ground, bold))
            for text, colour, bold in self._pieces(row, width, selected=selected)
        ]
        return Strip(segments).adjust_cell_length(width, style(palette.text, ground))

    def _pieces(self, row: Row, width: int, *, selected: bool) -> list[tuple[str, str, bool]]:
        palette, glyphs, entry = self._palette, self._glyphs, row.entry
        mark = (f"{glyphs.cursor} " if selected else "  ", palette.warn, True)
        dots = glyphs.text("…")
        if entry is None:
            name = f"process {row.who.number}: {clean(row.who.name, 60)}"
            return [mark, (name, palette.accent, True), (f"   {row.why()}", palette.mute, False)]
        depth = entry.depth + (entry.variant_of is not None)
        room = max(12, min(44, width // 2 - 12))
        name = elided("  " * min(depth, 6) + clean(entry.seen.name), room - 2, dots)
        times = "no call" if not entry.calls else f"{words.count(entry.calls)}{glyphs.times}"
        used = 2 + room + 10 + 11 + 9
        colour = palette.text if entry.calls else palette.faint
        why = elided(clean(row.why(), 400), max(0, width - used - 1), dots)
        here = glyphs.fine if row.here else " "
        return [
            mark, (f"{here} ", palette.accent, True), (sized(name, room - 2), colour, entry.depth == 0),
            (f" {entry.seen.kind:<9}", palette.mute, False), (f"{times:>10} ", colour, False),
            (f"{words.count(entry.nodes):>5} ops ", palette.mute, False), (why, palette.mute, False),
        ]  # fmt: skip

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.move(-3)


def _said(row: Row) -> str:
    entry = row.entry
    own = "" if entry is None else f"{clean(entry.seen.name)} {entry.seen.kind} {row.why()}"
    return f"{own} {row.who.name}".casefold()


class Picker(Dialog["Row | None"]):
    """Choose one: the cursor and enter, or the mouse; what is typed after `/` is looked for."""

    def __init__(self, rows: Sequence[Row], glyphs: Glyphs, palette: Palette) -> None:
        super().__init__()
        self.graphs = Graphs(rows, glyphs, palette)
        self._count = sum(row.entry is not None for row in rows)
        self._asked: str | None = None

    def compose(self) -> ComposeResult:
        """A frame around the list."""
        with Vertical(id="picker"):
            yield self.graphs

    def on_mount(self) -> None:
        """The list has the keys."""
        self.graphs.focus()
        self._entitle()

    def _entitle(self) -> None:
        frame = self.query_one("#picker", Vertical)
        many = f"{self._count:,} graph{'s' * (self._count != 1)}"
        frame.border_title = (
            many if self._asked is None else f"{many} /{clean(self._asked)}".replace("[", r"\[")
        )
        hint = "enter goes there, / looks for, escape closes" if self._asked is None else "enter, escape"
        frame.border_subtitle = hint
        frame.styles.height = len(self.graphs.rows) + 2

    def on_key(self, event: Key) -> None:
        """Move, look for, choose or close."""
        event.stop()
        if self._asked is not None and self._typed(event):
            return
        page = max(1, self.graphs.size.height - 1)
        lines = {
            "j": 1, "down": 1, "k": -1, "up": -1, "pagedown": page, "ctrl+d": page, "pageup": -page,
            "ctrl+u": -page, "g": -(1 << 40), "home": -(1 << 40), "G": 1 << 40, "end": 1 << 40,
        }.get(event.key)  # fmt: skip
        if lines is not None:
            self.graphs.move(lines)
        elif event.character == "/":
            self._asked = ""
            self._entitle()
        elif event.key == "enter":
            self.answer(self.graphs.chosen())
        elif event.key in ("escape", "q", "ctrl+c", "ctrl+q"):
            self.answer(None)

    def _typed(self, event: Key) -> bool:
        """Whether a key is one more letter of what is looked for, or takes one away."""
        asked = self._asked or ""
        if event.key == "escape":
            asked, self._asked = "", None
        elif event.key == "backspace":
            asked = self._asked = asked[:-1]
        elif event.is_printable and event.character:
            asked = self._asked = asked + event.character
        else:
            return False
        self.graphs.look_for(asked)
        self._entitle()
        return True

    def on_click(self, event: Click) -> None:
        """Choose by mouse; a click beside the list closes it."""
        if event.widget is not self.graphs:
            self.answer(None)
            return
        offset = event.get_content_offset(self.graphs)
        number = -1 if offset is None else offset.y + int(self.graphs.scroll_offset.y)
        if 0 <= number < len(self.graphs.shown):
            self.graphs.cursor = number
            self.answer(self.graphs.chosen())
