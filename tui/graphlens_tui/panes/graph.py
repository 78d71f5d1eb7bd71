"""The graph as lanes: one operation a line in the order in which they ran, a lane for each live value."""

from __future__ import annotations

import itertools
from typing import ClassVar

from rich.segment import Segment
from textual.events import Click, MouseDown, MouseMove, Resize
from textual.geometry import Size
from textual.strip import Strip

from graphlens.scopes import Span
from graphlens_tracers.events import CallId, NodeId, Seq
from graphlens_tui.columns import Columns, fit
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.messages import CursorMoved
from graphlens_tui.model import Model
from graphlens_tui.paint import Painter, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot
from graphlens_tui.timeline import Line, Sort
from graphlens_tui.tracing import Trace

RULER = 2
"""Cells of the overview at the right edge."""
MOST_KEPT = 4000
"""Painted lines that are kept."""


class GraphPane(Pane):
    """Lines, one of which is selected, under a row of column titles and beside an overview."""

    TITLE: ClassVar[str] = "graph"
    SLOT: ClassVar[Slot] = "main"
    HELP: ClassVar[str | None] = """\
A line is an operation, in the order in which they ran. Headlines are steps, and
each function or loop in it. Enter goes into what an operation calls, backspace back.
A lane is a value, from what makes it down to the last operation near by that reads it.
Longer ways are jumps: ⇣84 is read by operation 84, ⇡12 was made by 12.
● all finite   ▲ an infinity   ✖ a NaN   ○ no numbers (integers, views)
▣ a folded module   ‼ it raised an exception   ∇ the backward pass
−0+∞N: which kinds of elements there are, as far as minimum, maximum and counts tell;
a dot where nobody has looked. The right edge is the whole run.
Highlighted with t: an operation was computed from those with ⇡, and those with ⇣ from it.
Below: the operation, or the way of a step, in every call; how large its numbers were."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.cursor = 0
        self.at: Seq | None = None
        self.following = model.live
        self.on_headline = False
        self._headline: CallId | None = None
        self._painter: Painter | None = None
        self._found: frozenset[NodeId] = frozenset()
        self.trace: Trace | None = None
        self._strips: dict[tuple[int, bool, bool, bool, str], Strip] = {}
        self._kept_for: tuple[int, Columns] | None = None
        self._ruler: tuple[object, list[str]] = (None, [])

    # ── what the app says ────────────────────────────────────────────────────────────────────

    def changed(self) -> None:
        """Lines came, or are known better."""
        shown = self.model.shown
        if shown is None or not self.size.width:
            self.refresh()
            return
        columns = fit(max(1, self.size.width - RULER), shown.timeline.end)
        shown.timeline.set_width(columns.lane_count)
        if self._painter is None or self._painter.process is not shown.process:
            self._painter = Painter(
                shown.process, shown.timeline, shown.decoded, self.glyphs, self.palette, columns
            )
        painter = self._painter
        painter.columns, painter.ill, painter.live = columns, self.model.ill, self.model.live
        painter.found, painter.trace = self._found, self.trace
        self._strips.clear()
        self.virtual_size = Size(self.size.width, len(shown.timeline) + 1)
        if self.following:
            self.cursor = max(0, len(shown.timeline) - 1)
        elif self.at is not None:
            self.cursor = self._number_of_cursor()
        self._select(self.cursor)
        self.refresh()

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        if self._painter is not None:
            self._painter.repaint(palette)
        self._ruler = (None, [])
        super().recolour(palette)

    def show(self, at: Seq | None, call: CallId | None = None) -> None:
        """Select that operation, or the headline of that call, unfolding what hides it."""
        shown = self.model.shown
        if shown is None or at is None:
            return
        timeline = shown.timeline
        self.following = False
        place, stretch = timeline.position(at), timeline.stretch_of(at)
        closed, folded = set(timeline.closed), set(timeline.folded)
        if stretch is not None:
            around = shown.process.call_at(at)
            closed -= {one.call for one in timeline.around(around)}
        if place is not None:
            graph, position = place
            folded -= {span.key for _, span in timeline.way(graph).outline.around(position)}
        if (closed, folded) != (timeline.closed, set(timeline.folded)):
            self.refold(frozenset(folded), closed)
        head = None if call is None else timeline.headline_of(call)
        self._select(timeline.number_of(at) if head is None else head, middle=True)

    def return_to(self, at: Seq, call: CallId | None) -> None:
        """Select that operation, or the headline of that call, as it is folded."""
        shown = self.model.shown
        if shown is None:
            return
        self.following = False
        head = None if call is None else shown.timeline.headline_of(call)
        self._select(shown.timeline.number_of(at) if head is None else head, middle=True)

    def leave_process(self) -> None:
        """Forget what is about the process that was shown."""
        self.cursor, self.at, self._headline, self._found = 0, None, None, frozenset()
        self.trace = None
        self._ruler = (None, [])

    def select(self, at: Seq) -> None:
        """Select the line of an operation, or of the fold that hides it, and follow no more."""
        if self.model.shown is not None:
            self.following = False
            self._select(self.model.shown.timeline.number_of(at))

    def highlight(self, found: frozenset[NodeId]) -> None:
        """Underline the names of these nodes."""
        self._found = found
        self.changed()

    def show_trace(self, trace: Trace | None) -> None:
        """Highlight what an operation was computed from and what reads it; None: nothing."""
        self.trace = trace
        self.changed()

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    @property
    def rows(self) -> int:
        """Lines that are visible at once, below the titles."""
        return max(1, self.scrollable_content_region.height - 1)

    def line(self) -> Line | None:
        """The selected line."""
        shown = self.model.shown
        if shown is None or not 0 <= self.cursor < len(shown.timeline):
            return None
        return shown.timeline.line(self.cursor)

    def move(self, lines: int) -> None:
        """Move the cursor; moving up, or away from the end, stops following."""
        shown = self.model.shown
        if shown is None:
            return
        last = len(shown.timeline) - 1
        target = max(0, min(self.cursor + lines, last))
        if lines < 0:
            self.following = False
        self._select(target)

    def move_to(self, *, end: bool) -> None:
        """To the first line, or to the last; at the end of a run that goes on it follows again."""
        shown = self.model.shown
        if shown is None:
            return
        self.following = end and self.model.live
        self._select(len(shown.timeline) - 1 if end else 0)

    def move_step(self, steps: int) -> None:
        """To the headline of the next call, or of this one and then of those before."""
        shown = self.model.shown
        if shown is None or not len(shown.timeline):
            return
        timeline = shown.timeline
        at = timeline.headline(self.cursor, steps)
        if at is not None:
            self.following = False
            self._select(at, top=True)

    def _number_of_cursor(self) -> int:
        """The line of the selected operation, or the headline above it when that was selected."""
        shown = self.model.shown
        assert shown is not None
        assert self.at is not None
        head = None if self._headline is None else shown.timeline.headline_of(self._headline)
        return shown.timeline.number_of(self.at) if head is None else head

    def _select(self, number: int, *, middle: bool = False, top: bool = False) -> None:
        """Make a line the selected one, and visible."""
        shown = self.model.shown
        if shown is None or not len(shown.timeline):
            return
        number = max(0, min(number, len(shown.timeline) - 1))
        before, self.cursor = self.cursor, number
        line = shown.timeline.line(number)
        seq, self.on_headline = Seq(line.seq), line.sort is Sort.CALL
        self._headline = line.call
        first, rows = int(self.scroll_offset.y), self.rows
        if not self.scrollable_content_region.height:
            pass  # hidden: it scrolls when it is shown, if it has to
        elif top:
            first = number
        elif not first <= number < first + rows:
            outside = number - rows // 2 if middle else number if number < first else number - rows + 1
            first = outside
        if first != int(self.scroll_offset.y):
            self.to_row(first)
        for row in {before, number}:
            self._refresh_line(row + 1 - int(self.scroll_offset.y))
        if seq != self.at or before != number:
            self.at = seq
            self.post_message(CursorMoved(seq, line.call))

    def _refresh_line(self, y: int) -> None:
        """Paint one line of the screen again."""
        if 0 <= y < self.size.height:
            self.refresh_line(int(self.scroll_offset.y) + y)

    # ── folding ──────────────────────────────────────────────────────────────────────────────

    def refold(self, folded: frozenset[str], closed: set[CallId]) -> None:
        """Fold these module calls and steps, and keep the cursor on its operation."""
        shown = self.model.shown
        if shown is None:
            return
        row = self.cursor - int(self.scroll_offset.y)
        shown.timeline.fold(folded, closed)
        self.model.version += 1
        self._strips.clear()
        self.virtual_size = Size(self.size.width, len(shown.timeline) + 1)
        if self.at is not None:
            self.cursor = self._number_of_cursor()
        self.to_row(self.cursor - row)
        self._select(self.cursor)
        self.refresh()

    def sifted(self) -> None:
        """Other operations are shown than before: the cursor stays on its own, or goes to the nearest."""
        self.model.version += 1
        self.changed()
        self.to_row(self.cursor - self.rows // 2)

    def toggle(self) -> None:
        """Fold the innermost module call around the cursor, or unfold the folded one it is on."""
        shown, line = self.model.shown, self.line()
        if shown is None or line is None:
            return
        timeline = shown.timeline
        if line.sort is Sort.CALL:
            call = timeline.call_of(line)
            if call is not None:
                self.refold(timeline.folded, timeline.closed ^ {call.call})
            return
        if line.span is not None:
            self.refold(timeline.folded - {line.span.key}, timeline.closed)
            return
        span: Span | None = next(iter(timeline.spans(line)), None)
        if span is not None:
            self.at = timeline.seq_at(line.stretch, span.start) or Seq(line.seq)
            self.refold(timeline.folded | {span.key}, timeline.closed)
            return
        call = timeline.call_of(line)
        if call is not None:
            self.at = Seq(int(call.first))
            self.refold(timeline.folded, timeline.closed | {call.call})

    def fold_to(self, depth: int | None) -> None:
        """Fold modules so that `depth` levels are open; None: fold every step."""
        shown = self.model.shown
        if shown is None:
            return
        timeline = shown.timeline
        if depth is None:
            self.refold(timeline.folded, {call.call for call in timeline.calls.values()})
            return
        keys = [way.outline.deeper_than(depth) for way in timeline.ways.values()]
        self.refold(frozenset().union(*keys), set())

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """One line of the screen: titles first, the overview at its end."""
        width = self.size.width
        if y == 0:
            return self._titles(width)
        number = y - 1 + int(self.scroll_offset.y)
        shown, painter = self.model.shown, self._painter
        if shown is None or painter is None or number >= len(shown.timeline):
            return self._nothing(y, width)
        selected = number == self.cursor
        inside, worst = self._ruler_cell(y - 1)
        key = (number, selected, self.has_focus, inside, worst)
        strip = self._strips.get(key)
        if strip is None:
            strip = painter.paint(number, max(1, width - RULER), selected=selected, focused=self.has_focus)
            if width > RULER:
                strip = Strip([*strip, *self._ruler_segments(inside, worst)], width)
            else:
                strip = strip.crop(0, width)
            if len(self._strips) >= MOST_KEPT:
                self._strips.clear()
            self._strips[key] = strip
        return strip

    def _nothing(self, y: int, width: int) -> Strip:
        ground = style(self.palette.mute, self.palette.ground)
        if y != 2 or self.model.shown is not None:
            return Strip.blank(width, ground)
        text = "waiting for the first operation" if self.model.live else "nothing was recorded"
        return Strip([Segment(sized(f"  {text}", width), ground)], width)

    def _titles(self, width: int) -> Strip:
        if self._painter is None:
            return Strip.blank(width, style(self.palette.mute, self.palette.bar))
        columns = self._painter.columns
        minus = self.glyphs.minus
        signs = f"{minus} 0 + {self.glyphs.text('∞')[0]} N" if not self.glyphs.ascii else "- 0 + i N"
        parts = (
            ("", columns.mark), (f"{'#':>{max(0, columns.seq - 1)}}", columns.seq),
            ("dataflow", columns.lanes), ("op", columns.op), ("module", columns.module),
            ("output", columns.spec), (signs, columns.signs), ("range", columns.range),
            ("far edges", columns.jumps),
        )  # fmt: skip
        text = "".join(sized(title[: max(0, room - 1)], room) for title, room in parts if room)
        colour = self.palette.accent if self.has_focus else self.palette.mute
        return Strip([Segment(sized(text, width), style(colour, self.palette.bar))], width)

    def _ruler_cell(self, y: int) -> tuple[bool, str]:
        """Beside line `y` below the titles: whether that part of the run is on the screen, and its health."""
        shown = self.model.shown
        assert shown is not None
        total, rows = max(1, len(shown.timeline)), self.rows
        first, scale = int(self.scroll_offset.y), max(total, rows) / rows
        inside = first < (y + 1) * scale and first + rows > y * scale and total > rows
        colours = self._ruler_colours(rows)
        return inside, colours[y] if y < len(colours) else ""

    def _ruler_segments(self, inside: bool, worst: str) -> list[Segment]:
        """The two cells of the overview."""
        glyphs, palette = self.glyphs, self.palette
        window = Segment(glyphs.window if inside else " ", style(palette.accent, palette.ground))
        colour = {"nan": palette.nan, "inf": palette.inf}.get(worst, palette.track)
        ill = {"nan": glyphs.nan, "inf": glyphs.inf} if glyphs.ascii else {}
        full = glyphs.full if worst in ("nan", "inf") else glyphs.part if worst else " "
        return [window, Segment(ill.get(worst, full), style(colour, palette.ground))]

    def _ruler_colours(self, rows: int) -> list[str]:
        """The worst health in each part of the run; a part is what one cell of the overview stands for."""
        shown, ill = self.model.shown, self.model.ill
        assert shown is not None
        timeline = shown.timeline
        key = (self.model.version, rows, len(timeline))
        if self._ruler[0] != key:
            cells = min(rows, len(timeline))
            scale = max(len(timeline), rows) / rows
            starts = [timeline.first_seq(int(cell * scale)) for cell in range(cells)] + [timeline.end]
            worst = []
            for start, stop in itertools.pairwise(starts):
                nan, inf = ill.between(start, max(stop, start + 1))
                worst.append("nan" if nan else "inf" if inf else "fine")
            self._ruler = (key, worst)
        return self._ruler[1]

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def on_resize(self, event: Resize) -> None:
        """Columns are chosen for a width, and the cursor stays in sight."""
        self.changed()
        self._select(self.cursor)

    def on_focus(self) -> None:
        """The cursor is brighter in the pane that has the keys."""
        self.refresh()

    def on_blur(self) -> None:
        """See `on_focus`."""
        self.refresh()

    def on_mouse_down(self, event: MouseDown) -> None:
        """In the overview: go there."""
        if event.x >= self.size.width - RULER:
            self._go_to_part(event.y - 1)

    def on_mouse_move(self, event: MouseMove) -> None:
        """In the overview, with the button down: go along."""
        if event.button and event.x >= self.size.width - RULER:
            self._go_to_part(event.y - 1)

    def _go_to_part(self, y: int) -> None:
        shown = self.model.shown
        if shown is None:
            return
        self.following = False
        scale = max(len(shown.timeline), self.rows) / self.rows
        self.to_row(int((y + 0.5) * scale) - self.rows // 2)
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Select a line; the second click folds it."""
        shown = self.model.shown
        if shown is None or event.y == 0 or event.x >= self.size.width - RULER:
            return
        number = event.y - 1 + int(self.scroll_offset.y)
        if number < len(shown.timeline):
            self.following = False
            self._select(number)
            if event.chain > 1:
                self.toggle()


PANE = GraphPane
