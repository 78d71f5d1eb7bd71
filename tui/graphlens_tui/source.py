"""The user's source as it was when it ran: coloured, and with the expression that is meant underlined."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text

from graphlens.session import Process
from graphlens.text import clean_line, lines_of
from graphlens_tracers.events import SiteSeen
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.palette import Palette, style

LONGEST = 20_000
"""Lines of a file that are coloured; one that is longer stays plain."""
TABS = 4


class Paper(Protocol):
    """What source is put on."""

    width: int
    glyphs: Glyphs
    palette: Palette
    lines: list[list[Segment]]

    def line(self, *parts: tuple[str, str] | tuple[str, str, str]) -> None:
        """Add a line."""
        ...


@dataclass
class Sources:
    """The kept files of one process, coloured once."""

    process: Process
    cwd: str
    _files: dict[tuple[str, str], Sequence[Text] | None] = field(default_factory=dict)

    def shown(self, file: str) -> str:
        """A path relative to where the script was started, when it is below."""
        folder = self.cwd.rstrip("/") + "/"
        return file.removeprefix(folder) if self.cwd else file

    def lines(self, file: str, palette: Palette) -> Sequence[Text] | None:
        """The lines of a file; None when it was not kept."""
        key = (file, palette.syntax)
        if key not in self._files:
            text = self.process.source(file)
            self._files[key] = None if text is None else coloured(text, palette)
        return self._files[key]

    def put(self, site: SiteSeen, paper: Paper, around: int) -> None:
        """Put the lines around a place on the page."""
        palette = paper.palette
        lines = self.lines(site.file, palette)
        if lines is None:
            paper.line(("the source was not kept", palette.faint))
            return
        if not 1 <= site.line <= len(lines):
            paper.line((f"the kept source has no line {site.line}", palette.faint))
            return
        last = max(site.line, min(site.end_line, site.line + around))
        first, end = max(1, site.line - around), min(len(lines), last + around)
        shown = [line.plain for line in lines[first - 1 : end] if line.plain.strip()]
        while end > last and not lines[end - 1].plain.strip():
            end -= 1
        indent = min((len(line) - len(line.lstrip()) for line in shown), default=0)
        for number in range(first, end + 1):
            meant = site.line <= number <= last
            text = lines[number - 1]
            if meant:
                text = underlined(text.copy(), number, site, self.process.source(site.file) or "")
            mark = paper.glyphs.here if number == site.line else " "
            self._put_line(f"{mark} {number:>4}  ", text[indent:], meant, paper)

    def _put_line(self, gutter: str, text: Text, meant: bool, paper: Paper) -> None:
        """One line; the one that is meant goes on below where it does not fit, the others are cut."""
        palette, room = paper.palette, max(8, paper.width - len(gutter))
        plain = style(palette.bright if meant else palette.mute, palette.ground, meant)
        if paper.glyphs.ascii and not text.plain.isascii():
            text = Text(paper.glyphs.text(text.plain))
        pieces = [text[:room]]
        if meant:
            pieces += [text[at : at + room] for at in range(room, min(len(text.plain), 8 * room), room)]
        for piece in pieces:
            colour = palette.warn if meant else palette.faint
            paper.lines.append([Segment(gutter, style(colour, palette.ground)), *segments_of(piece, plain)])
            gutter = " " * len(gutter)


def coloured(text: str, palette: Palette) -> Sequence[Text]:
    """The lines of a file, cleaned, with Python's words in colours."""
    plain = [clean_line(line) for line in lines_of(text)]
    if len(plain) > LONGEST:
        return [Text(line) for line in plain]
    syntax = Syntax("", "python", theme=palette.syntax)
    marked = syntax.highlight("\n".join(plain))
    lines = marked.split("\n", allow_blank=True)
    whole = list(lines)[: len(plain)]
    return whole if len(whole) == len(plain) else [Text(line) for line in plain]


def underlined(text: Text, number: int, site: SiteSeen, source: str) -> Text:
    """A line with the part of it underlined that a site means; columns are UTF-8 bytes in the file."""
    raw = lines_of(source)[number - 1]
    start = site.column if number == site.line else 0
    stop = site.end if number == site.end_line else -1
    if number == site.line and site.column < 0:
        return text
    first = _cell(raw, start) if start > 0 else len(text.plain) - len(text.plain.lstrip())
    last = _cell(raw, stop) if stop >= 0 else len(text.plain.rstrip())
    if first < last:
        text.stylize(Style(underline=True, bold=True), first, last)
    return text


def _cell(raw: str, column: int) -> int:
    """Where the character at a byte of a line is, once the line is cleaned."""
    before = raw.encode("utf-8", "replace")[:column].decode("utf-8", "ignore")
    return len(clean_line(before))


def segments_of(text: Text, plain: Style) -> list[Segment]:
    """A text as segments over a plain style: it keeps the ground of `plain`."""
    spans = sorted({0, len(text.plain), *(s.start for s in text.spans), *(s.end for s in text.spans)})
    found = []
    for start, stop in itertools.pairwise(spans):
        look = plain
        for span in text.spans:
            if span.start <= start and stop <= span.end and isinstance(span.style, Style):
                look = look + Style(
                    color=span.style.color, bold=span.style.bold, italic=span.style.italic,
                    underline=span.style.underline,
                )  # fmt: skip
        found.append(Segment(text.plain[start:stop], look))
    return found
