"""A slice of a tensor as cells in a frame: numbers, or a map of their sizes; only what is seen is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.segment import Segment

from graphlens.statistics import Statistics
from graphlens_tui.boxes import Box
from graphlens_tui.cells import FORMATS, LEVELS, Number, Scale, cell_text, cell_width, ground_of, is_bad
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import style
from graphlens_tui.sheet import Sheet

HEAT = 2
"""Cells of an element on the map."""
COMFORT = 9
"""Cells that a number has where there is room."""
TINT, FULL = 0.6, 1.0
"""How much of a shade's colour is behind a number, and on the map."""


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
        for row, values in enumerate(sheet.window(self.top, self.left, rows, columns), self.top):
            box.lines.append(list(self._row(row, values, wide, look, box)))
        return rows, columns

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

    def _row(self, row: int, values: list[Number], wide: int, look: Look, box: Box) -> Iterator[Segment]:
        palette, sheet = box.palette, self.sheet
        here = self.linked and row == sheet.row
        label = f"{sheet.label(row):>{self.labels() - 1}} "
        yield Segment(label, style(palette.warn if here else palette.mute, palette.bar, here))
        for column, value in enumerate(values, self.left):
            if value is None:
                yield Segment(" " * wide, style(palette.text, palette.ground))
            elif look.heat:
                yield self._spot(value, here and column == sheet.column, look, box)
            else:
                yield self._number(value, here and column == sheet.column, wide, look, box)

    def _number(self, value: Number, cursor: bool, wide: int, look: Look, box: Box) -> Segment:
        palette, glyphs = box.palette, box.glyphs
        text = glyphs.text(cell_text(value, look.how, self.sheet.elements.spec.dtype))
        mark = glyphs.cursor if cursor else ""
        shown = (mark + elided(text, wide - 2, glyphs.text("…"))).rjust(wide - 1) + " "
        bad = is_bad(value)
        level = 0 if bad else self.scale.level(value)
        colour = palette.bright if level else palette.mute
        ground = ground_of(level, palette, TINT)
        if bad:
            colour, ground = palette.on_ill, palette.nan if bad == "nan" else palette.inf
        if cursor:
            colour = ground if bad else palette.bright
            ground = palette.ground if bad else palette.cell
        return Segment(shown, style(colour, ground, bool(bad) or cursor))

    def _spot(self, value: Number, cursor: bool, look: Look, box: Box) -> Segment:
        palette, glyphs = box.palette, box.glyphs
        bad = is_bad(value)
        level = self.scale.level(value)
        text = " " * HEAT
        if bad:
            text = sized(glyphs.nan if bad == "nan" else glyphs.inf, HEAT)
        elif look.shades:
            steps = glyphs.shades
            step = steps[round(abs(level) / LEVELS * (len(steps) - 1))]
            text = (glyphs.text("−") if level < 0 else step) + step
        colour, ground = palette.text, palette.ground if look.shades else ground_of(level, palette, FULL)
        if bad:
            colour, ground = palette.on_ill, palette.nan if bad == "nan" else palette.inf
        if cursor:
            text = "[]" if not bad else f"[{text[0]}"
            colour, ground = palette.on_accent, palette.warn
        return Segment(text, style(colour, ground, bool(bad) or cursor))


def _scrolled(first: int, at: int, seen: int, many: int) -> int:
    """The first line that is seen so that `at` is among them."""
    if at < first:
        first = at
    elif at >= first + seen:
        first = at - seen + 1
    return max(0, min(first, many - seen))
