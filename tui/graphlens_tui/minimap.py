"""A whole chart in a corner of the screen: where boxes are, how they are, and what is seen of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.segment import Segment
from textual.strip import Strip

from graphlens_tui.charting import Calls, Drawn
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import sized
from graphlens_tui.palette import Palette, style

WIDTH, HEIGHT = 28, 14
"""Cells at most, its frame included."""
DOTS = ((1, 8), (2, 16), (4, 32), (64, 128))
"""Bits of a braille character, by row and column."""


@dataclass
class Minimap:
    """Cells that stand for parts of a canvas.

    Attributes:
        width, height: Without the frame.
        dots: For each cell with boxes the bits of its character, and how the worst of its boxes is.
    """

    drawn: Drawn
    width: int
    height: int
    dots: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, drawn: Drawn, calls: Calls) -> Minimap:
        """Draw every box as the dots that it covers, at least one."""
        canvas = drawn.canvas
        height = min(HEIGHT - 2, max(1, canvas.height // 4))
        found = cls(drawn, WIDTH - 2, height)
        across, down = found.width * 2 / max(1, canvas.width), found.height * 4 / max(1, canvas.height)
        across = min(across, 2 * down)  # as it is on the screen, and never wider than that
        for box, place in enumerate(canvas.places):
            ill = calls.worst(box)
            left, top = int(place.x * across), int(place.y * down)
            right = max(left + 1, int((place.x + place.width) * across))
            bottom = max(top + 1, int((place.y + place.height) * down))
            for y in range(top, min(bottom, found.height * 4)):
                for x in range(left, min(right, found.width * 2)):
                    bits, worst = found.dots.get((x // 2, y // 4), (0, ""))
                    worst = "nan" if "nan" in (ill, worst) else ill or worst
                    found.dots[x // 2, y // 4] = bits | DOTS[y % 4][x % 2], worst
        found._scale = (across / 2, down / 4)
        return found

    _scale: tuple[float, float] = (1.0, 1.0)

    def strips(self, view: tuple[int, int, int, int], glyphs: Glyphs, palette: Palette) -> list[Strip]:
        """Its lines; `view` is what is seen of the canvas: left, top, width and height."""
        across, down = self._scale
        left, right = int(view[0] * across), int((view[0] + view[2] - 1) * across)
        top, bottom = int(view[1] * down), int((view[1] + view[3] - 1) * down)
        frame = glyphs.frame
        edge = style(palette.faint, palette.bar)
        title = " overview "
        rest = self.width - len(title)
        head = frame[0] + frame[4] * (rest // 2) + title + frame[4] * (rest - rest // 2) + frame[1]
        rows = [Strip([Segment(head, edge)], WIDTH)]
        for y in range(self.height):
            segments = [Segment(frame[5], edge)]
            for x in range(self.width):
                seen = left <= x <= right and top <= y <= bottom
                bits, worst = self.dots.get((x, y), (0, ""))
                colour = {"nan": palette.nan, "inf": palette.inf}.get(worst)
                colour = colour or (palette.accent if seen else palette.mute)
                ground = palette.cursor_away if seen else palette.bar
                segments.append(Segment(_dot(bits, worst, seen, glyphs), style(colour, ground)))
            rows.append(Strip([*segments, Segment(frame[5], edge)], WIDTH).simplify())
        foot = frame[3] + frame[4] * self.width + frame[2]
        return [*rows, Strip([Segment(sized(foot, WIDTH), edge)], WIDTH)]


def _dot(bits: int, worst: str, seen: bool, glyphs: Glyphs) -> str:
    if not bits:
        return " "
    if not glyphs.ascii:
        return chr(0x2800 + bits)
    return glyphs.nan if worst == "nan" else glyphs.inf if worst == "inf" else "o" if seen else "."
