"""What the script printed, and what is typed to it."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Key, Paste, Resize
from textual.geometry import Size
from textual.strip import Strip

from graphlens.live import Live
from graphlens_tracers.errors import BadRunFile, NotLive
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.messages import PaneLeft, Said
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot
from graphlens_tui.screen import Printed

FIRST = 4 << 20
"""Bytes of old output that are read when it is first looked at: more lines than are kept."""
AT_ONCE = 1 << 18
"""Bytes that are taken in between two frames: a flood never makes keys wait."""

_SENT = {
    "enter": "\r", "tab": "\t", "backspace": "\x7f", "delete": "\x1b[3~", "insert": "\x1b[2~",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "shift+tab": "\x1b[Z", "ctrl+@": "\x00", "ctrl+space": "\x00",
    "ctrl+backslash": "\x1c", "ctrl+right_square_bracket": "\x1d", "space": " ",
}  # fmt: skip


def sent(key: str, character: str | None) -> bytes:
    """What a terminal sends for a key; b"" for one that has no code."""
    if key in _SENT:
        return _SENT[key].encode()
    if key.startswith("ctrl+") and len(key) == 6 and key[5].isalpha():
        return bytes([ord(key[5].lower()) & 0x1F])
    return character.encode("utf-8", "replace") if character else b""


class OutputPane(Pane):
    """The last lines, while nobody scrolled up; every key goes to the script while it has a terminal."""

    TITLE: ClassVar[str] = "output"
    SLOT: ClassVar[Slot] = "bottom"
    HELP: ClassVar[str | None] = """\
While the script runs, what you type here goes to it: answers to input(), ctrl+c, everything.
escape or ctrl+o gives the keys back. The wheel scrolls at any time."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.printed = Printed()
        self.used = False
        self._taken = 0
        self._last = b""
        self._skipped = 0
        self._told: tuple[int, int] | None = None

    # ── what the app says ────────────────────────────────────────────────────────────────────

    def keys_wanted(self) -> bool:
        """Keys go to the script while there is somebody to send them to."""
        return self.has_focus and self._host() is not None

    def changed(self) -> None:
        """Take in what was printed since the last time."""
        try:
            data = self.model.session.output()
        except BadRunFile as error:
            self.post_message(Said(str(error), wrong=True))
            return
        self.used = self.used or bool(data) or (self.model.live and self.model.session.run.info.pty)
        fits = data[self._taken - len(self._last) : self._taken] == self._last
        if len(data) < self._taken or not fits:  # its middle was left out: begin again
            self.printed, self._taken, self._skipped = Printed(self.rows), 0, 0
        if not self._taken and len(data) > FIRST:
            self._taken = self._skipped = len(data) - FIRST
        if len(data) == self._taken:
            return
        stop = min(len(data), self._taken + AT_ONCE)
        at_end = self._at_end()
        self.printed.feed(data[self._taken : stop])
        self._taken, self._last = stop, data[max(0, stop - 64) : stop]
        self.virtual_size = Size(self.size.width, len(self.printed) + self._notes())
        if at_end:
            self.move_to(end=True)
        self.refresh()
        if stop < len(data):
            self.set_timer(0.02, self.changed)

    def _at_end(self) -> bool:
        return int(self.scroll_offset.y) + self.rows >= int(self.virtual_size.height)

    def _notes(self) -> int:
        return 1 if self._skipped or self.printed.dropped else 0

    # ── typing ───────────────────────────────────────────────────────────────────────────────

    def _host(self) -> Live | None:
        session = self.model.session
        if isinstance(session, Live) and self.model.live and session.run.info.control is not None:
            return session
        return None

    def on_key(self, event: Key) -> None:
        """Send it to the script."""
        if not self.keys_wanted():
            return
        event.stop()
        event.prevent_default()
        if event.key in ("escape", "ctrl+o"):
            self.post_message(PaneLeft())
            return
        self._type(sent(event.key, event.character))

    def on_paste(self, event: Paste) -> None:
        """Send it to the script."""
        if self.keys_wanted():
            event.stop()
            self._type(event.text.replace("\n", "\r").encode("utf-8", "replace"))

    def _type(self, data: bytes) -> None:
        host = self._host()
        if host is None or not data:
            return
        try:
            host.type(data)
        except NotLive as error:
            self.post_message(Said(str(error), wrong=True))
        self.move_to(end=True)

    def on_resize(self, event: Resize) -> None:
        """The script's terminal has the size of this pane."""
        region, host = self.scrollable_content_region, self._host()
        size = (region.height, region.width)
        if region.height > 0:
            self.printed.height = region.height
            self.virtual_size = Size(region.width, len(self.printed) + self._notes())
        if host is None or size == self._told or region.height < 2 or region.width < 20:
            return
        self._told = size
        try:
            host.resize(*size)
        except NotLive as error:
            self.post_message(Said(str(error), wrong=True))

    def on_focus(self) -> None:
        """The cursor is shown while keys go to the script."""
        self.refresh()

    def on_blur(self) -> None:
        """See `on_focus`."""
        self.refresh()

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.scrollable_content_region.width
        ground = style(self.palette.text, self.palette.ground)
        row = y + int(self.scroll_offset.y) - self._notes()
        if row < 0:
            return self._note(width)
        if row >= len(self.printed):
            return Strip.blank(width, ground)
        segments = [
            Segment(self.glyphs.text(text), ground + look) for text, look in self.printed.rows[row].pieces()
        ]
        strip = Strip(segments).adjust_cell_length(width, ground)
        at, cell = self.printed.cursor
        if row == at and self.keys_wanted() and cell < width:
            under = strip.crop(cell, cell + 1).apply_style(Style(reverse=True))
            strip = Strip([*strip.crop(0, cell), *under, *strip.crop(cell + 1, width)], width)
        return strip

    def _note(self, width: int) -> Strip:
        parts = []
        if self._skipped:
            parts.append(f"{self._skipped:,} bytes before this are in output.log")
        if self.printed.dropped:
            parts.append(f"{self.printed.dropped:,} older lines are not kept here")
        text = f"[{'; '.join(parts)}]"
        ground = style(self.palette.faint, self.palette.ground)
        return Strip([Segment(text, ground)]).adjust_cell_length(width, ground)


PANE = OutputPane
