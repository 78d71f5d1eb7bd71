"""The source around a line, with what each line computed at its right end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from graphlens.categories import PLUMBING, category, short
from graphlens.letters import spec_text
from graphlens.session import OutputSeen, Process
from graphlens.text import clean
from graphlens_tracers.breakpoints import is_file
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.events import Phase
from graphlens_tui import words
from graphlens_tui.boxes import Box
from graphlens_tui.glyphs import DOWN, UP, Glyphs
from graphlens_tui.model import Model, Shown
from graphlens_tui.paint import elided
from graphlens_tui.palette import style
from graphlens_tui.source import Sources, coloured, segments_of

MOST = 1500
"""Operations before the one that is looked at whose lines are said."""
AGAIN = 16
"""Operations before the last one that was read whose numbers may have come since."""
MOST_CUTS = 2000
"""Lines that are kept as they were cut."""
LONGEST = 4 << 20
"""Bytes of a file that was not kept, and is read where it lies."""


class Computed(NamedTuple):
    """What an operation made, as the end of its line says it."""

    seq: int
    text: str
    numbers: str
    ill: str


class Files:
    """The lines of source files: as they were kept, else as they lie there now."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sources: Sources | None = None
        self._read: dict[tuple[str, str], Sequence[Text] | None] = {}

    def lines(self, file: str, box: Box) -> Sequence[Text] | None:
        """The lines of a file; None where there are none."""
        shown = self._model.shown
        if shown is not None:
            if self._sources is None:
                self._sources = Sources(shown.process, self._model.session.run.info.cwd)
            if shown.process.source(file) is not None:
                return self._sources.lines(file, box.palette)
        key = (file, box.palette.syntax)
        if key not in self._read:
            self._read[key] = self._there(file, box)
        return self._read[key]

    def _there(self, file: str, box: Box) -> Sequence[Text] | None:
        path = Path(self._model.session.run.info.cwd, file)
        try:
            if not path.is_file() or path.stat().st_size > LONGEST:
                return None
            return coloured(path.read_text(encoding="utf-8", errors="replace"), box.palette)
        except OSError:
            return None

    def shown(self, file: str) -> str:
        """Its name as a person calls it."""
        folder = self._model.session.run.info.cwd.rstrip("/") + "/"
        return clean(file.removeprefix(folder))


class Cuts:
    """Lines of source as segments; a stop shows mostly those that the one before has shown."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int, Style], tuple[Text, list[Segment]]] = {}

    def of(self, text: Text, room: int, plain: Style, glyphs: Glyphs) -> list[Segment]:
        """A line in at most `room` cells."""
        key = id(text), room, plain
        found = self._made.get(key)
        if found is None:
            if len(self._made) > MOST_CUTS:
                self._made.clear()
            line = Text(glyphs.text(text.plain)) if glyphs.ascii and not text.plain.isascii() else text
            # The text stays with what was made of it: while it lives no other one has its id.
            self._made[key] = found = text, segments_of(_cut(line, room, glyphs.text("…")), plain)
        return found[1]


class Results:
    """What the lines of a file computed last, up to an operation; of the next one only what came is read."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._end = 0
        self._found: dict[tuple[str, int], list[Computed]] = {}

    def of(self, shown: Shown, end: int) -> dict[tuple[str, int], list[Computed]]:
        """By (file, line), of the operations before `end`, in the order in which they ran."""
        first = max(0, end - MOST)
        if shown.process is not self._process or not first <= self._end <= end:
            self._process, self._found, start = shown.process, {}, first
        else:
            start = max(first, self._end - AGAIN)
        self._end = end
        for place in self._found.values():
            place[:] = [one for one in place if first <= one.seq < start]
        self._look(shown, start, end)
        return self._found

    def _look(self, shown: Shown, start: int, end: int) -> None:
        process, found = shown.process, self._found
        rows = process.rows(start, end)
        for seq, number in zip(rows.seq.tolist(), rows.node.tolist(), strict=True):
            node = process.nodes.get(number)
            if node is None or node.phase is Phase.BACKWARD or category(node.op) in PLUMBING:
                continue
            site = process.site_of(node)
            if site is None:
                continue
            place = found.setdefault((site.file, site.line), [])
            if place and any(one.seq < seq - 400 for one in place):
                place.clear()  # of a step before
            numbers = shown.decoded.at(seq)
            specs = process.specs(process.call_at(seq), node.node)
            output = None if numbers is None else numbers.telling(node, specs)
            spec = "" if not specs else clean(spec_text(output.spec if output else specs[0]))
            name = short(clean(node.op))
            place[:] = [one for one in place if one.text.split(" ")[0] != name or one.seq > seq - 60]
            place.append(Computed(seq, f"{name} {spec}", "" if output is None else words.values(output),
                                  ill_word(output)))  # fmt: skip


def ill_word(output: OutputSeen | None) -> str:
    """ "nan", "inf" or ""."""
    if output is None or output.finite is not False:
        return ""
    return "nan" if "NaN" in words.values(output) else "inf"


class SourceView(NamedTuple):
    """What is shown of a file.

    Attributes:
        current: The line that runs; 0 for none. `backward`: it is that of the forward operation.
        cursor: The line that the cursor is on.
        at: The operation that is current: what ran on its line is up to it.
    """

    file: str
    current: int
    cursor: int
    backward: bool = False


def fill_source(
    view: SourceView, lines: Sequence[Text] | None, results: dict[tuple[str, int], list[Computed]],
    cuts: Cuts, breakpoints: Sequence[Breakpoint], box: Box, height: int,
) -> None:  # fmt: skip
    """The lines around the cursor."""
    palette = box.palette
    if lines is None:
        box.line((f"{view.file}:{view.current}", palette.text))
        box.line(("its source is not there", palette.faint))
        return
    first = max(1, min(view.cursor - height // 2, len(lines) - height + 1))
    wide = max(3, len(str(first + height)))
    marks = _marks(view.file, breakpoints, box.glyphs)
    for number in range(first, min(len(lines), first + height - 1) + 1):
        here = number == view.current
        ground = palette.cursor if here else palette.cursor_away if number == view.cursor else palette.ground
        mark = marks.get(number)
        arrow = box.glyphs.backward.strip() if view.backward else box.glyphs.here
        bar = box.glyphs.joints[UP | DOWN] if number == view.cursor else " "
        dot = palette.nan if mark and mark[1] else palette.mute
        gutter = [
            Segment(mark[0] if mark else " ", style(dot, ground)),
            Segment(arrow if here else bar, style(palette.warn, ground, True)),
            Segment(f"{number:>{wide}}  ", style(palette.text if here else palette.faint, ground)),
        ]  # fmt: skip
        room = box.width - wide - 4
        ends = _ends(results.get((view.file, number), ()), max(0, room * 9 // 20), here, box, ground)
        used = sum(cell_len(one.text) for one in ends)
        text = lines[number - 1]
        if cell_len(text.plain) > room - used - 1 and used:
            room_left = max(8, room - used - 1)
        else:
            room_left = room
        segments = cuts.of(
            text, room_left, style(palette.bright if here else palette.text, ground, here), box.glyphs
        )
        gap = room - sum(cell_len(one.text) for one in segments) - used
        box.lines.append([*gutter, *segments, Segment(" " * max(0, gap), style(palette.text, ground)), *ends])


def _cut(text: Text, room: int, dots: str) -> Text:
    if cell_len(text.plain) <= room:
        return text
    return text[: max(0, room - len(dots))] + Text(dots)


def _marks(file: str, breakpoints: Sequence[Breakpoint], glyphs: Glyphs) -> dict[int, tuple[str, bool]]:
    """The lines of a file that have breakpoints: (mark, whether one is enabled)."""
    found: dict[int, tuple[str, bool]] = {}
    for one in breakpoints:
        if one.kind == "line" and is_file(file, one.pattern):
            found[one.line] = (glyphs.fine if one.enabled else glyphs.none, one.enabled)
    return found


def _ends(computed: Sequence[Computed], room: int, here: bool, box: Box, ground: str) -> list[Segment]:
    """The end of a line: the last few operations, the last one with its numbers."""
    if not computed or room < 12:
        return []
    palette, glyphs = box.palette, box.glyphs
    last = computed[-1]
    texts = [one.text for one in computed[-4:]]
    ill = next((one for one in computed[::-1] if one.ill), None)
    told = ill or last
    hue = {"nan": palette.nan, "inf": palette.inf}.get(told.ill, palette.mute if here else palette.faint)
    mark = {"nan": f"{glyphs.nan} ", "inf": f"{glyphs.inf} "}.get(told.ill, "")
    tail = f"{mark}{told.text}" + (f" {told.numbers}" if told.numbers and (told.ill or here) else "")
    before = " · ".join(text for text in texts[:-1]) if told is last else ""
    text = f"{before} · {tail}" if before else tail
    text = glyphs.text(text)
    if cell_len(text) > room:
        text = glyphs.text(tail)
    return [
        Segment("  " + elided(text, room - 2, glyphs.text("…")), style(hue, ground, bool(told.ill), True))
    ]
