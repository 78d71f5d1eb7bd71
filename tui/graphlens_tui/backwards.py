"""The debugger's steps in what was recorded: backwards while a script is held, both ways when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.scopes import Span
from graphlens_tracers.breakpoints import is_called, is_file, is_module
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.events import NodeId, Phase, Seq, SiteSeen
from graphlens_tui.decoded import Ill
from graphlens_tui.model import Shown

FURTHEST = 20_000
"""Operations that are searched for the end of a module, a line or a breakpoint."""
RULES = {"nan(out)": "nan", "inf(out)": "inf", "nan(out) or inf(out)": "ill"}
"""Conditions whose truth was recorded."""


class Walk:
    """Goes through the operations of one process.

    Attributes:
        trouble: Why the last step led nowhere; "" when it led somewhere.
    """

    def __init__(self, shown: Shown, ill: Ill) -> None:
        self._shown, self._ill = shown, ill
        self.trouble = ""

    def go(self, at: Seq, way: str, by: int, breakpoints: Sequence[Breakpoint] = ()) -> Seq:
        """Where a step leads.

        Args:
            way: "step", "next", "out", "line", "phase", "training-step", "non-finite" or "continue".
            by: 1 for forwards, -1 for backwards.
        """
        self.trouble = ""
        end = Seq(self._shown.timeline.end)
        start = _Place(self._shown, at)
        if way == "non-finite":
            found = self._ill.after(at) if by > 0 else self._ill.before(at)
            if found is None:
                self.trouble = "no NaN or infinity there"
            return at if found is None else Seq(found)
        if way == "continue" and not breakpoints:
            return Seq(end - 1) if by > 0 else Seq(0)
        for k in range(1, FURTHEST):
            seq = Seq(at + k * by)
            if not 0 <= seq < end:
                break
            if self._is_there(way, start, seq, breakpoints):
                return seq
        edge = Seq(max(0, min(end - 1, at + FURTHEST * by)))
        self.trouble = "no breakpoint there" if way == "continue" else "that is the edge of what was recorded"
        return edge

    def _is_there(self, way: str, start: _Place, seq: Seq, breakpoints: Sequence[Breakpoint]) -> bool:
        if way == "step":
            return True
        place = _Place(self._shown, seq)
        if way == "continue":
            return any(self._meets(one, place) for one in breakpoints if one.enabled)
        if way == "line":
            return place.site is None or start.site is None or place.line != start.line
        if way == "phase":
            return place.phase is not start.phase
        chain, around = place.chain, start.chain
        if way == "training-step":
            return chain[:1] != around[:1]
        inside = chain[: len(around)] == around
        return not inside if way == "out" else not (inside and len(chain) > len(around))

    def _meets(self, one: Breakpoint, place: _Place) -> bool:
        """Whether a breakpoint is at a place; of conditions only those that were recorded can be true."""
        if one.condition:
            kind = RULES.get(one.condition)
            nan, inf = self._ill.between(place.seq, place.seq + 1)
            if not {"nan": nan, "inf": inf, "ill": nan or inf, None: 0}[kind]:
                return False
        if one.kind == "any":
            return bool(one.condition)
        if one.kind in ("op", "name") and is_called(place.op, one.pattern):
            return True
        if one.kind in ("module", "name"):
            return any(is_module(path, one.pattern) for path in place.entered())
        if one.kind == "line":
            site = place.site
            return site is not None and site.line == one.line and is_file(site.file, one.pattern)
        if one.kind == "at":
            return place.seq == one.line
        return one.kind == "phase" and place.phase == one.pattern


class _Place:
    """Where an operation of the record is."""

    def __init__(self, shown: Shown, seq: Seq) -> None:
        self._shown, self.seq = shown, seq
        _, nodes = shown.process.nodes_of(seq, seq + 1)
        self._node = shown.process.nodes.get(NodeId(int(nodes[0]))) if len(nodes) else None
        self.op = "" if self._node is None else self._node.op
        self.phase: Phase | None = None if self._node is None else self._node.phase

    @property
    def site(self) -> SiteSeen | None:
        return None if self._node is None else self._shown.process.site_of(self._node)

    @property
    def line(self) -> tuple[str, int] | None:
        site = self.site
        return None if site is None else (site.file, site.line)

    @property
    def chain(self) -> tuple[object, ...]:
        """The call, and the module calls around it, outermost first."""
        call = self._shown.process.call_at(self.seq)
        spans = [(span.start, span.path) for span in self._spans()]
        return (None if call is None else call.call, *spans[::-1])

    def entered(self) -> list[str]:
        """Paths of the modules of which it is the first operation."""
        place = self._shown.timeline.position(self.seq)
        return [span.path for span in self._spans() if place is not None and span.start == place[1]]

    def _spans(self) -> list[Span]:
        place = self._shown.timeline.position(self.seq)
        if place is None:
            return []
        return [span for _, span in self._shown.timeline.way(place[0]).outline.around(place[1])]
