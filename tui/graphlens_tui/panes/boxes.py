"""The graph as boxes: the step or function under the cursor, from top to bottom, modules folded."""

from __future__ import annotations

import threading
from typing import ClassVar

from rich.segment import Segment
from textual.events import Click, Resize
from textual.strip import Strip

from graphlens.canvas import Canvas
from graphlens.chart import Folds
from graphlens.text import clean
from graphlens_tracers.events import CallId, NodeId, Seq
from graphlens_tui.box_paint import BoxPainter
from graphlens_tui.charting import Asked, Calls, Drawn, Snapshot, Zoom, drawn, place_of, snapshot
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.messages import BoxChosen, ChartDrawn, Said
from graphlens_tui.minimap import HEIGHT, WIDTH, Minimap
from graphlens_tui.model import Model
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot

KEPT = 8
"""Charts that are kept."""
MOST_KEPT = 2000
"""Painted lines that are kept."""


class BoxesPane(Pane):
    """A canvas of boxes, one of which is selected, under a line that says what is seen."""

    TITLE: ClassVar[str] = "boxes"
    SLOT: ClassVar[Slot] = "main"
    ORDER: ClassVar[int] = 1
    HELP: ClassVar[str | None] = """\
The step, or the function, under the cursor: a box is an operation or a folded module (▸).
An arrow leads from what makes a value to what reads it. Arrows that would pass many boxes
are said at both ends: ⇣84 is read by operation 84, ⇡12 was made by 12.
Modules are opened as far as the picture stays small; space opens and folds one.
Operations that compute nothing (view, transpose, clone …) are hidden; v shows them.
NaN born: the box made it from finite numbers. Red lines are the way that it took."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.zoom, self.hide, self.map_shown = Zoom.NORMAL, True, True
        self.depth: int | None = None
        self.opened: frozenset[str] = frozenset()
        self.at: Seq | None = None
        self.box: int | None = None
        self.drawn: Drawn | None = None
        self.calls: Calls | None = None
        self.busy: Asked | None = None
        self._stretch = self._position = -1
        self._next: Snapshot | None = None
        self._charts: dict[Asked, Drawn] = {}
        self._left = self._top = 0
        self._painter: BoxPainter | None = None
        self._strips: dict[tuple[int, int, bool], Strip] = {}
        self._minimap: Minimap | None = None
        self._map_lines: tuple[tuple[int, int, int, int], list[Strip]] = (0, 0, 0, 0), []
        self._found: frozenset[NodeId] = frozenset()
        self._middle = True

    # ── what the app says ────────────────────────────────────────────────────────────────────

    def changed(self) -> None:
        """Operations came, or are known better."""
        if self.display and self.at is not None:
            self._look(self.at)

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        super().recolour(palette)
        self._paint_anew()

    def show(self, at: Seq | None, call: CallId | None = None, *, opening: bool = True) -> None:
        """Select the box of an operation; `opening` opens what hides it."""
        if at is None or self.model.shown is None:
            return
        before, self.at = self.at, at
        found = place_of(self.model.shown.timeline, at)
        here = self.drawn is not None and found is not None and found[0] == self._stretch
        if here and found is not None and self.drawn is not None:
            box = self.drawn.chart.of[found[1]] if found[1] < len(self.drawn.chart.of) else None
            if box is not None and box == self.box:
                self._position = found[1]
                return
        if opening and found is not None and at != before:
            timeline = self.model.shown.timeline
            outline = timeline.way(int(found[2].graph)).outline
            self.opened |= {span.key for _, span in outline.around(found[1])}
        self._middle = True
        self._look(at)

    def highlight(self, found: frozenset[NodeId]) -> None:
        """Underline the names of these nodes."""
        self._found = found
        self._paint_anew()

    def _look(self, at: Seq) -> None:
        """Show the chart of the graph that an operation is in, now or when it has been laid out."""
        shown = self.model.shown
        if shown is None:
            return
        found = place_of(shown.timeline, at)
        if found is None:
            self.drawn = self.calls = self.box = None
            self._paint_anew()
            return
        self._stretch, self._position, call = found
        focus = self._births(int(call.graph), self._stretch)
        folds = Folds(shown.timeline.folded, self.opened, self.depth, self.hide, focus)
        taken = snapshot(shown.process, shown.timeline, call, folds, self.zoom, live=self.model.live)
        known = self._charts.get(taken.asked)
        if known is not None:
            self._use(known)
        elif self.busy is None:
            self._start(taken)
        elif self.busy != taken.asked:
            self._next = taken
        self.refresh()

    def _births(self, graph: int, stretch: int) -> tuple[int, ...]:
        """The position of the first operation of this call that is not finite: its modules are opened."""
        shown = self.model.shown
        assert shown is not None
        call = shown.timeline.calls[shown.timeline.call_in(stretch)]
        first = self.model.ill.after(int(call.first) - 1)
        place = None if first is None or first > call.last else shown.timeline.position(first)
        return (place[1],) if place is not None and place[0] == graph else ()

    # ── laying out, on a thread of its own ───────────────────────────────────────────────────

    def _start(self, taken: Snapshot) -> None:
        self.busy = taken.asked

        def work() -> None:
            try:
                self.post_message(ChartDrawn(taken.asked, drawn(taken, self.glyphs)))
            except Exception as error:  # whatever it is, the person has to read it
                self.post_message(ChartDrawn(taken.asked, None))
                self.post_message(Said(clean(f"{type(error).__name__}: {error}", 300), wrong=True))

        threading.Thread(target=work, name="graphlens-boxes", daemon=True).start()

    def on_chart_drawn(self, event: ChartDrawn) -> None:
        """A chart is there; one that was asked for meanwhile is next."""
        event.stop()
        self.busy = None
        if event.drawn is not None:
            self._charts[event.asked] = event.drawn
            while len(self._charts) > KEPT:
                del self._charts[next(iter(self._charts))]
            if self.at is not None:
                taken, self._next = self._next, None
                if taken is not None and taken.asked not in self._charts:
                    self._start(taken)
                else:
                    self._look(self.at)
        self.refresh()

    def _use(self, known: Drawn) -> None:
        """Show a chart, the cursor where it was on the screen when it is still there."""
        shown = self.model.shown
        assert shown is not None
        before = self._cursor_place()
        same = self.drawn is known
        self.drawn = known
        self.calls = Calls(known, shown.timeline, shown.decoded, self.model.ill, self._stretch)
        self.box = known.chart.of[self._position] if self._position < len(known.chart.of) else None
        after = self._cursor_place()
        if before is not None and after is not None and not self._middle and not same:
            self._left += after[0] - before[0]
            self._top += after[1] - before[1]
        self._scroll(middle=self._middle)
        self._middle = False
        self._paint_anew()

    def _cursor_place(self) -> tuple[int, int] | None:
        if self.drawn is None or self.box is None or self.box >= len(self.drawn.canvas.places):
            return None
        place = self.drawn.canvas.places[self.box]
        return place.middle, place.y

    def _paint_anew(self) -> None:
        self._strips.clear()
        self._minimap = self._painter = None
        self._map_lines = (0, 0, 0, 0), []
        if self.drawn is not None and self.calls is not None:
            self._painter = BoxPainter(self.drawn, self.calls, self.glyphs, self.palette)
            self._painter.found = self._found
        self.refresh()

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    @property
    def rows(self) -> int:
        """Lines of the canvas that are visible at once."""
        return max(1, self.size.height - 1)

    def move(self, lines: int) -> None:
        """Along edges: down to what reads the value, up to what made it; many lines by rows of boxes."""
        if self.drawn is None or self.box is None:
            return
        if abs(lines) == 1:
            self._choose(self._along(self.drawn, self.box, down=lines > 0))
            return
        canvas = self.drawn.canvas
        y = canvas.places[self.box].y + lines
        row = sum(1 for top in canvas.tops if top <= y) - 1
        self._choose(self._nearest(canvas, max(0, row), canvas.places[self.box].middle))

    def _along(self, known: Drawn, box: int, *, down: bool) -> int | None:
        """The next box along an edge, the trunk before others; without one that in the next row."""
        canvas, chart = known.canvas, known.chart
        edges = [one for one in canvas.entries if one[0 if down else 1] == box]
        at = canvas.places[box].middle

        def away(edge: tuple[int, int]) -> tuple[bool, int, int]:
            other = edge[1 if down else 0]
            return edge not in chart.trunk, abs(canvas.places[other].middle - at), other

        if edges:
            return min(edges, key=away)[1 if down else 0]
        row = canvas.row_of[box] + (1 if down else -1)
        return self._nearest(canvas, row, at) if 0 <= row < len(canvas.rows) else None

    @staticmethod
    def _nearest(canvas: Canvas, row: int, column: int) -> int | None:
        return min(canvas.rows[row], key=lambda one: abs(canvas.places[one].middle - column), default=None)

    def aside(self, boxes: int) -> None:
        """To the neighbour in the row of boxes."""
        if self.drawn is None or self.box is None:
            return
        row = self.drawn.canvas.rows[self.drawn.canvas.row_of[self.box]]
        at = row.index(self.box) + boxes
        if 0 <= at < len(row):
            self._choose(row[at])

    def move_to(self, *, end: bool) -> None:
        """To the first box, or to the last."""
        if self.drawn is not None and self.drawn.chart.boxes:
            self._choose(len(self.drawn.chart.boxes) - 1 if end else 0)

    def _choose(self, box: int | None) -> None:
        if box is None or self.drawn is None or self.calls is None:
            return
        seq = self.calls.first(box)
        if seq is None:
            self.post_message(Said("it did not run in this call"))
            return
        self._forget(self.box)
        self._forget(box)
        self.box, self._position = box, self.drawn.chart.boxes[box].start
        self.at = Seq(seq)
        self._scroll()
        self.refresh()
        self.post_message(BoxChosen(self.at))

    def _forget(self, box: int | None) -> None:
        """Paint a box and the lines that leave it anew."""
        if self.drawn is None or box is None:
            return
        canvas = self.drawn.canvas
        reached = [canvas.places[target].y for source, target in canvas.entries if source == box]
        first, last = canvas.places[box].y, max([canvas.places[box].y + canvas.places[box].height, *reached])
        for key in [key for key in self._strips if first <= key[0] <= last]:
            del self._strips[key]

    def on_click(self, event: Click) -> None:
        """Select the box that is clicked."""
        if self.drawn is not None and event.y >= 1:
            self._choose(self.drawn.canvas.box_at(event.x + self._left, event.y - 1 + self._top))

    def to_row(self, row: int) -> None:
        """The canvas is not scrolled by Textual."""

    def _scroll(self, *, middle: bool = False) -> None:
        """Bring the selected box into view, and never more than that, but for a jump."""
        if self.drawn is None or self.box is None:
            return
        canvas, place = self.drawn.canvas, self.drawn.canvas.places[self.box]
        width, height = max(1, self.size.width), self.rows
        self._top = _into(self._top, place.y, place.height, height, canvas.height, 3, middle)
        self._left = _into(self._left, place.x, place.width, width, canvas.width, 2, middle)

    # ── how it is shown ──────────────────────────────────────────────────────────────────────

    def toggle(self) -> str | None:
        """Open the folded module or part under the cursor; None when done, else the key to fold."""
        shown = self.model.shown
        if shown is None or self.drawn is None or self.box is None:
            return None
        one = self.drawn.chart.boxes[self.box]
        if one.key:
            self.opened |= {one.key}
            return None
        graph = int(self.drawn.asked.graph)
        span = next((span for _, span in shown.timeline.way(graph).outline.around(one.main)), None)
        if span is None:
            return None
        self.opened -= {span.key}
        self._position = span.start
        return span.key

    def key(self) -> str:
        """What the box under the cursor is opened by; "" for an operation."""
        return "" if self.drawn is None or self.box is None else self.drawn.chart.boxes[self.box].key

    def set_depth(self, depth: int | None) -> None:
        """Open so many levels of modules; None: as many as stay small."""
        self.depth, self.opened = depth, frozenset()
        self.changed()

    def set_zoom(self, by: int) -> None:
        """Say more in each box, or less."""
        self.zoom = Zoom(max(0, min(self.zoom + by, Zoom.WIDE)))
        self.changed()

    def set_hide(self, hide: bool) -> None:
        """Hide operations that compute nothing, or show them."""
        self.hide = hide
        self.changed()

    def set_map(self, shown: bool) -> None:
        """Show the overview, or not."""
        self.map_shown = shown
        self.refresh()

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """One line of the screen: what is seen first, the overview over its lower right corner."""
        width = self.size.width
        if y == 0:
            return self._title(width)
        painter, known = self._painter, self.drawn
        if painter is None or known is None:
            return self._nothing(y, width)
        row = y - 1 + self._top
        key = (row, self._left, self.has_focus)
        strip = self._strips.get(key)
        if strip is None:
            painter.selected, painter.focused = self.box, self.has_focus
            strip = painter.row(row, self._left, width)
            if len(self._strips) >= MOST_KEPT:
                self._strips.clear()
            self._strips[key] = strip
        return self._with_map(strip, y, width)

    def _with_map(self, strip: Strip, y: int, width: int) -> Strip:
        known, calls = self.drawn, self.calls
        if known is None or calls is None or not self.map_shown:
            return strip
        larger = known.canvas.height > self.rows or known.canvas.width > width
        if not larger or width < 2 * WIDTH or self.rows < HEIGHT + 4:
            return strip
        if self._minimap is None:
            self._minimap = Minimap.of(known, calls)
        first = self.size.height - self._minimap.height - 2
        if self._covered(first):
            first = 1
        if not first <= y < first + self._minimap.height + 2:
            return strip
        view = (self._left, self._top, width, self.rows)
        if self._map_lines[0] != view:
            self._map_lines = view, self._minimap.strips(view, self.glyphs, self.palette)
        line = self._map_lines[1][y - first]
        return Strip.join([strip.crop(0, width - WIDTH - 1), line, strip.crop(width - 1, width)])

    def _covered(self, first: int) -> bool:
        """The overview would lie on the selected box when it began at line `first`."""
        if self.drawn is None or self.box is None:
            return False
        place = self.drawn.canvas.places[self.box]
        right = place.x + place.width - self._left >= self.size.width - WIDTH - 1
        return right and place.y + place.height - self._top + 1 > first

    def _title(self, width: int) -> Strip:
        colour = self.palette.accent if self.has_focus else self.palette.mute
        text = elided(self.glyphs.text(f" {self.said()}"), width, self.glyphs.text("…"))
        return Strip([Segment(sized(text, width), style(colour, self.palette.bar))], width)

    def said(self) -> str:
        """What is seen, and what is not."""
        known, shown = self.drawn, self.model.shown
        if known is None or shown is None:
            return "boxes" + (", being laid out…" if self.busy else "")
        chart = known.chart
        call = shown.timeline.calls.get(shown.timeline.call_in(self._stretch))
        parts = ["" if call is None else clean(shown.timeline.name_of(call), 40)]
        parts.append(f"{len(chart.boxes):,} boxes of {len(chart.of):,} ops")
        if chart.folded:
            parts.append(f"{chart.folded:,} folded to keep it small")
        if chart.hidden:
            parts.append(f"{chart.hidden:,} plumbing hidden")
        parts.append(("names", "shapes", "numbers")[known.asked.zoom])
        return " · ".join(parts) + (" · being laid out…" if self.busy else "")

    def _nothing(self, y: int, width: int) -> Strip:
        ground = style(self.palette.mute, self.palette.ground)
        if y != 2:
            return Strip.blank(width, ground)
        text = "being laid out" if self.busy else "no graph was recorded for this operation"
        if self.model.shown is None:
            text = "waiting for the first operation" if self.model.live else "nothing was recorded"
        return Strip([Segment(sized(f"  {text}", width), ground)], width)

    def on_resize(self, event: Resize) -> None:
        """The cursor stays in view."""
        self._scroll()
        self._strips.clear()
        self.refresh()


def _into(first: int, begin: int, length: int, room: int, whole: int, margin: int, middle: bool) -> int:
    """The first of `room` cells so that a box is among them; a canvas that is smaller is in the middle."""
    if whole <= room:
        return -((room - whole) // 2) if margin == 2 else 0
    margin = min(margin, max(0, (room - length) // 2))
    if middle:
        first = begin + length // 2 - room // 2
    first = max(first, begin + length + margin - room)
    first = min(first, begin - margin)
    return max(0, min(first, whole - room))


PANE = BoxesPane
