"""The lanes around the operation where a script is held: what has run, and then the one that has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.segment import Segment
from textual.strip import Strip

from graphlens.categories import category, short
from graphlens.lanes import NOBODY
from graphlens.text import clean
from graphlens_tracers.breakpoints import is_called
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.events import Seq
from graphlens_tui.boxes import Box
from graphlens_tui.columns import Columns, fit
from graphlens_tui.decoded import Ill
from graphlens_tui.glyphs import DOWN, UP
from graphlens_tui.held import Said
from graphlens_tui.model import Shown
from graphlens_tui.paint import Painter, elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.timeline import LOOSE, Sort

NAME = 11
"""Cells for the name of an operation where there is little room."""


class LanesView:
    """Paints lines of the timeline into a box; the graph pane folds it and says how many lanes there are."""

    def __init__(self) -> None:
        self._painter: Painter | None = None

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        if self._painter is not None:
            self._painter.repaint(palette)

    def fill(
        self, shown: Shown | None, said: Said | None, back: Seq | None, breakpoints: Sequence[Breakpoint],
        ill: Ill, live: bool, focused: bool, box: Box, height: int,
    ) -> None:  # fmt: skip
        """Lines around where it is held, or around the operation that is looked back at."""
        box.title = "execution"
        if shown is None or not len(shown.timeline):
            if said is None:
                box.line(("nothing has run yet", box.palette.faint))
            else:
                box.lines.append(self._coming(None, said, Columns(2, 6, 3, 24, 0, 0, 0, 0, 0), box))
            return
        painter, timeline = self._made(shown, box), shown.timeline
        painter.ill, painter.live = ill, live
        ahead = said is not None and said["seq"] >= timeline.end
        last = len(timeline) - 1 + ahead
        at = back if back is not None else None if said is None else Seq(said["seq"])
        cursor = last if at is None or at >= timeline.end else timeline.number_of(at)
        first = max(0, min(cursor - height // 2, last - height + 1))
        for number in range(first, min(last, first + height - 1) + 1):
            if number >= len(timeline):
                assert said is not None, "only what is held comes after the last line"
                box.lines.append(self._coming(painter, said, painter.columns, box, looked=back is None))
                continue
            strip = painter.paint(number, box.width, selected=number == cursor, focused=focused)
            box.lines.append(self._marked(strip, painter, number, said, breakpoints, box))

    def _made(self, shown: Shown, box: Box) -> Painter:
        columns = fit(box.width, shown.timeline.end, shown.timeline.lane_room)
        if not columns.range and columns.op - NAME >= 10:  # many lanes: a short name leaves room for numbers
            columns = replace(columns, op=NAME, range=columns.op - NAME)
        if self._painter is None or self._painter.process is not shown.process:
            self._painter = Painter(
                shown.process, shown.timeline, shown.decoded, box.glyphs, box.palette, columns
            )
        self._painter.columns = columns
        return self._painter

    def _marked(
        self, strip: Strip, painter: Painter, number: int, said: Said | None,
        breakpoints: Sequence[Breakpoint], box: Box,
    ) -> list[Segment]:  # fmt: skip
        """The line with a mark where a breakpoint on operations is, or the script is held."""
        line = painter.timeline.line(number)
        if line.sort is not Sort.OP:
            return list(strip)
        named = painter.named(line, line.seq)
        if named is None:
            return list(strip)
        held = said is not None and said["seq"] == line.seq
        name = named.seen.op
        stops = any(
            one.enabled and one.kind in ("op", "name") and is_called(name, one.pattern) for one in breakpoints
        )
        if not (held or stops):
            return list(strip)
        before, after = strip.crop(0, 2), strip.crop(2)
        ground = next((one.style.bgcolor.name for one in before if one.style and one.style.bgcolor), None)
        palette = box.palette
        dot = box.glyphs.fine if stops else " "
        mark = box.glyphs.here if held or before.text.strip() else " "
        ground = ground or palette.ground
        return [
            Segment(dot, style(palette.nan, ground, True)), Segment(mark, style(palette.warn, ground, True)),
            *after,
        ]  # fmt: skip

    def _coming(
        self, painter: Painter | None, said: Said, columns: Columns, box: Box, *, looked: bool = True
    ) -> list[Segment]:
        """The operation that is about to run: it has no row yet."""
        palette, glyphs = box.palette, box.glyphs
        ground = palette.cursor if looked else palette.ground
        after = said["when"] == "after"
        name = clean(short(str(said["op"])))
        if said["phase"] == "backward":
            name = glyphs.backward + name.removesuffix("_backward")
        mute = style(palette.mute, ground)
        line = [
            Segment(sized(f" {glyphs.here}", 2), style(palette.warn, ground, True)),
            Segment(f"{said['seq']:>{max(1, columns.seq - 1)}} ", style(palette.text, ground)),
            *self._open_lanes(painter, columns, ground, box),
            Segment(sized(elided(glyphs.text(name), columns.op - 1, glyphs.text("…")), columns.op),
                    style(palette.kind(category(str(said["op"]))), ground, True,
                          said["phase"] == "backward")),
        ]  # fmt: skip
        used = sum(len(one.text) for one in line)
        note = "has run; its row comes" if after else "about to run"
        line.append(Segment(sized(elided(note, box.width - used), box.width - used), mute + style(
            palette.warn, ground, False, True)))  # fmt: skip
        return line

    def _open_lanes(self, painter: Painter | None, columns: Columns, ground: str, box: Box) -> list[Segment]:
        """The values that live on, and the operation's own place in the first free lane."""
        palette, glyphs = box.palette, box.glyphs
        room, owners = columns.lanes, []
        if painter is not None and len(painter.timeline):
            line = painter.timeline.line(len(painter.timeline) - 1)
            graph = painter.timeline.graph_of(line)
            if graph != LOOSE and line.place >= 0:
                lanes = painter.timeline.view(graph).lanes
                if line.place < len(lanes):
                    owners = list(lanes.before(line.place + 1))
        free = next((k for k, owner in enumerate(owners) if owner == NOBODY), len(owners))
        segments, used = [], 0
        for k in range(max(1, min((room - 1) // 2, max(len(owners), free + 1)))):
            owner = owners[k] if k < len(owners) else NOBODY
            if k == free:
                segments.append(Segment(f"{glyphs.none} ", style(palette.warn, ground, True)))
            elif owner != NOBODY:
                hue = palette.lanes[owner % len(palette.lanes)]
                segments.append(Segment(f"{glyphs.joints[UP | DOWN]} ", style(hue, ground)))
            else:
                segments.append(Segment("  ", style(palette.mute, ground)))
            used += 2
        return [*segments, Segment(" " * max(0, room - used), style(palette.mute, ground))]
