"""A slice of a tensor as cells in a frame: numbers, or a map of their sizes; only what is seen is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style

from graphlens.statistics import Statistics
from graphlens_tui.boxes import Box
from graphlens_tui.cells import (
    FORMATS,
    NAN,
    Number,
    Scale,
    bads,
    cell_text,
    cell_width,
    ground_of,
    map_colour,
    map_text,
)
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import style
from graphlens_tui.sheet import Sheet

HEAT = 2
"""Cells of an element on the map."""
Spot = tuple[str, Style]
"""An element on the map."""
COMFORT = 9
"""Cells that a number has where there is room."""


@dataclass
class Look:
    """How cells are drawn.

    Attributes:
        how: The format of numbers.
        heat: As a map of sizes.
        shades: The map is of characters: there are no colours.
    """

    how: str = FORMATS[0]
    heat: bool = False
    shades: bool = False


@dataclass
class Grid:
    """Cells of a sheet, scrolled so that its cursor is seen.

    Attributes:
        linked: Whether it has a cursor.
    """

    sheet: Sheet
    found: Statistics | None = None
    linked: bool = True
    top: int = 0
    left: int = 0
    scale: Scale = field(init=False)

    def __post_init__(self) -> None:
        self.scale = Scale.of(self.found)

    def measured(self, found: Statistics | None) -> None:
        """The statistics are known now."""
        self.found, self.scale = found, Scale.of(found)

    def width(self, look: Look, room: int) -> int:
        """Cells of a column, where there are `room` for all: with so many each that it is not crowded."""
        if look.heat:
            return HEAT
        elements = self.sheet.elements
        tight = cell_width(look.how, elements.array.dtype, elements.spec.dtype, self.found)
        return max(tight, min(room // max(1, self.sheet.columns), COMFORT))

    def labels(self) -> int:
        """Cells of the row's labels."""
        return max(4, len(str(self.sheet.label(max(0, self.sheet.rows - 1)))) + 2)

    def fill(self, box: Box, look: Look, rows: int) -> tuple[int, int]:
        """Put the header and so many rows into a box; how many rows and columns are seen."""
        sheet = self.sheet
        if not sheet.there:
            box.line(("no elements", box.palette.mute))
            return 0, 0
        wide = self.width(look, box.width - self.labels())
        columns = max(1, min((box.width - self.labels()) // wide, sheet.columns))
        rows = max(1, min(rows, sheet.rows))
        self._reveal(rows, columns)
        self._head(box, columns, wide, look)
        self._rows(rows, columns, wide, look, box)
        return rows, columns

    def _rows(self, rows: int, columns: int, wide: int, look: Look, box: Box) -> None:
        """Only what is seen is looked at."""
        sheet = self.sheet
        window = sheet.window(self.top, self.left, rows, columns)
        levels, bad = self.scale.levels(window).tolist(), bads(window).tolist()
        plain = look.heat or look.how.startswith("%")
        values = window.tolist() if plain else [list(row) for row in window]
        known: dict[tuple[int, int], Spot] = {}
        for k, row in enumerate(range(self.top, self.top + len(values))):
            many = max(0, min(columns, sheet.in_row(row) - self.left))
            cursor = sheet.column - self.left if self.linked and row == sheet.row else -1
            line = [self._label(row, cursor >= 0, box)]
            if look.heat:
                line += _spots(levels[k][:many], bad[k][:many], cursor, known, look, box)
            else:
                line += self._numbers(values[k][:many], levels[k], bad[k], cursor, wide, look, box)
            box.lines.append(line)

    def _reveal(self, rows: int, columns: int) -> None:
        sheet = self.sheet
        self.top = _scrolled(self.top, sheet.row, rows, sheet.rows)
        self.left = _scrolled(self.left, sheet.column, columns, sheet.columns)

    def _head(self, box: Box, columns: int, wide: int, look: Look) -> None:
        """The numbers of the columns; on the map those that there is room for."""
        palette = box.palette
        segments = [Segment(" " * self.labels(), style(palette.mute, palette.bar))]
        if look.heat:
            text = "".join(
                sized(str(column), 5 * HEAT) if column % 5 == 0 else ""
                for column in range(self.left, self.left + columns)
            )
            before = (-self.left) % 5 * HEAT
            shown = sized(" " * before + text, columns * HEAT)
            segments.append(Segment(shown, style(palette.mute, palette.bar)))
        else:
            for column in range(self.left, self.left + columns):
                here = self.linked and column == self.sheet.column
                segments.append(
                    Segment(
                        f"{column:>{wide - 1}} ",
                        style(palette.warn if here else palette.mute, palette.bar, here),
                    )
                )
        box.lines.append(segments)

    def _label(self, row: int, here: bool, box: Box) -> Segment:
        palette = box.palette
        label = f"{self.sheet.label(row):>{self.labels() - 1}} "
        return Segment(label, style(palette.warn if here else palette.mute, palette.bar, here))

    def _numbers(
        self, values: list[Number], levels: list[int], bad: list[int], cursor: int, wide: int, look: Look,
        box: Box,
    ) -> Iterator[Segment]:  # fmt: skip
        palette, glyphs, dtype = box.palette, box.glyphs, self.sheet.elements.spec.dtype
        dots = glyphs.text("…")
        for column, value in enumerate(values):
            text, ill, here = glyphs.text(cell_text(value, look.how, dtype)), bad[column], column == cursor
            if len(text) > wide - 2:
                text = elided(text, wide - 2, dots)
            if here:
                text = glyphs.cursor + text
            colour = palette.bright if levels[column] else palette.mute
            ground = ground_of(levels[column], palette)
            if ill:
                colour, ground = palette.on_ill, palette.nan if ill == NAN else palette.inf
            if here:
                colour, ground = (ground, palette.ground) if ill else (palette.bright, palette.cell)
            yield Segment(text.rjust(wide - 1) + " ", style(colour, ground, bool(ill) or here))


def _spots(
    levels: list[int], bad: list[int], cursor: int, known: dict[tuple[int, int], Spot], look: Look, box: Box
) -> Iterator[Segment]:
    """A row of the map, in pieces of one colour. `known`: how elements look, as far as it was asked for."""
    run, before = "", None
    for column, key in enumerate(zip(levels, bad, strict=True)):
        if key not in known:
            known[key] = _spot(*key, look, box)
        text, now = known[key]
        if column == cursor:
            text = f"[{text[0]}" if key[1] else "[]"
            now = style(box.palette.on_accent, box.palette.warn, True)
        if before is not None and now is not before:
            yield Segment(run, before)
            run = ""
        run, before = run + text, now
    if before is not None:
        yield Segment(run, before)


def _spot(level: int, bad: int, look: Look, box: Box) -> Spot:
    palette, glyphs = box.palette, box.glyphs
    if bad:
        glyph, ground = (glyphs.nan, palette.nan) if bad == NAN else (glyphs.inf, palette.inf)
        return sized(glyph, HEAT), style(palette.on_ill, ground, True)
    if look.shades:
        return map_text(level, glyphs), style(palette.text, palette.ground)
    return " " * HEAT, style(palette.text, map_colour(level, palette))


def _scrolled(first: int, at: int, seen: int, many: int) -> int:
    """The first line that is seen so that `at` is among them."""
    if at < first:
        first = at
    elif at >= first + seen:
        first = at - seen + 1
    return max(0, min(first, many - seen))
