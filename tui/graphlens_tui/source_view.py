"""The user's file as it was when it ran, and at the right end of each line what that line computed.

`show_site` or `show_line` says which line is meant, `show_parts` whose operations are counted. Only lines
on the screen are looked up: of each the operations by binary search, and the numbers of one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.events import Resize
from textual.geometry import Size
from textual.strip import Strip

from graphlens.categories import short
from graphlens.letters import spec_text
from graphlens.session import NAN, RAISED
from graphlens.source_lines import NOTHING, Part, Places, Ran
from graphlens.text import clean
from graphlens_tracers.events import Phase, Seq, SiteId, SiteSeen
from graphlens_tui import words
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.model import Model, Shown
from graphlens_tui.paint import elided
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane
from graphlens_tui.source import Sources, segments_of, underlined

GUTTER = 9
"""Cells before the code: the cursor, the health of the operation that is meant, the number."""


class Result(NamedTuple):
    """What a line computed: one operation of it, and how many there are.

    Attributes:
        spec, values: Of its output that says most; "" where there is none.
        glyph, colour: Its health.
    """

    seq: Seq
    many: int
    name: str
    spec: str
    values: str
    glyph: str
    colour: str

    def text(self, room: int) -> str:
        """As much of it as there is room for; what is wrong goes last."""
        many = f"{self.many} ops " if self.many > 1 else ""
        for parts in (
            (many, self.name, self.spec, self.values), (self.name, self.spec, self.values),
            (self.name, self.values), (self.values or self.name,),
        ):  # fmt: skip
            text = " ".join(part.strip() for part in parts if part)
            if cell_len(text) <= room:
                return text
        return elided(self.values or self.name, max(0, room))


class SourceView(Pane):
    """Lines of one file, one of which has the cursor, and one of which may be meant.

    Attributes:
        cursor: Counts from 1.
        at: The operation that is meant; None for none.
    """

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.cursor = 1
        self.at: Seq | None = None
        self._site: SiteSeen | None = None
        self._parts: tuple[Part, ...] = ()
        self._of: Shown | None = None
        self._sources: Sources | None = None
        self._places: Places | None = None
        self._ran: tuple[object, Ran] = (None, NOTHING)
        self._results: dict[int, Result | None] = {}

    # ── what is shown ────────────────────────────────────────────────────────────────────────

    def show_line(self, file: str, line: int, columns: tuple[int, int] | None = None) -> None:
        """Mean a line of a file, and of it these columns: UTF-8 bytes, as in `ast`."""
        start, end = columns or (-1, -1)
        self.show_site(SiteSeen(SiteId(-1), None, file, line, start, line, end, ""))

    def show_site(self, site: SiteSeen | None) -> None:
        """Mean an expression; None: none that is known, and the file stays."""
        if site is not None:
            self._site, self.cursor = site, site.line
        self.changed()

    def show_parts(self, parts: Sequence[Part]) -> None:
        """Count what ran in these parts of the run."""
        self._parts = tuple(parts)

    def changed(self) -> None:
        """Look up again what may be known better."""
        self._results.clear()
        self._use()
        lines = self._lines()
        self.virtual_size = Size(self.size.width, len(lines))
        self.cursor = max(1, min(self.cursor, len(lines)))
        self._keep_visible()
        self.border_title = self._title()
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """There is room for other lines."""
        self.changed()

    def _use(self) -> None:
        """Look at the process that is shown."""
        shown = self.model.shown
        if shown is not self._of:
            self._of, self._site, self._ran = shown, None, (None, NOTHING)
            self._sources = self._places = None
            if shown is not None:
                self._sources = Sources(shown.process, self.model.session.run.info.cwd)
                self._places = Places(shown.process)

    def _lines(self) -> Sequence[Text]:
        if self._site is None or self._sources is None:
            return ()
        return self._sources.lines(self._site.file, self.palette) or ()

    def _title(self) -> str:
        if self._site is None or self._sources is None:
            return self.TITLE
        room = max(8, self.size.width - 12)
        name = clean(self._sources.shown(self._site.file))
        return self.glyphs.text(elided(name, room, self.glyphs.text("…"), left=True)).replace("[", r"\[")

    def _nothing(self) -> str:
        """Why there is no line to show."""
        if self._site is None or self._sources is None:
            return "no source line is known of this"
        return f"line {self._site.line}: the text of this file was not kept"

    # ── what the lines ran ───────────────────────────────────────────────────────────────────

    def ran(self) -> Ran:
        """What the lines of the file ran in the parts that are counted."""
        shown, site = self.model.shown, self._site
        if shown is None or site is None or self._places is None:
            return NOTHING
        end = int(shown.timeline.end)
        parts = tuple(part._replace(stop=min(part.stop, end)) for part in self._parts)
        key = (site.file, parts)
        if self._ran[0] != key:
            self._ran = key, self._places.ran(site.file, parts)
        return self._ran[1]

    def next_op(self) -> Seq | None:
        """The first operation of the line under the cursor; the next one where it is that already."""
        seqs = self.ran().of(self.cursor).seq.tolist()
        if not seqs:
            return None
        place = seqs.index(self.at) + 1 if self.at in seqs else 0
        return Seq(seqs[place % len(seqs)])

    def _result(self, line: int) -> Result | None:
        if line not in self._results:
            self._results[line] = self._look_up(line)
        return self._results[line]

    def _look_up(self, line: int) -> Result | None:
        shown = self.model.shown
        ran = self.ran().of(line)
        seq = self.at if self.at is not None and self.at in ran.seq else ran.telling(self.model.ill.seqs)
        numbers = None if shown is None or seq is None else shown.decoded.at(seq)
        if shown is None or seq is None or numbers is None:
            return None
        seen = shown.process.nodes[numbers.node]  # type: ignore[index]  # a plain number
        specs = shown.process.specs(shown.process.call_at(seq), seen.node)
        output = numbers.telling(seen, specs)
        name = self.glyphs.backward * (seen.phase is Phase.BACKWARD) + clean(short(seen.op))
        spec = clean(spec_text(output.spec)) if output is not None else ""
        glyphs, palette = self.glyphs, self.palette
        if numbers.flags & RAISED:
            glyph, colour = glyphs.raised, palette.nan
        elif numbers.flags & NAN:
            glyph, colour = glyphs.nan, palette.nan
        elif numbers.flags:
            glyph, colour = glyphs.inf, palette.inf
        elif output is not None and output.looked_at:
            glyph, colour = glyphs.fine, palette.good
        else:
            glyph, colour = glyphs.none, palette.mute
        values = words.values(output) if output is not None else ""
        return Result(seq, len(ran.seq), name, spec, values, glyph, colour)

    # ── moving ───────────────────────────────────────────────────────────────────────────────

    def move(self, lines: int) -> None:
        """Move the cursor by lines."""
        self.cursor = max(1, min(self.cursor + lines, max(1, len(self._lines()))))
        self._keep_visible()
        self.refresh()

    def move_to(self, *, end: bool) -> None:
        """To the first line, or to the last."""
        self.move(1 << 40 if end else -(1 << 40))

    def _keep_visible(self) -> None:
        first, rows = int(self.scroll_offset.y), self.rows
        row = self.cursor - 1
        if not first <= row < first + rows:
            middle = not first - 1 <= row <= first + rows
            self.to_row(row - rows // 2 if middle else row if row < first else row - rows + 1)

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width, number = self.scrollable_content_region.width, y + int(self.scroll_offset.y) + 1
        palette, lines = self.palette, self._lines()
        if number > len(lines):
            text = f" {self._nothing()}" if y == 0 and not lines else ""
            faint = style(palette.faint, palette.ground)
            return Strip([Segment(self.glyphs.text(text), faint)]).adjust_cell_length(width, faint)
        selected = number == self.cursor
        ground = palette.ground
        if selected:
            ground = palette.cursor if self.has_focus else palette.cursor_away
        result = self._result(number)
        meant = self._meant(number)
        code = self._code(lines[number - 1], number, meant=meant)
        room = max(0, width - GUTTER - 1)
        free = room - cell_len(code.plain) - 4
        tail = "" if result is None else self.glyphs.text(result.text(min(free, 60)) if free > 24 else "")
        if result is not None and not tail:
            tail = self.glyphs.text(result.text(max(4, min(24, room // 3))))
        left = room - (cell_len(tail) + 4 if result is not None else 0)
        plain = style(palette.bright if meant else palette.text, ground, meant)
        segments = [*self._margin(number, result, ground, selected=selected, meant=meant)]
        segments += Strip(segments_of(code, plain)).adjust_cell_length(max(0, left), plain)
        if result is not None:
            ill = result.glyph not in (self.glyphs.fine, self.glyphs.none)
            look = style(result.colour if ill else palette.mute, ground, ill, italic=not ill)
            health = style(result.colour, ground, True)
            segments += [Segment(f"  {tail} ", look), Segment(result.glyph, health)]
        return Strip(segments).adjust_cell_length(width, plain)

    def _meant(self, number: int) -> bool:
        site = self._site
        return site is not None and site.line <= number <= max(site.line, site.end_line)

    def _margin(
        self, number: int, result: Result | None, ground: str, *, selected: bool, meant: bool
    ) -> list[Segment]:
        palette, site = self.palette, self._site
        first = meant and site is not None and number == site.line
        mark = self.glyphs.here if selected else " "
        health = result.glyph if first and result is not None and result.seq == self.at else " "
        colour = palette.warn if meant else palette.faint
        return [
            Segment(mark, style(palette.warn, ground, True)),
            Segment(health, style(result.colour if result is not None else palette.mute, ground, True)),
            Segment(f"{number:>5}  ", style(colour, ground, meant)),
        ]

    def _code(self, text: Text, number: int, *, meant: bool) -> Text:
        if meant and self._site is not None and self._sources is not None:
            source = self._sources.process.source(self._site.file) or ""
            text = underlined(text.copy(), number, self._site, source)
        if self.glyphs.ascii and not text.plain.isascii():
            return Text(self.glyphs.text(text.plain))
        return text

    def on_focus(self) -> None:
        """The cursor is brighter in the pane that has the keys."""
        self.refresh()

    def on_blur(self) -> None:
        """See `on_focus`."""
        self.refresh()
