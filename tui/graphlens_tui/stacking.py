"""Frames below each other in a column: which there is room for, and how high each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphlens_tui.boxes import Board, Box

Fill = Callable[[Box, int], None]
"""Puts so many lines into a box."""


@dataclass(frozen=True)
class Panel:
    """A frame.

    Attributes:
        least, natural, most: Lines with its frame: without so many it is left out, so many are good, and
            more are of no use.
    """

    fill: Fill
    least: int
    natural: int
    most: int


def heights(room: int, panels: Sequence[Panel]) -> list[int]:
    """For each panel its lines; 0 for one that there is no room for. All of the room is used."""
    found = [0] * len(panels)
    left = room
    for k, panel in enumerate(panels):
        least = min(panel.least, room) if k == 0 else panel.least
        if least <= left:
            found[k] = least
            left -= least
    for wishes in ([panel.natural for panel in panels], [panel.most for panel in panels]):
        for k, wish in enumerate(wishes):
            if found[k]:
                more = max(0, min(wish - found[k], left))
                found[k] += more
                left -= more
    last = max((k for k, high in enumerate(found) if high), default=0)
    found[last] += left
    return found


def stacked(panels: Sequence[Panel], room: int, box: Callable[[], Box], width: int) -> Board:
    """The panels that there is room for, each in a frame of its own."""
    board = Board(width)
    for panel, high in zip(panels, heights(room, panels), strict=True):
        if not high:
            continue
        inside = box()
        panel.fill(inside, max(0, high - 2))
        del inside.lines[max(0, high - 2) :]
        board.put(inside, least=high)
    return board
