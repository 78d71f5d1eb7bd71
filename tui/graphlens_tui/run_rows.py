"""The list of saved runs as lines of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from graphlens.runs import Entry
from graphlens.text import clean, size_text
from graphlens_tui import words
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.listing import Listing, arguments_of, ended, script_of
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.summaries import Place, Summary

LEAD, GAP = 4, 2
"""Cells before the first column, for the cursor and the mark, and between two."""
Piece = tuple[str, str, bool]
"""Text, colour, bold."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        least, most: Cells; it grows from the one to the other where there is room.
        need: Where there is no room for all, those with the lowest need go first; 9 stays.
    """

    title: str
    least: int
    most: int
    need: int


COLUMNS = (
    Column("name", 14, 60, 9), Column("script", 12, 40, 3), Column("arguments", 9, 60, 2),
    Column("framework", 15, 18, 4), Column("started", 11, 11, 8), Column("steps", 5, 6, 5),
    Column("ops", 5, 6, 7), Column("health", 18, 20, 9), Column("first not finite", 20, 44, 1),
    Column("state", 8, 8, 9), Column("size", 8, 8, 6), Column("level", 9, 9, 0),
)  # fmt: skip


def widths(entries: Sequence[Entry], width: int) -> dict[str, int]:
    """Cells of the columns that there is room for, by title."""
    most = {column.title: column.most for column in COLUMNS}
    written = {
        "name": [one.name for one in entries],
        "script": [script_of(one) for one in entries],
        "arguments": [arguments_of(one) for one in entries],
    }
    for title, texts in written.items():
        longest = max(map(cell_len, texts), default=0) + (7 if title == "name" else 0)  # " (open)"
        most[title] = min(most[title], longest)
    columns = list(COLUMNS)
    while (left := width - LEAD - sum(one.least + GAP for one in columns) + GAP) < 0:
        least = min(columns, key=lambda one: one.need)
        if least.need == 9:
            break
        columns.remove(least)
    found = {one.title: one.least for one in columns}
    while left > 0:
        growing = [title for title in found if found[title] < most[title]]
        if not growing:
            break
        for title in growing[:left]:
            found[title] += 1
            left -= 1
    return found


def heading(columns: dict[str, int], width: int, glyphs: Glyphs, palette: Palette) -> Strip:
    """The line above the runs."""
    text = " " * LEAD + (" " * GAP).join(sized(title, room) for title, room in columns.items())
    look = style(palette.mute, palette.bar, True)
    return Strip([Segment(sized(elided(text, width, glyphs.text("…")), width), look)])


@dataclass(frozen=True)
class RunRow:
    """Draws a run.

    Attributes:
        shown: The directory of the run that is open.
        now: Unix time.
    """

    listing: Listing
    shown: Path
    glyphs: Glyphs
    palette: Palette
    now: float

    def paint(
        self, entry: Entry, columns: dict[str, int], width: int, *, selected: bool, focused: bool
    ) -> Strip:
        """One line."""
        palette, glyphs = self.palette, self.glyphs
        ground = (palette.cursor if focused else palette.cursor_away) if selected else palette.ground
        mark = glyphs.marked if entry.path in self.listing.marked else " "
        segments = [
            Segment(f"{glyphs.cursor if selected else ' '} ", style(palette.warn, ground, True)),
            Segment(f"{mark} ", style(palette.inf, ground, True)),
        ]
        cells = self._cells(entry)
        for title, room in columns.items():
            left = room
            for k, (text, colour, bold) in enumerate(cells[title]):
                # A long name leaves room for what is said behind it.
                after = sum(cell_len(one) for one, *_ in cells[title][k + 1 :]) if title == "name" else 0
                if title == "name" and "/" in text:
                    path = PurePath(text)
                    ways = (text, f"…/{path.name}", f"…/{path.stem}")
                    text = next((one for one in ways if cell_len(one) <= left - after), ways[-1])
                shown = elided(glyphs.text(text), left - after, glyphs.text("…"), left=title == "name")
                left -= cell_len(shown)
                segments.append(Segment(shown, style(colour, ground, bold or selected)))
            segments.append(Segment(" " * (left + GAP), style(palette.mute, ground)))
        return Strip(segments).adjust_cell_length(width, style(palette.mute, ground))

    def _cells(self, entry: Entry) -> dict[str, list[Piece]]:
        palette = self.palette
        known = self.listing.known.get(entry.path)
        mute, text = palette.mute, palette.text
        name: list[Piece] = [(clean(entry.name), palette.bright, False)]
        if entry.path == self.shown:
            name.append((" (open)", palette.accent, False))
        return {
            "name": name,
            "script": [(clean(script_of(entry)), text, False)],
            "arguments": [(clean(arguments_of(entry)), mute, False)],
            "framework": [("…" if known is None else known.framework, mute, False)],
            "started": [(words.when(entry.started, self.now), mute, False)],
            "steps": [("…" if known is None else f"{known.steps:,}" * (not known.trouble), text, False)],
            "ops": [("…" if known is None else words.count(known.ops) * (not known.trouble), text, False)],
            "health": health(known, self.glyphs, palette),
            "first not finite": [] if known is None or known.first is None else _first(known.first, palette),
            "state": [state(entry, palette)],
            "size": [("…" if known is None else size_text(known.size_bytes), mute, False)],
            "level": [(clean(str(entry.record.get("level") or "")), mute, False)],
        }


def health(summary: Summary | None, glyphs: Glyphs, palette: Palette) -> list[Piece]:
    """Whether numbers are finite, and how many operations made some that are not."""
    if summary is None:
        return [("…", palette.faint, False)]
    if summary.trouble:
        return [("unreadable", palette.warn, True)]
    if not summary.ops:
        return [("nothing recorded", palette.mute, False)]
    if not summary.ill:
        if summary.complete:
            running = summary.info is not None and summary.info.state == "running"
            return [(f"{glyphs.fine} clean{' so far' if running else ''}", palette.good, False)]
        level = "" if summary.info is None else summary.info.level
        return [
            (
                f"{glyphs.none} {'not looked at' if level == 'structure' else 'incomplete'}",
                palette.warn,
                False,
            )
        ]
    parts: list[Piece] = []
    if summary.nan:
        parts.append((f"{glyphs.nan} NaN {words.count(summary.nan)}", palette.nan, True))
    if summary.inf:
        gap = "  " if parts else ""
        parts.append((f"{gap}{glyphs.inf} ∞ {words.count(summary.inf)}", palette.inf, True))
    return parts


def state(entry: Entry, palette: Palette) -> Piece:
    """How it stands."""
    word = ended(entry)
    colour = {"finished": palette.mute, "running": palette.good, "lost": palette.warn}.get(word, palette.nan)
    return clean(word, 20), colour, word not in ("finished", "lost")


def _first(place: Place, palette: Palette) -> list[Piece]:
    hue = palette.nan if place.kind == "nan" else palette.inf
    step = "" if place.step is None else f"step {place.step} "
    return [(f"{step}#{place.seq} ", palette.mute, False), (clean(place.op, 60), hue, False)]
