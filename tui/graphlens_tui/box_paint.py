"""One line of a chart's cells as a strip, painted when it is on the screen and not before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from graphlens.canvas import ARROW, Place
from graphlens.categories import Category
from graphlens_tracers.events import NodeId
from graphlens_tui import words
from graphlens_tui.charting import Calls, Drawn, Zoom
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import classes, elided
from graphlens_tui.palette import Palette, style

Piece = tuple[str, str, bool]
"""Text, its colour, and whether it is bold."""


@dataclass
class BoxPainter:
    """Paints lines of a chart in one call of its graph.

    Attributes:
        selected: The box under the cursor; `focused`: the pane has the keys.
        found: Nodes that a search looks for: their names are underlined.
    """

    drawn: Drawn
    calls: Calls
    glyphs: Glyphs
    palette: Palette
    selected: int | None = None
    focused: bool = True
    found: frozenset[NodeId] = frozenset()
    _leads: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._leads = {source for source, _ in self.drawn.canvas.entries}

    def row(self, y: int, left: int, width: int) -> Strip:
        """Line `y` of the canvas, `width` cells from column `left` on."""
        blank = style(self.palette.mute, self.palette.ground)
        cells: list[tuple[str, Style]] = [(" ", blank)] * width
        lines = self.drawn.canvas.lines.get(y, {})
        for x in range(left, left + width) if lines else ():
            if x in lines:
                cells[x - left] = self._line_cell(*lines[x])
        for box in self.drawn.canvas.boxes_at(y, left, left + width):
            self._put_box(cells, box, y, left)
        segments = []
        for _, run in groupby(cells, key=lambda cell: id(cell[1])):  # equal styles are the same object
            together = list(run)
            segments.append(Segment("".join(text for text, _ in together), together[0][1]))
        return Strip(segments, width)

    def _line_cell(self, mask: int, source: int) -> tuple[str, Style]:
        chosen = source == self.selected
        colour = self.palette.bright if chosen else self.colour(source)
        text = self.glyphs.head if mask & ARROW else self.glyphs.joints[mask & 15]
        return text, style(colour, self.palette.ground, chosen)

    def colour(self, box: int) -> str:
        """Of a box and of what leaves it: that of its health, else that of what it does."""
        ill = self.calls.health(box).ill
        if ill:
            return self.palette.nan if ill == "nan" else self.palette.inf
        family = self.drawn.labels[box].category
        return self.palette.accent if family is Category.MODULE else self.palette.kind(family)

    def _put_box(self, cells: list[tuple[str, Style]], box: int, y: int, left: int) -> None:
        place, palette = self.drawn.canvas.places[box], self.palette
        ground = palette.cursor_away if self.drawn.chart.boxes[box].key else palette.bar
        if box == self.selected:
            ground = palette.cursor if self.focused else palette.cursor_away
        underlined = any(one is not None and one.node in self.found for one in [self.drawn.labels[box].node])
        at = place.x - left
        for text, colour, bold in self._pieces(box, place, y - place.y):
            shown = style(colour, ground, bold, False, underlined and bold)
            at = _put(cells, at, text, shown)

    def _pieces(self, box: int, place: Place, line: int) -> list[Piece]:
        if self.drawn.asked.zoom is Zoom.COMPACT:
            return self._pill(box)
        frame, colour = self.glyphs.frame, self.colour(box)
        bold = box == self.selected or bool(self.calls.health(box).ill)
        if line == 0:
            return self._top(box, place, colour, bold)
        if line == place.height - 1:
            return self._bottom(box, place, colour, bold)
        content = self._content(box)[line - 1]
        room = place.width - 2
        used = sum(cell_len(text) for text, _, _ in content)
        before = max(0, (room - used) // 2)
        mark = self.glyphs.cursor if box == self.selected and line == 1 else frame[5]
        return [
            (mark, self.palette.warn if mark != frame[5] else colour, bold),
            (" " * before, colour, False),
            *content,
            (" " * max(0, room - used - before), colour, False),
            (frame[5], colour, bold),
        ]

    def _pill(self, box: int) -> list[Piece]:
        label, colour = self.drawn.labels[box], self.colour(box)
        opening = self.glyphs.cursor if box == self.selected else "["
        pieces = [(opening, self.palette.warn if box == self.selected else colour, True)]
        pieces += [(" ", colour, False), *self._head(box)]
        if label.under:
            pieces.append((f"  {label.under}", self.palette.mute, False))
        return [*pieces, (" ", colour, False), ("]", colour, True)]

    def _head(self, box: int) -> list[Piece]:
        """Health and name."""
        label, health = self.drawn.labels[box], self.calls.health(box)
        one = self.drawn.chart.boxes[box]
        colour = self.colour(box)
        pieces = [(f"{getattr(self.glyphs, health.glyph)} ", colour, bool(health.ill))]
        if one.key:
            pieces.append((f"{self.glyphs.folded} ", self.palette.warn, True))
        name = self.palette.bright if one.key else self.palette.kind(label.category)
        return [*pieces, (label.name, name, True)]

    def _content(self, box: int) -> list[list[Piece]]:
        """What stands in a box, line by line."""
        label, palette = self.drawn.labels[box], self.palette
        lines = [self._head(box)]
        if label.under:
            lines.append([(label.under, palette.text, False)])
        lines.append([(label.shape, palette.mute, False)])
        if self.drawn.asked.zoom is Zoom.WIDE:
            lines += self._numbers(box)
        return lines

    def _numbers(self, box: int) -> list[list[Piece]]:
        """The five classes and the range of what leaves a box."""
        label, palette, glyphs = self.drawn.labels[box], self.palette, self.glyphs
        numbers = self.calls.numbers(box)
        output = None if numbers is None or label.node is None else numbers.telling(label.node, label.specs)
        signs: list[Piece] = []
        colours = (*palette.signs, palette.inf, palette.nan)
        for there, glyph, colour in zip(classes(output), glyphs.classes, colours, strict=True):
            unknown = glyphs.unknown if output is not None and output.looked_at else " "
            text = glyph if there else glyphs.absent if there is not None else unknown
            signs.append((text * 2, colour if there else palette.faint, bool(there)))
        if output is None:
            return [signs, [("", palette.mute, False)]]
        text = glyphs.text(words.values(output))
        room = self.drawn.canvas.places[box].width - 4
        ill = output.finite is False
        colour = palette.text if not ill else palette.nan if "NaN" in text else palette.inf
        return [signs, [(elided(text, room, glyphs.text("…")), colour, ill)]]

    def _top(self, box: int, place: Place, colour: str, bold: bool) -> list[Piece]:
        """The upper border: where the illness begins, and what is read from far up."""
        frame, room = self.glyphs.frame, place.width - 2
        pieces: list[Piece] = [(frame[0], colour, bold)]
        if self.calls.born(box):
            what = "NaN" if self.calls.health(box).ill == "nan" else self.glyphs.infinity
            pieces.append((f"{what} born"[:room], colour, True))
        far = self._far(self.glyphs.to_producer, self.drawn.canvas.before.get(box, []))
        used = sum(cell_len(text) for text, _, _ in pieces) - 1
        far = far if used + len(far) <= room else self.glyphs.to_producer * bool(far) * (used < room)
        pieces.append((frame[4] * (room - used - len(far)), colour, bold))
        return [*pieces, (far, self.palette.mute, False), (frame[1], colour, bold)]

    def _bottom(self, box: int, place: Place, colour: str, bold: bool) -> list[Piece]:
        """The lower border: where lines leave, and what is read from far down."""
        frame = self.glyphs.frame
        middle = place.middle - place.x
        leaves = (self.glyphs.joints[14] if box in self._leads else frame[4], colour, bold)
        room = place.width - 2 - middle
        far = self._far(self.glyphs.to_consumer, self.drawn.canvas.after.get(box, []))
        far = far if len(far) <= room else self.glyphs.to_consumer * bool(far) * bool(room)
        return [
            (frame[3] + frame[4] * (middle - 1), colour, bold),
            leaves,
            (frame[4] * (room - len(far)), colour, bold),
            (far, self.palette.mute, False),
            (frame[2], colour, bold),
        ]

    def _far(self, glyph: str, boxes: list[int]) -> str:
        """ "⇡12+2": the operation of the first of some boxes, and how many more there are."""
        for box in boxes[:1]:
            seq = self.calls.seq(self.drawn.chart.boxes[box].main)
            more = f"+{len(boxes) - 1}" if len(boxes) > 1 else ""
            return f"{glyph}{'' if seq is None else seq}{more}"
        return ""


def _put(cells: list[tuple[str, Style]], at: int, text: str, shown: Style) -> int:
    """Put text over cells from `at` on, a character of two cells never by half; returns the next cell."""
    if 0 <= at and at + len(text) <= len(cells) and _single(text):
        cells[at : at + len(text)] = [(character, shown) for character in text]
        return at + len(text)
    for character in text:
        width = 1 if character.isascii() else cell_len(character)
        if width == 0:
            if 0 < at <= len(cells):
                cells[at - 1] = cells[at - 1][0] + character, cells[at - 1][1]
            continue
        if 0 <= at and at + width <= len(cells):
            cells[at] = character, shown
            cells[at + 1 : at + width] = [("", shown)] * (width - 1)
        else:
            for one in range(max(0, at), min(at + width, len(cells))):
                cells[one] = " ", shown
        at += width
    return at


@lru_cache(maxsize=4096)
def _single(text: str) -> bool:
    """Every character of it takes one cell."""
    return text.isascii() or all(cell_len(character) == 1 for character in text)


def text_of(rows: Iterable[Strip]) -> list[str]:
    """Strips as lines of text without spaces at their ends."""
    return [row.text.rstrip() for row in rows]
