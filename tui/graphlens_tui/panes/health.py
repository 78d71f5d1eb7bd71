"""The verdict on the run: what went wrong first and why, how far it spread, and what did no harm."""

from __future__ import annotations

from typing import ClassVar

from graphlens.health import Findings
from graphlens_tracers.events import Seq
from graphlens_tui.boards import BoardPane
from graphlens_tui.boxes import Board, Box, Stop
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.messages import Chosen
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette
from graphlens_tui.panes import Slot
from graphlens_tui.source import Sources
from graphlens_tui.strips import alerts_box, spread_box, timeline_box
from graphlens_tui.verdict_boxes import verdict_box
from graphlens_tui.way_boxes import gaps_box, harmless_box, path_box

WIDE = 110
"""Columns from which frames stand side by side."""
AROUND_STEPS = 9
"""Lines of the timeline's frame that are not steps."""
ALERTS = 44
"""Columns of the alerts beside the timeline."""


class HealthPane(BoardPane):
    """Frames on one page that scrolls; the cursor goes through the rows that name an operation."""

    TITLE: ClassVar[str] = "health"
    SLOT: ClassVar[Slot] = "health"
    HELP: ClassVar[str | None] = """\
The verdict: the first number that went wrong and did harm, in what operation and
line, out of what, why, and what to try. Its provenance is the way of the largest numbers
into it, with what they grew by (×40), and the way from it to the harm. Enter goes to the
operation of a row, backspace comes back. Strips are operations in the order in which
they ran: ▁ no number, ▄ finite, ▆ 1e4 and up, ▲ an infinity, ✖ a NaN; a cell that stands
for several shows the worst. Loss is what forward computes after the last module.
absmax is the largest size, on a scale of powers. Alerts count operations of the whole run."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.findings: Findings | None = None
        self.trouble = ""
        self.rules_key = "e"
        self._made_for: object = None
        self._sources: Sources | None = None

    def found(self, findings: Findings | None, trouble: str) -> None:
        """Show a new verdict, or why there is none; the cursor stays on its operation."""
        selected = self.selected()
        before = None if selected is None else selected.target
        self.trouble = trouble
        if findings is not None:
            self.findings, self._sources = findings, None
        self.changed()
        same = (k for k, stop in enumerate(self._board.stops) if stop.target == before)
        self.cursor = next(same, min(self.cursor, max(0, len(self._board.stops) - 1)))
        self.refresh()

    # ── the page ─────────────────────────────────────────────────────────────────────────────

    def changed(self) -> None:
        """Make the page again where something on it has changed, or its width."""
        width, model = self.size.width, self.model
        known = self.findings, self.trouble, model.live, model.shown is None
        made_for = self.size, self.palette, known
        if not width or made_for == self._made_for:
            return
        self._made_for = made_for
        stop, first = self.selected(), int(self.scroll_offset.y)
        visible = stop is not None and first <= stop.line < first + self.rows
        self._board = Board(width)
        if self.findings is None or self.trouble:
            self._board.put(self._waiting(width))
        if self.findings is not None:
            self._fill(self.findings, self._board, width)
        self.cursor = min(self.cursor, max(0, len(self._board.stops) - 1))
        self.set_lines(self._board.lines)
        if visible and self._board.stops:
            self._select(self.cursor)

    def _box(self, width: int) -> Box:
        return Box(max(4, width - 4), self.glyphs, self.palette)

    def _waiting(self, width: int) -> Box:
        box = self._box(width)
        if self.trouble:
            box.title, box.hue = "no verdict", self.palette.nan
            box.text("", f"the run could not be judged: {self.trouble}", self.palette.nan)
        elif self.model.shown is None:
            text = "waiting for the first operation" if self.model.live else "nothing was recorded"
            box.title = "health"
            box.line((text, self.palette.mute))
        else:
            box.title = "health"
            box.line(("looking…", self.palette.warn, "bold"))
        return box

    def _fill(self, findings: Findings, board: Board, width: int) -> None:
        if self._sources is None and findings.who is not None:
            self._sources = Sources(findings.who.process, self.model.session.run.info.cwd)
        answer = findings.answer
        wide = width >= WIDE
        half = width // 2
        verdict = self._box(half if wide and answer["origin"] else width)
        verdict_box(findings, self._sources, verdict, self.model.live)
        middle = [verdict]
        if answer["origin"]:
            path = self._box(width - half if wide else width)
            path_box(findings, path)
            middle.append(path)
        alerts = self._box(ALERTS if wide else width)
        alerts_box(findings, alerts, self.rules_key)
        spread, rest = self._box(half if wide else width), self._box(width - half if wide else width)
        spread_box(findings, spread)
        harmless_box(findings, rest)
        timeline = self._box(width - ALERTS if wide else width)
        below = sum(2 + max(len(box.lines) for box in row) for row in (middle, [spread, rest]))
        timeline_box(findings, timeline, max(4, min(12, self.size.height - below - AROUND_STEPS)))
        if not wide:
            gaps = self._box(width)
            gaps_box(findings, gaps)
            for box in (*middle, timeline, alerts, spread, rest, gaps):
                board.put(box)
            return
        rest.blank()
        gaps_box(findings, rest)
        high = sum(2 + max(len(box.lines) for box in row) for row in ([alerts, timeline], [spread, rest]))
        board.put(alerts, timeline)
        board.put(*middle, least=self.size.height - high)
        board.put(spread, rest)
        # The verdict is where the cursor begins.
        first = [stop for stop in board.stops if stop.line > 1 + max(len(alerts.lines), len(timeline.lines))]
        board.stops = first + [stop for stop in board.stops if stop not in first]

    def choose(self, stop: Stop) -> None:
        """Show the operation of a row in the graph."""
        self.post_message(Chosen(stop.target[0], Seq(stop.target[1])))


PANE = HealthPane
