"""Frames of text that stand beside and below each other, with rows in them that can be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.segment import Segment

from graphlens_tui.details import Page
from graphlens_tui.paint import elided
from graphlens_tui.palette import style

Target = tuple[int, int]
"""The number of a process, and an operation of it."""
Parts = tuple[str, str] | tuple[str, str, str]
"""Text, colour, looks: as `Page.line` takes them."""


@dataclass(frozen=True)
class Stop:
    """A row that can be chosen: its line of the page, from which cell on, how wide, and what it is about."""

    line: int
    x: int
    width: int
    target: Target


@dataclass
class Box(Page):
    """The inside of a frame.

    Attributes:
        title: On the frame.
        hue: Of the title; "" for the usual one.
        rows: For lines that can be chosen, what they are about.
    """

    title: str = ""
    hue: str = ""
    rows: dict[int, Target] = field(default_factory=dict)

    def row(self, target: Target | None, *parts: Parts) -> None:
        """A line; with a target it can be chosen: its first two cells are for the mark."""
        if target is not None:
            self.rows[len(self.lines)] = target
        self.line(("  ", self.palette.mute), *parts)

    def text(self, first: str, text: str, colour: str, how: str = "", most: int = 6) -> None:
        """Words over several lines, the first one behind `first`, the others as far in."""
        room = max(8, self.width - cell_len(first))
        shown = self.glyphs.text(text)
        for k in range(most):
            cut = len(shown) if cell_len(shown) <= room else shown.rfind(" ", room // 3, room) + 1 or room
            last = k == most - 1 and cut < len(shown)
            piece = elided(shown, room, self.glyphs.text("…")) if last else shown[:cut].rstrip()
            before = first if k == 0 else " " * cell_len(first)
            self.line((before, self.palette.mute), (piece, colour, how))
            shown = shown[cut:]
            if not shown:
                return


@dataclass
class Board:
    """Frames put on a page.

    Attributes:
        lines: As they are drawn.
        stops: Rows that can be chosen, in the order in which the keys go through them.
    """

    width: int
    lines: list[list[Segment]] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)

    def put(self, *boxes: Box, least: int = 0) -> None:
        """Frames side by side below what there is, all as high as the highest, and `least` lines at least."""
        height = max(least - 2, *(len(box.lines) for box in boxes))
        top = len(self.lines)
        columns = [list(framed(box, height)) for box in boxes]
        for rows in zip(*columns, strict=True):
            self.lines.append([segment for row in rows for segment in row])
        x = 0
        for box in boxes:
            self.stops += [
                Stop(top + 1 + line, x + 2, box.width, target) for line, target in sorted(box.rows.items())
            ]
            x += box.width + 4


def framed(box: Box, height: int) -> Iterable[list[Segment]]:
    """The lines of a box of so many lines inside of its frame: four cells wider, two lines higher."""
    palette = box.palette
    ul, ur, dr, dl, across, down = tuple(box.glyphs.frame)
    ground = palette.ground
    line = style(palette.frame, ground)
    title = f" {elided(box.glyphs.text(box.title), max(0, box.width - 2), box.glyphs.text('…'))} "
    over = box.width + 1 - cell_len(title)
    yield [
        Segment(ul + across, line),
        Segment(title, style(box.hue or palette.accent, ground, bold=bool(box.hue))),
        Segment(across * over + ur, line),
    ]
    blank = style(palette.text, ground)
    for k in range(height):
        inside: Sequence[Segment] = box.lines[k] if k < len(box.lines) else ()
        used = sum(cell_len(segment.text) for segment in inside)
        rest = Segment(" " * max(0, box.width - used), blank)
        yield [Segment(f"{down} ", line), *inside, rest, Segment(f" {down}", line)]
    yield [Segment(dl + across * (box.width + 2) + dr, line)]
