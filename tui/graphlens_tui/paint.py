"""One line of a graph as a strip of coloured cells, computed when it is on the screen and not before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from graphlens.categories import CALLS, category, short
from graphlens.lanes import NOBODY, Lanes
from graphlens.letters import spec_text
from graphlens.scopes import Ints, Span
from graphlens.session import NAN, RAISED, OutputSeen, Process
from graphlens.text import clean
from graphlens_tracers.events import NodeId, NodeSeen, Phase, Spec
from graphlens_tui import words
from graphlens_tui.columns import Columns
from graphlens_tui.decoded import Decoded, Ill, Numbers
from graphlens_tui.glyphs import DOWN, LEFT, RIGHT, UP, Glyphs
from graphlens_tui.palette import Palette, style
from graphlens_tui.timeline import LOOSE, Line, Sort, Timeline
from graphlens_tui.tracing import Kin, Trace

DEPTH = 5
"""Brackets that stand side by side; those further in share the last place."""


def sized(text: str, width: int) -> str:
    """`text` in exactly `width` cells."""
    if text.isascii():
        return text[:width].ljust(width)
    return set_cell_size(text, width)


def elided(text: str, width: int, dots: str = "…", *, left: bool = False) -> str:
    """`text` in at most `width` cells, with dots at the end that is cut off."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - len(dots))
    if left:
        while cell_len(text) > room:
            text = text[1:]
        return (dots + text)[:width] if width < len(dots) else dots + text
    return set_cell_size(text, room) + dots[:width]


@dataclass(slots=True)
class Named:
    """What is the same each time a node runs in calls of the same shapes."""

    seen: NodeSeen
    name: str
    colour: str
    specs: tuple[Spec, ...]


Put = Callable[[str, str], None]


@dataclass
class Painter:
    """Paints lines of a timeline.

    Attributes:
        ill: Which operations are not finite; an empty one while that is being worked out.
        found: Nodes that a search looks for: their names are underlined.
        live: Whether the last call may go on.
        trace: What is highlighted; the rest of its call is faint.
    """

    process: Process
    timeline: Timeline
    decoded: Decoded
    glyphs: Glyphs
    palette: Palette
    columns: Columns
    ill: Ill = field(default_factory=Ill)
    found: frozenset[NodeId] = frozenset()
    live: bool = False
    trace: Trace | None = None
    _named: dict[tuple[int, int, int], Named] = field(default_factory=dict)

    def repaint(self, palette: Palette) -> None:
        """Use other colours."""
        self.palette = palette
        self._named.clear()

    def paint(self, number: int, width: int, *, selected: bool = False, focused: bool = True) -> Strip:
        """One line in `width` cells."""
        line = self.timeline.line(number)
        ground = self.palette.ground
        if selected:
            ground = self.palette.cursor if focused else self.palette.cursor_away
        brush = _Brush(ground)
        kin, sign = self._kin(line), ""
        if kin is not None:
            sign = {Kin.SOURCE: self.glyphs.to_producer, Kin.READER: self.glyphs.to_consumer}.get(kin, "")
            brush.faint = "" if kin is not Kin.NONE else self.palette.faint
        mark = (self.glyphs.cursor if selected else " ") + sign
        brush.put(sized(mark, self.columns.mark), self.palette.warn, bold=True)
        if line.sort is Sort.CALL:
            self._headline(line, brush, width)
        else:
            self._operation(line, brush)
        return brush.strip(width)

    def _kin(self, line: Line) -> Kin | None:
        """What a line is to the operation that is traced; None where that says nothing of it."""
        trace, call = self.trace, self.timeline.call_of(line)
        if trace is None or line.position < 0 or call is None or call.call != trace.call:
            return None
        return trace.kin(line.position, line.position + line.stop - line.seq)

    # ── headlines ────────────────────────────────────────────────────────────────────────────

    def _headline(self, line: Line, brush: _Brush, width: int) -> None:
        palette, glyphs = self.palette, self.glyphs
        call = self.timeline.call_of(line)
        assert call is not None, "a headline is that of a call"
        title = clean(self.timeline.name_of(call), 60)
        indent = "  " * min(line.depth, DEPTH)
        brush.put(f"{indent}{glyphs.folded if line.folded else glyphs.open} ", palette.faint)
        brush.put(glyphs.text(title), palette.text if line.depth else palette.accent, bold=True)
        tail = f" {ops_text(line)}"
        if call.error is not None:
            tail += f" · raised {clean(call.error, 40)}"
        elif not call.ended and self.live:
            tail += " · goes on"
        nan, inf = self.ill.between(call.first, call.last + 1)
        shown = [(f" {glyphs.inf} {inf:,}", palette.inf)] if inf else []
        shown += [(f" {glyphs.nan} {nan:,}", palette.nan)] if nan else []
        used = brush.width + cell_len(tail) + sum(cell_len(text) for text, _ in shown) + 2
        brush.put(f" {glyphs.rule * max(0, width - used)}", palette.faint)
        brush.put(glyphs.text(tail), palette.mute)
        for text, colour in shown:
            brush.put(text, colour, bold=True)

    # ── operations ───────────────────────────────────────────────────────────────────────────

    def _operation(self, line: Line, brush: _Brush) -> None:
        palette, columns = self.palette, self.columns
        named = self.named(line, line.stop - 1 if line.sort is Sort.SPAN else line.seq)
        numbers = self.decoded.at(line.stop - 1)
        output = numbers.telling(named.seen, named.specs) if named and numbers else None
        glyph, colour = self._glyph(line, numbers, output, named)
        if columns.seq:
            brush.put(
                f"{line.seq:>{columns.seq - 1}} ", palette.text if brush.selected(palette) else palette.mute
            )
        if columns.lanes:
            self._lanes(line, brush, glyph, colour)
        self._name(line, brush, named, glyph, colour)
        if columns.module:
            self._module(line, brush, columns.module)
        if columns.spec:
            text = spec_text(output.spec if output else named.specs[0]) if named and named.specs else ""
            more = f" +{len(named.specs) - 1}" if named and len(named.specs) > 1 else ""
            dots, room = self.glyphs.text("…"), columns.spec - 1
            shown = elided(clean(text), room - len(more), dots) + more
            brush.put(sized(shown, room) + " ", palette.mute)
        if columns.signs:
            self._signs(output, brush)
        if columns.range:
            self._range(numbers, output, brush, columns.range)
        if columns.jumps:
            self._jumps(line, brush, columns.jumps)

    def named(self, line: Line, seq: int) -> Named | None:
        """What is fixed about the operation `seq` of a line."""
        timeline = self.timeline
        call, graph = timeline.call_of(line), timeline.graph_of(line)
        if graph != LOOSE and line.position >= 0:
            node: NodeId | None = timeline.way(graph).order[line.position + seq - line.seq]
        else:
            node = timeline.node(line)
        if node is None or node not in self.process.nodes:
            return None
        key = (graph, -1 if call is None else call.shapes, int(node))
        found = self._named.get(key)
        if found is None:
            seen = self.process.nodes[node]
            name = clean(short(seen.op))
            if seen.calls is not None and name in CALLS:
                name = clean(f"call {timeline.graph_name(seen.calls)}")
            if seen.phase is Phase.BACKWARD:
                name = self.glyphs.backward + name.removesuffix("_backward")
            colour = self.palette.kind(category(seen.op))
            found = Named(seen, self.glyphs.text(name), colour, self.process.specs(call, node))
            self._named[key] = found
        return found

    def _glyph(
        self, line: Line, numbers: Numbers | None, output: OutputSeen | None, named: Named | None
    ) -> tuple[str, str]:
        glyphs, palette = self.glyphs, self.palette
        colour = named.colour if named else palette.mute
        if line.sort is Sort.SPAN:
            nan, inf = self.ill.between(line.seq, line.stop)
            if nan or inf:
                return (glyphs.nan, palette.nan) if nan else (glyphs.inf, palette.inf)
            return glyphs.module, palette.bright
        if numbers is None:
            return glyphs.none, palette.mute
        if numbers.flags & RAISED:
            return glyphs.raised, palette.nan
        if numbers.flags & NAN:
            return glyphs.nan, palette.nan
        if numbers.flags:
            return glyphs.inf, palette.inf
        return (glyphs.fine if output is not None and output.looked_at else glyphs.none), colour

    def _name(self, line: Line, brush: _Brush, named: Named | None, glyph: str, colour: str) -> None:
        width = self.columns.op - 1
        dots = self.glyphs.text("…")
        if not self.columns.lanes:  # the health has no other place
            brush.put(glyph + " ", colour, bold=True)
            width = max(0, width - 2)
        if line.span is not None:
            name = self.glyphs.text(clean(line.span.name or line.span.path))
            if line.span.phase is Phase.BACKWARD:
                name = self.glyphs.backward + name
            tag = f" {ops_text(line)}" if not self.columns.module else ""
            text = elided(name, max(1, width - len(tag) - 2), dots, left=True)
            brush.put(f"{self.glyphs.folded} ", self.palette.warn)
            brush.put(sized(text + tag, max(0, width - 2)) + " ", self.palette.bright, bold=True)
        elif named is None:
            brush.put(sized("?", width) + " ", self.palette.mute)
        else:
            backward = named.seen.phase is Phase.BACKWARD
            looked_for = named.seen.node in self.found
            text = elided(named.name, width, dots)
            ill = numbers_are_ill(glyph, self.glyphs)
            bold = ill or brush.selected(self.palette)
            hue = colour if ill else named.colour
            brush.put(text, hue, bold, backward, underline=looked_for)
            brush.put(" " * (width + 1 - cell_len(text)), self.palette.mute)

    def _module(self, line: Line, brush: _Brush, width: int) -> None:
        glyphs, palette = self.glyphs, self.palette
        spans = list(self.timeline.spans(line))[::-1]
        if line.span is not None:
            spans = spans[:-1]
        cells = [" "] * DEPTH
        names: list[str] = []
        stop = line.position + line.stop - line.seq
        for span in spans:
            begins, ends = span.start == line.position, span.stop == stop
            if begins:
                names.append(_span_name(span))
            if begins and ends:
                cell = glyphs.single
            else:
                cell = glyphs.first if begins else glyphs.last if ends else glyphs.middle
            cells[min(span.depth, DEPTH - 1)] = cell
        brush.put("".join(cells) + " ", palette.faint)
        text = ops_text(line) if line.span is not None else glyphs.text(clean(".".join(names)))
        room = max(0, width - DEPTH - 2)
        shown = sized(elided(text, room, glyphs.text("…"), left=True), room) + " "
        brush.put(shown, palette.mute if line.span is not None else palette.text)

    def _signs(self, output: OutputSeen | None, brush: _Brush) -> None:
        glyphs, palette = self.glyphs, self.palette
        colours = (*palette.signs, palette.inf, palette.nan)
        for there, glyph, colour in zip(classes(output), glyphs.classes, colours, strict=True):
            if there is None:
                brush.put(
                    glyphs.unknown * 2 if output is not None and output.looked_at else "  ", palette.faint
                )
            elif there:
                brush.put(glyph * 2, colour, bold=True)
            else:
                brush.put(glyphs.absent * 2, palette.track)
        brush.put(" ", palette.mute)

    def _range(self, numbers: Numbers | None, output: OutputSeen | None, brush: _Brush, width: int) -> None:
        text, colour, bold = "", self.palette.mute, False
        if numbers is not None and numbers.flags & RAISED:
            fact = numbers.facts.get(-1)
            text, colour, bold = f"raised {clean(fact.error or '') if fact else ''}", self.palette.nan, True
        elif output is not None:
            text = words.values(output)
            if output.finite is False:
                colour = self.palette.nan if "NaN" in text else self.palette.inf
                bold = True
        shown = elided(self.glyphs.text(text), width - 1, self.glyphs.text("…"))
        brush.put(sized(shown, width - 1) + " ", colour, bold=bold)

    # ── edges ────────────────────────────────────────────────────────────────────────────────

    def _lanes(self, line: Line, brush: _Brush, glyph: str, colour: str) -> None:
        room = self.columns.lanes
        graph = self.timeline.graph_of(line)
        if graph == LOOSE or line.place < 0:
            brush.put(glyph + " " * (room - 1), colour)
            return
        lanes = self.timeline.view(graph).lanes
        if line.place >= len(lanes):
            brush.put(glyph + " " * (room - 1), colour)
            return
        hues, kin = self.palette.lanes, self._kin(line)
        trace, lines = self.trace if kin is not None else None, self.timeline.view(graph).lines
        dim, brush.faint = brush.faint, ""
        run, hue = "", self.palette.faint  # cells of one colour go in one piece; blanks have none
        for text, owner in lane_cells(lanes, line.place, self.glyphs):
            now = hue if owner == NOBODY else hues[owner % len(hues)]
            if trace is not None and owner != NOBODY:
                related = trace.kin(int(lines.start[owner]), int(lines.stop[owner])) is not Kin.NONE
                now = now if related else self.palette.faint
            if owner == line.place:
                brush.put(run, hue)
                brush.put(glyph, dim or colour, bold=True)
                run, hue = "", self.palette.faint
            elif now != hue:
                brush.put(run, hue)
                run, hue = text, now
            else:
                run += text
        brush.put(run + " " * (room - 2 * lanes.width), hue)
        brush.faint = dim

    def _jumps(self, line: Line, brush: _Brush, width: int) -> None:
        graph = self.timeline.graph_of(line)
        text = ""
        if graph != LOOSE and line.place >= 0:
            view = self.timeline.view(graph)
            if line.place < len(view.lanes):
                lanes, start = view.lanes, view.lines.start
                parts = [
                    *self._jump(self.glyphs.to_producer, lanes.jumps_from(line.place), start, line),
                    *self._jump(self.glyphs.to_consumer, lanes.jumps_to(line.place), start, line),
                ]
                text = " ".join(parts)
        brush.put(sized(elided(text, width - 1, self.glyphs.text("…")), width), self.palette.faint)

    def _jump(self, glyph: str, places: Sequence[int], start: Ints, line: Line) -> list[str]:
        """The first of the places that ran in this call, and how many more there are."""
        for at, place in enumerate(places[:4]):
            seq = self.timeline.seq_at(line.stretch, int(start[place]))
            if seq is not None:
                more = len(places) - at - 1
                return [f"{glyph}{seq}" + (f"+{more}" if more else "")]
        return []


def numbers_are_ill(glyph: str, glyphs: Glyphs) -> bool:
    """Whether a glyph says that something is wrong."""
    return glyph in (glyphs.nan, glyphs.inf, glyphs.raised)


def ops_text(line: Line) -> str:
    """How many operations a line stands for."""
    many = line.stop - line.seq
    return "1 op" if many == 1 else f"{many:,} ops"


def _span_name(span: Span) -> str:
    nth = f"#{span.nth + 1}" if span.nth else ""
    return (span.name or span.kind) + nth


def classes(output: OutputSeen | None) -> tuple[bool | None, ...]:
    """Whether an output has negative, zero, positive, infinite and NaN elements; None: not known.

    Only what follows from minimum, maximum and counts: -1…2 has negative and positive elements, and
    whether one is exactly zero nobody has looked.
    """
    if output is None or not output.looked_at:
        return (None,) * 5
    low, high = output.low, output.high
    if output.finite:
        if low is None or high is None:
            return (False,) * 5
        return *_signs_between(low, high), False, False
    counted = output.nan is not None
    poisoned = low is None or high is None or math.isnan(low) or math.isnan(high)  # a NaN hides the range
    nan = bool(output.nan) if counted else poisoned and low is not None
    inf = bool(output.pos_inf or output.neg_inf) if counted else None if poisoned else True
    facts = output.numerics
    if facts is not None and facts.low is not None and facts.high is not None:
        signs: tuple[bool | None, bool | None, bool | None] = _signs_between(facts.low, facts.high)
    elif facts is not None and facts.nan + facts.pos_inf + facts.neg_inf == facts.size:
        signs = False, False, False
    elif poisoned or low is None or high is None:
        signs = None, None, None
    else:
        signs = _signs_beside_infinity(low, high)
    return *signs, inf, nan


def _signs_beside_infinity(low: float, high: float) -> tuple[bool | None, bool | None, bool | None]:
    """Which signs finite elements have, where one end of the range or both are infinite."""
    if math.isfinite(high):  # the largest one is finite, and nothing is above it
        return True if high < 0 else None, high == 0 or (None if high > 0 else False), high > 0
    if math.isfinite(low):
        return low < 0, low == 0 or (None if low < 0 else False), True if low > 0 else None
    return None, None, None


def _signs_between(low: float, high: float) -> tuple[bool, bool | None, bool]:
    zero = True if low == 0 or high == 0 else None if low < 0 < high else False
    return low < 0, zero, high > 0


def lane_cells(lanes: Lanes, line: int, glyphs: Glyphs) -> list[tuple[str, int]]:
    """The cells beside a line: (character, whose value it is); the line's own cell belongs to itself.

    Two cells a lane: the lane, and the way to the next one.
    """
    before, after, column = lanes.before(line), lanes.before(line + 1), lanes.column[line]
    reads = lanes.reads[line]
    inputs = {lane: one for lane, one in enumerate(before) if one != NOBODY and one in reads}
    left = min((lane for lane in inputs if lane < column), default=column)
    right = max((lane for lane in inputs if lane > column), default=column)
    cells: list[tuple[str, int]] = []
    for lane in range(lanes.width):
        owner = before[lane]
        if lane == column:
            cells.append(("", line))
        elif left <= lane <= right:
            mask = (LEFT if lane > left else 0) | (RIGHT if lane < right else 0)
            joint = inputs.get(lane, NOBODY)
            if joint != NOBODY:
                mask |= UP | (DOWN if after[lane] == owner else 0)
                cells.append((glyphs.joints[mask], joint))
            elif owner != NOBODY:
                cells.append((glyphs.joints[UP | DOWN], owner))  # crossed: the lane on top
            else:
                cells.append((glyphs.joints[mask], _led_to(inputs, lane, column)))
        elif owner != NOBODY:
            cells.append((glyphs.joints[UP | DOWN], owner))
        else:
            cells.append((" ", NOBODY))
        if left <= lane < right:
            cells.append(
                (glyphs.joints[LEFT | RIGHT], _led_to(inputs, lane if lane < column else lane + 1, column))
            )
        else:
            cells.append((" ", NOBODY))
    return cells


def _led_to(inputs: dict[int, int], lane: int, column: int) -> int:
    """Whose value a horizontal line at `lane` carries towards `column`."""
    if lane < column:
        return inputs[max(one for one in inputs if one <= lane)]
    return inputs[min(one for one in inputs if one >= lane)]


class _Brush:
    """Puts cells one after the other on one ground."""

    __slots__ = ("_ground", "_segments", "faint", "width")

    def __init__(self, ground: str) -> None:
        self._ground = ground
        self._segments: list[Segment] = []
        self.faint = ""  # when set, in this colour instead of any other
        self.width = 0

    def selected(self, palette: Palette) -> bool:
        """Whether the line is the selected one."""
        return self._ground != palette.ground

    def put(
        self, text: str, colour: str, bold: bool = False, italic: bool = False, underline: bool = False
    ) -> None:
        """Append text of one style."""
        if not text:
            return
        chosen = style(self.faint or colour, self._ground, bold, italic, underline)
        last = self._segments[-1] if self._segments else None
        if last is not None and (last.style is chosen or (text.isspace() and not underline)):
            self._segments[-1] = Segment(last.text + text, last.style)
        else:
            self._segments.append(Segment(text, chosen))
        self.width += len(text) if text.isascii() else cell_len(text)

    def strip(self, width: int) -> Strip:
        """The cells, cut or filled up to `width`."""
        if self.width < width:
            self._segments.append(Segment(" " * (width - self.width), style("default", self._ground)))
        strip = Strip(self._segments, max(self.width, width))
        return strip if self.width <= width else strip.crop(0, width)
