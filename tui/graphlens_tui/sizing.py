"""Panes of another size: by keys, or by dragging the line between them."""

from __future__ import annotations

from textual.events import MouseDown, MouseMove, MouseUp
from textual.widget import Widget

from graphlens_tui.debugger_words import DebuggerWords
from graphlens_tui.model import Mode

LEAST_SIDE, LEAST_BOTTOM = 24, 3
"""Columns of the details, rows of the output with its frame."""
LEAST_MAIN = 40
"""Columns of the graph; above the output it has LEAST_ABOVE rows."""
LEAST_ABOVE = 8
BY = 4
"""Columns that a key moves the line by; of rows half as many."""


class Sizing(DebuggerWords, inherit_bindings=False):
    """The app as these keys, and the mouse, see it.

    Attributes:
        side_wish, bottom_wish: Columns of the details, rows of the output; None for what suits the screen.
    """

    side_wish: int | None = None
    bottom_wish: int | None = None
    _dragged: str = ""

    def _place(self, name: str) -> Widget:
        raise AssertionError("the app knows")

    def side_room(self) -> int | None:
        """Columns of the details beside the graph."""
        wish = self.side_wish
        return None if wish is None else max(LEAST_SIDE, min(wish, self.size.width - LEAST_MAIN))

    def bottom_room(self, natural: int) -> int:
        """Rows of the output below the graph, where so many suit it."""
        wish = natural if self.bottom_wish is None else self.bottom_wish
        return max(LEAST_BOTTOM, min(wish, self.size.height - LEAST_ABOVE)) if self.bottom_wish else natural

    # ── keys ─────────────────────────────────────────────────────────────────────────────────

    def do_side_wider(self) -> None:
        self._move_line("side", BY)

    def do_side_narrower(self) -> None:
        self._move_line("side", -BY)

    def do_bottom_higher(self) -> None:
        self._move_line("bottom", BY // 2)

    def do_bottom_lower(self) -> None:
        self._move_line("bottom", -BY // 2)

    def do_sizes(self) -> None:
        """As they were at first."""
        self.side_wish = self.bottom_wish = None
        self._arrange()

    def _move_line(self, name: str, by: int) -> None:
        if not self._beside(name):
            what = "are no details beside" if name == "side" else "is no output below"
            self.say(f"there {what} the graph here")
            return
        region = self._place(name).region
        self._wish(name, (region.width if name == "side" else region.height) + by)

    def _wish(self, name: str, cells: int) -> None:
        if name == "side":
            self.side_wish = cells
            self.side_wish = self.side_room()
        else:
            self.bottom_wish = max(1, cells)
            self.bottom_wish = self.bottom_room(cells)
        self._arrange()

    def _beside(self, name: str) -> bool:
        """Whether a pane stands beside the graph now."""
        places = ("main", "body", name)
        return self.mode is Mode.GRAPH and not any(self._place(one).has_class("hidden") for one in places)

    # ── the mouse ────────────────────────────────────────────────────────────────────────────

    def on_mouse_down(self, event: MouseDown) -> None:
        """On the line between two panes: it is moved from now on."""
        if len(self.screen_stack) > 1:
            return
        for name in ("side", "bottom"):
            region = self._place(name).region
            on_line = event.screen_x == region.x if name == "side" else event.screen_y == region.y
            if self._beside(name) and on_line and region.contains(int(event.screen_x), int(event.screen_y)):
                self._dragged = name
                self.capture_mouse(self._place(name))
                return

    def on_mouse_move(self, event: MouseMove) -> None:
        """Move the line along."""
        if self._dragged == "side":
            self._wish("side", self.size.width - int(event.screen_x))
        elif self._dragged:
            bottom = self._place("bottom").region
            self._wish("bottom", bottom.bottom - int(event.screen_y))

    def on_mouse_up(self, event: MouseUp) -> None:
        """Leave the line where it is."""
        if self._dragged:
            self._dragged = ""
            self.capture_mouse(None)
