"""The three lines around the panes: what is open, where the cursor is, and which keys there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import elided
from graphlens_tui.palette import Palette, style


class Part(NamedTuple):
    """A piece of a bar.

    Attributes:
        colour: "" for the bar's own.
        ground: "" for the bar's own.
        need: Where there is no room for all, parts with the lowest need go first, those of need 0 together.
    """

    text: str
    colour: str = ""
    bold: bool = False
    ground: str = ""
    need: int = 5


@dataclass
class Parts:
    """Both ends of a bar."""

    left: list[Part]
    right: list[Part]

    def fitted(self, width: int) -> Parts:
        """Without the parts that there is no room for."""
        left, right = list(self.left), list(self.right)
        if sum(cell_len(part.text) for part in left + right) > width:
            left, right = ([part for part in parts if part.need] for parts in (left, right))
        while sum(cell_len(part.text) for part in left + right) > width and left + right:
            needs = [(part.need, -k, side) for side in (0, 1) for k, part in enumerate((left, right)[side])]
            need, k, side = min(needs)
            if need >= 9:
                break
            del (left, right)[side][-k]
        return Parts(left, right)

    def strip(self, width: int, glyphs: Glyphs, palette: Palette) -> Strip:
        """One line, with what there is room for."""
        parts = self.fitted(width)
        segments: list[Segment] = []
        used = 0

        def put(part: Part) -> None:
            nonlocal used
            text = elided(glyphs.text(part.text), max(0, width - used), glyphs.text("…"))
            used += cell_len(text)
            look = style(part.colour or palette.text, part.ground or palette.bar, part.bold)
            segments.append(Segment(text, look))

        for part in parts.left:
            put(part)
        room = width - used - sum(cell_len(glyphs.text(part.text)) for part in parts.right)
        if room > 0:
            put(Part(" " * room))
        for part in parts.right:
            put(part)
        return Strip(segments).adjust_cell_length(width, style(palette.text, palette.bar))


class Bar(Widget):
    """One line of parts."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, glyphs: Glyphs, palette: Palette, id: str) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.palette = palette
        self._parts = Parts([], [])

    def set_parts(self, left: list[Part], right: list[Part] | None = None) -> None:
        """Show these."""
        parts = Parts(left, right or [])
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def recolour(self, palette: Palette) -> None:
        """Use these colours from the next parts on."""
        self.palette = palette
        self._parts = Parts([], [])

    def render_line(self, y: int) -> Strip:
        """The bar."""
        return self._parts.strip(self.size.width, self.glyphs, self.palette)
