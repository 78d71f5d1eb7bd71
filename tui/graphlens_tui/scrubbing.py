"""What the keys do that stay with one operation: its other calls, what it came from, what it led to."""

from __future__ import annotations

import numpy as np

from graphlens.categories import short
from graphlens.session import Call, Process
from graphlens.text import clean
from graphlens_tracers.events import Seq
from graphlens_tui.messages import Said
from graphlens_tui.model import Mode
from graphlens_tui.navigating import Navigating
from graphlens_tui.timeline import Sort, Timeline
from graphlens_tui.tracing import BUDGET, Trace
from graphlens_tui.widgets.scrubber import Calls, CallWanted, Sized, sizes_of

ROOM_FOR_SCRUBBER = 20
"""Rows from which the bar of calls is shown."""


class Scrubbing(Navigating):
    """The app as these keys see it."""

    # ── other calls ──────────────────────────────────────────────────────────────────────────

    def do_next_call(self) -> None:
        self._other_call(1)

    def do_previous_call(self) -> None:
        self._other_call(-1)

    def _other_call(self, by: int) -> None:
        shown, line = self.model.shown, self.graph.line()
        if shown is None or line is None:
            return
        call = shown.timeline.call_of(line)
        if line.sort is Sort.CALL and call is not None:
            same = _alike(shown.timeline, call)
            at = same.index(call) + by if call in same else -1
            if 0 <= at < len(same):
                self.enter_call(same[at])
            else:
                self.say(f"it did not run {'after' if by > 0 else 'before'} this")
            return
        node = shown.timeline.node(line)
        seqs = np.empty(0, np.int64) if node is None else shown.timeline.occurrences(node)
        at = int(np.searchsorted(seqs, line.seq)) + by
        if not len(seqs):
            self.say("it is in no call that is known")
        elif not 0 <= at < len(seqs):
            self.say(f"it did not run {'after' if by > 0 else 'before'} this")
        else:
            self.go_to(Seq(int(seqs[at])), jump=False)

    def on_call_wanted(self, event: CallWanted) -> None:
        """The mouse, in the bar of calls."""
        shown, line = self.model.shown, self.graph.line()
        call = None if shown is None or line is None or line.call is None else shown.timeline.call_of(line)
        if shown is None or call is None:
            self.go_to(event.seq)
            return
        wanted = next((one for one in _alike(shown.timeline, call) if one.first == event.seq), None)
        if wanted is not None:
            self.enter_call(wanted)

    def show_occurrences(self) -> None:
        """Show the operation under the cursor over all its calls."""
        self.arrange_scrubber()
        missing = self.scrubber.show(self._calls()) if self.scrubber.display else []
        process = self.model.process()
        if missing and process is not None and not self.goes_along():
            self.run_worker(
                lambda: self._find_sizes(process, missing), thread=True, group="sizes", exclusive=True
            )

    def goes_along(self) -> bool:
        """Whether the cursor goes along with a run that grows, and nobody has chosen what it is on."""
        return self.graph.following and self.model.live and self.step.held.stop is None

    def arrange_scrubber(self) -> None:
        """There is a line for it where there is room, whatever the cursor is on: nothing moves then."""
        graph = self.mode is Mode.GRAPH and self._zoomed is not self.output
        self.scrubber.display = graph and self.size.height >= ROOM_FOR_SCRUBBER

    def on_sized(self, event: Sized) -> None:
        """Sizes are known, or others are wanted."""
        if not event.sizes:
            self.show_occurrences()
        elif event.process is self.model.process():
            self.scrubber.know(event.sizes)

    def _find_sizes(self, process: Process, seqs: list[int]) -> None:
        """On a worker's thread, a few at a time: the bar fills while it reads."""
        for start in range(0, len(seqs), 32):
            try:
                self.post_message(Sized(process, sizes_of(process, seqs[start : start + 32])))
            except Exception as error:  # whatever it is, the person has to read it
                self.post_message(Said(clean(f"{type(error).__name__}: {error}", 200), wrong=True))
                return

    def _calls(self) -> Calls | None:
        shown, line = self.model.shown, self.graph.line()
        if shown is None or line is None:
            return None
        call = shown.timeline.call_of(line)
        if line.sort is Sort.CALL and call is not None:
            same = _alike(shown.timeline, call)
            if call not in same:
                return None
            seqs, stops = np.array([(one.first, one.last + 1) for one in same], np.int64).T
            name = clean(shown.timeline.graph_name(call.graph), 40)
            return Calls(name, seqs, stops, same.index(call), self.model.ill, whole=True)
        node = shown.timeline.node(line) if line.sort is Sort.OP else None
        seqs = np.empty(0, np.int64) if node is None else shown.timeline.occurrences(node)
        if node is None or not len(seqs):
            return None
        name = short(clean(shown.process.nodes[node].op, 40))
        return Calls(name, seqs, seqs + 1, int(np.searchsorted(seqs, line.seq)), self.model.ill)

    # ── what it came from, what it led to ────────────────────────────────────────────────────

    def do_trace(self) -> None:
        """Highlight the kin of the operation under the cursor; of the same one again: no more."""
        shown, line, before = self.model.shown, self.graph.line(), self.graph.trace
        if shown is None or line is None:
            return
        call, graph = shown.timeline.call_of(line), shown.timeline.graph_of(line)
        number = None if call is None else call.call
        again = before is not None and (before.call, before.origin) == (number, line.position)
        if before is not None and (again or line.sort is Sort.CALL):
            self.graph.show_trace(None)
            self.say("nothing is highlighted any more")
            return
        if line.sort is Sort.CALL or call is None or line.position < 0:
            self.say("the cursor is on no operation of a call")
            return
        trace = Trace.of(shown.timeline.way(graph), call.call, graph, line.position)
        self.graph.show_trace(trace)
        more = f"; only the nearest {BUDGET:,} each" if trace.cut else ""
        self.say(
            f"in this call computed from {len(trace.sources):,}, read on by {len(trace.readers):,}{more};"
            f" {self.keymap_.shown('trace')} ends it"
        )


def _alike(timeline: Timeline, call: Call) -> list[Call]:
    """The calls that took the same way, itself among them, in order; without those that ran nothing."""
    same = [one for one in timeline.calls.values() if one.graph == call.graph and one.last >= one.first]
    return sorted(same, key=lambda one: (one.first, one.call))
