"""What a script printed, as its terminal would show it: progress bars, colours, a cursor that goes back.

No terminal emulator: lines that scrolled away are kept, and what moves the cursor works on the last
screenful. Sequences that we do not know are passed over and never reach the real terminal.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

MOST_LINES = 20_000
"""Lines that are kept; older ones are in `output.log`."""
WIDEST = 2_000
"""Cells of a line; what a script prints beyond is wrapped by its own terminal, so it never is."""
_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_SEQUENCE = re.compile(
    r"\x1b(?:\[([0-9;:?<=>!]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
_BEGUN = re.compile(r"\x1b(?:\[[0-9;:?<=>!]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)\Z")
LONGEST_SEQUENCE = 4096
"""Characters; one that is longer and has no end is not waited for."""
NOTHING = Style.null()
PLACEHOLDER = "\x00"
"""Second cell of a character that is two cells wide."""


@dataclass
class Row:
    """One line.

    Attributes:
        text: A character a cell.
        styles: (start, stop, style) for every cell that is not plain; in order, not overlapping.
    """

    text: str = ""
    styles: list[tuple[int, int, Style]] = field(default_factory=list)

    def write(self, at: int, text: str, style: Style) -> None:
        """Put characters over what is there from a cell on."""
        if len(self.text) < at:
            self.text = self.text.ljust(at)
        stop = at + len(text)
        if self.styles:
            self.styles = _without(self.styles, at, stop)
        before, after = self.text[:at], self.text[stop:]
        if self.text[at : at + 1] == PLACEHOLDER:  # half of a wide character is none
            before = before[:-1] + " "
        if after.startswith(PLACEHOLDER):
            after = " " + after[1:]
        self.text = before + text + after
        if style is not NOTHING:
            self.styles.append((at, stop, style))
            self.styles.sort(key=lambda one: one[0])

    def erase(self, start: int, stop: int) -> None:
        """Empty some cells; at the end of the line they are gone."""
        self.styles = _without(self.styles, start, stop)
        if stop >= len(self.text):
            self.text = self.text[:start]
        else:
            self.text = self.text[:start].ljust(start) + " " * (stop - start) + self.text[stop:]

    def pieces(self) -> list[tuple[str, Style]]:
        """The line in pieces of one style."""
        found, at = [], 0
        for start, stop, style in self.styles:
            if start > at:
                found.append((self.text[at:start], NOTHING))
            found.append((self.text[start:stop], style))
            at = stop
        found.append((self.text[at:], NOTHING))
        return [(text.replace(PLACEHOLDER, ""), style) for text, style in found if text]


def _without(styles: list[tuple[int, int, Style]], start: int, stop: int) -> list[tuple[int, int, Style]]:
    kept = []
    for first, last, style in styles:
        if first < min(last, start):
            kept.append((first, min(last, start), style))
        if max(first, stop) < last:
            kept.append((max(first, stop), last, style))
    return kept


class Printed:
    """Lines of output, fed as bytes in pieces of any size.

    Attributes:
        rows: The lines, the oldest first.
        dropped: How many older ones are not kept.
        height: Rows of the script's terminal: what the cursor can go back to.
    """

    def __init__(self, height: int = 24) -> None:
        self.rows: deque[Row] = deque([Row()])
        self.dropped = 0
        self.height = height
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._x = 0
        self._y = 0  # counted up from the last line
        self._saved = (0, 0)
        self._style = NOTHING

    def __len__(self) -> int:
        return len(self.rows)

    def feed(self, data: bytes) -> None:
        """Print some more."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        at, stop = 0, len(text)
        while at < stop:
            plain = _PLAIN.match(text, at)
            if plain is not None:
                self._print(plain[0])
                at = plain.end()
            elif text[at] == "\x1b":
                found = _SEQUENCE.match(text, at)
                if found is not None:
                    if found[2] is not None:
                        self._control(found[1], found[2])
                    elif found[0] in ("\x1b7", "\x1b8"):
                        self._save_or_restore(found[0] == "\x1b8")
                    at = found.end()
                elif stop - at < LONGEST_SEQUENCE and _BEGUN.match(text, at):
                    self._rest = text[at:]
                    return
                else:
                    at += 1
            else:
                self._character(text[at])
                at += 1

    @property
    def cursor(self) -> tuple[int, int]:
        """(row, cell) of the cursor."""
        return len(self.rows) - 1 - self._y, self._x

    # ── printing ─────────────────────────────────────────────────────────────────────────────

    def _row(self) -> Row:
        return self.rows[-1 - self._y]

    def _print(self, text: str) -> None:
        if not text.isascii():
            text = _a_character_a_cell(text)
        room = WIDEST - self._x
        self._row().write(self._x, text[:room], self._style)
        self._x = min(self._x + len(text), WIDEST)

    def _character(self, character: str) -> None:
        if character in "\n\x0b\x0c":
            self._line_feed()
        elif character == "\r":
            self._x = 0
        elif character == "\b":
            self._x = max(0, self._x - 1)
        elif character == "\t":
            self._x = min(WIDEST, (self._x // 8 + 1) * 8)

    def _line_feed(self) -> None:
        # The terminal turns the script's "\n" into "\r\n"; one that comes alone keeps its column.
        if self._y:
            self._y -= 1
            return
        self.rows.append(Row())
        if len(self.rows) > MOST_LINES:
            self.rows.popleft()
            self.dropped += 1

    # ── control sequences ────────────────────────────────────────────────────────────────────

    def _control(self, parameters: str, final: str) -> None:
        if final == "m":
            if not parameters.startswith((">", "?", "<", "=")):
                self._style = _styled(self._style, parameters)
            return
        if parameters[:1] in ("?", ">", "<", "=", "!"):
            if final in "hl" and parameters in ("?1049", "?47", "?1047"):
                self._clear_screen()  # a program that draws the whole screen begins or ends
            return
        numbers = [int(one) if one.isdecimal() and len(one) < 7 else 0 for one in parameters.split(";")]
        first = numbers[0]
        known: dict[str, Callable[[], None]] = {
            "A": lambda: self._up(max(1, first)),
            "B": lambda: self._up(-max(1, first)),
            "C": lambda: self._to_cell(self._x + max(1, first)),
            "D": lambda: self._to_cell(self._x - max(1, first)),
            "E": lambda: self._to_line(-max(1, first)),
            "F": lambda: self._to_line(max(1, first)),
            "G": lambda: self._to_cell(max(1, first) - 1),
            "H": lambda: self._to_place(numbers),
            "f": lambda: self._to_place(numbers),
            "J": lambda: self._erase_screen(first),
            "K": lambda: self._erase_line(first),
            "P": lambda: self._delete(max(1, first)),
            "X": lambda: self._row().erase(self._x, self._x + max(1, first)),
            "s": lambda: self._save_or_restore(False),
            "u": lambda: self._save_or_restore(True),
        }
        if final in known:
            known[final]()

    def _up(self, rows: int) -> None:
        self._y = max(0, min(self._y + rows, self.height - 1, len(self.rows) - 1))

    def _to_line(self, up: int) -> None:
        self._up(up)
        self._to_cell(0)

    def _to_cell(self, cell: int) -> None:
        self._x = max(0, min(cell, WIDEST))

    def _to_place(self, numbers: list[int]) -> None:
        line = max(1, numbers[0])
        cell = max(1, numbers[1]) if len(numbers) > 1 else 1
        while len(self.rows) < min(line, self.height):
            self.rows.append(Row())
            self._y += 1
        top = max(0, len(self.rows) - self.height)
        self._y = len(self.rows) - 1 - min(top + line - 1, len(self.rows) - 1)
        self._to_cell(cell - 1)

    def _erase_screen(self, what: int) -> None:
        if what == 0:
            self._erase_line(0)
            for k in range(self._y):
                self.rows[-1 - k].erase(0, WIDEST)
        elif what in (2, 3):
            self._clear_screen()

    def _clear_screen(self) -> None:
        """An empty screenful: what was there scrolls away instead of being lost."""
        if any(row.text for row in self.rows):
            for _ in range(self.height):
                self._y = 0
                self._line_feed()
        self._y = min(self.height, len(self.rows)) - 1
        self._x = 0

    def _erase_line(self, what: int) -> None:
        row = self._row()
        if what == 0:
            row.erase(self._x, WIDEST)
        elif what == 1:
            row.erase(0, self._x + 1)
        else:
            row.erase(0, WIDEST)

    def _delete(self, cells: int) -> None:
        row = self._row()
        tail = row.text[self._x + cells :]
        row.erase(self._x, WIDEST)
        row.write(self._x, tail, NOTHING)

    def _save_or_restore(self, restore: bool) -> None:
        if restore:
            self._x, self._y = self._saved[0], min(self._saved[1], len(self.rows) - 1)
        else:
            self._saved = self._x, self._y


def _a_character_a_cell(text: str) -> str:
    """Wide characters with a placeholder behind them; marks that take no cell are left out."""
    if cell_len(text) == len(text) and all(cell_len(one) == 1 for one in set(text)):
        return text
    return "".join(one + PLACEHOLDER if width == 2 else one for one in text if (width := cell_len(one)))


_FLAGS = {
    1: Style(bold=True), 2: Style(dim=True), 3: Style(italic=True), 4: Style(underline=True),
    7: Style(reverse=True), 9: Style(strike=True), 22: Style(bold=False, dim=False), 23: Style(italic=False),
    24: Style(underline=False), 27: Style(reverse=False), 29: Style(strike=False),
    39: Style(color="default"), 49: Style(bgcolor="default"),
}  # fmt: skip


def _styled(style: Style, parameters: str) -> Style:
    """The style after a sequence of SGR codes; codes that make no sense change nothing."""
    codes = [int(one) if one.isdecimal() and len(one) < 4 else 0 for one in re.split("[;:]", parameters)]
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code == 0:
            style = NOTHING
        elif code in _FLAGS:
            style = style + _FLAGS[code]
        elif code in (38, 48):
            colour, at = _colour(codes, at)
            if colour is not None:
                style = style + (Style(color=colour) if code == 38 else Style(bgcolor=colour))
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = style + Style(color=Color.from_ansi(code - 30 if code < 90 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = style + Style(bgcolor=Color.from_ansi(code - 40 if code < 100 else code - 92))
    return style


def _colour(codes: list[int], at: int) -> tuple[Color | None, int]:
    """The colour that 38 or 48 is followed by, and where the codes go on."""
    if at < len(codes) and codes[at] == 5 and at + 1 < len(codes):
        return Color.from_ansi(min(codes[at + 1], 255)), at + 2
    if at < len(codes) and codes[at] == 2 and at + 3 < len(codes):
        red, green, blue = (min(one, 255) for one in codes[at + 1 : at + 4])
        return Color.from_rgb(red, green, blue), at + 4
    return None, len(codes)
