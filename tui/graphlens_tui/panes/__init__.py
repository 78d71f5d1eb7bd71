"""A pane a file: a rectangle that shows one aspect of a run. Each module exports `PANE`, its class.

A pane reads the model and the selection and posts messages; it never calls another pane. Its lines are
computed when they are on the screen (Textual's Line API), so what it costs does not depend on the run.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from rich.segment import Segment
from textual.events import MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from graphlens_tracers.discover import drop_ins
from graphlens_tracers.events import CallId, Seq
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette, style

Slot = Literal["main", "side", "bottom", "step", "tensor", "health", "runs"]
MODES: tuple[Slot, ...] = ("step", "tensor", "health", "runs")
"""Slots that have the whole screen when their mode is shown."""


class Pane(ScrollView, can_focus=True, inherit_bindings=False):
    """The base of all panes.

    Attributes:
        TITLE: On its frame.
        SLOT: Where it stands: main on the left, side beside it, bottom below both; step, tensor,
            health and runs are modes of their own.
        ORDER: Among those of its slot.
        HELP: What it shows and how to read it, a line each; for `?`.
    """

    TITLE: ClassVar[str] = ""
    SLOT: ClassVar[Slot] = "main"
    ORDER: ClassVar[int] = 0
    HELP: ClassVar[str | None] = ""

    beside = False
    """Whether another pane of its slot is on the screen."""
    DEFAULT_CSS = "Pane { overflow: hidden hidden; scrollbar-size: 0 0; }"

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(id=type(self).__name__.removesuffix("Pane").lower())
        self.model = model
        self.glyphs = glyphs
        self.palette = palette

    # ── what the app says ────────────────────────────────────────────────────────────────────

    def show(self, at: Seq | None, call: CallId | None = None) -> None:
        """Show that operation, or the call whose headline is selected."""

    def changed(self) -> None:
        """The model has changed; repaint what shows it."""

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        self.palette = palette
        self.changed()
        self.refresh()

    def keys_wanted(self) -> bool:
        """Whether every key is to go to `type_key` instead of being a command."""
        return False

    # ── moving ───────────────────────────────────────────────────────────────────────────────

    @property
    def rows(self) -> int:
        """Lines that are visible at once."""
        return max(1, self.scrollable_content_region.height)

    def move(self, lines: int) -> None:
        """Move by lines; panes without a cursor scroll."""
        self.to_row(int(self.scroll_offset.y) + lines)

    def move_to(self, *, end: bool) -> None:
        """To the first line, or to the last."""
        self.to_row(int(self.virtual_size.height) if end else 0)

    def to_row(self, row: int) -> None:
        """Make a row the first visible one, as far as there are rows below it."""
        row = max(0, min(row, int(self.virtual_size.height) - self.scrollable_content_region.height))
        if row != int(self.scroll_offset.y):
            self.scroll_to(y=row, animate=False, force=True, immediate=True)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.to_row(int(self.scroll_offset.y) + 3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.to_row(int(self.scroll_offset.y) - 3)


class TextPane(Pane):
    """A pane of a few hundred lines of text that fit its width, made when something else is shown."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self._strips: list[Strip] = []

    def set_lines(self, lines: list[list[Segment]]) -> None:
        """Show these lines."""
        self._strips = [Strip(line) for line in lines]
        self.virtual_size = Size(self.size.width, len(lines))
        self.to_row(int(self.scroll_offset.y))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row = y + int(self.scroll_offset.y)
        width = self.scrollable_content_region.width
        ground = style(self.palette.text, self.palette.ground)
        if row >= len(self._strips):
            return Strip.blank(width, ground)
        return self._strips[row].adjust_cell_length(width, ground)

    def on_resize(self, event: Resize) -> None:
        """Lines are made for a width."""
        self.changed()


def panes() -> list[type[Pane]]:
    """Every pane of this installation, in the order in which `tab` goes round."""
    found: list[type[Pane]] = drop_ins("graphlens_tui.panes", "PANE", type)
    return sorted(found, key=lambda pane: (get_args(Slot).index(pane.SLOT), pane.ORDER))


__all__ = ["MODES", "Pane", "Slot", "TextPane", "panes"]
