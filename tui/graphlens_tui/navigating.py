"""What the keys do that lead to another graph, another process, or along the source: see `commands`."""

from __future__ import annotations

from graphlens.processes import Who, named
from graphlens.text import clean
from graphlens_tracers.events import Seq
from graphlens_tui.box_commands import BoxCommands
from graphlens_tui.bridge import Bridge
from graphlens_tui.messages import Chosen
from graphlens_tui.model import Mode, Place
from graphlens_tui.panes import Pane
from graphlens_tui.panes.source import SourcePane
from graphlens_tui.widgets.picker import Picker, Row, rows_of
from graphlens_tui.widgets.scrubber import Scrubber

ROOM_FOR_SOURCE = 50
"""Rows from which the source stands below the details."""


class Navigating(BoxCommands):
    """The app as these keys see it."""

    scrubber: Scrubber
    _bridge: Bridge
    _zoomed: Pane | None

    def _arrange(self) -> None:
        raise AssertionError("the app does it")

    def on_pane_left(self) -> None:
        """The home pane gets the keys."""
        raise AssertionError("the app does it")

    @property
    def source(self) -> SourcePane:
        """The pane with the user's file."""
        return next(pane for pane in self.panes if isinstance(pane, SourcePane))

    # ── the source ───────────────────────────────────────────────────────────────────────────

    def arrange_source(self, has_keys: Pane, height: int, *, alone: bool) -> None:
        """Show the source below the details where there is room; alone, only that which has the keys."""
        sides = [pane for pane in self.panes if pane.SLOT == "side"]
        only = has_keys if has_keys in sides else sides[0]
        for pane in sides:
            pane.display = pane is only or (not alone and height >= ROOM_FOR_SOURCE)
        many = sum(pane.display for pane in sides) > 1
        for pane in sides:
            if pane.beside != many:
                pane.beside = many
                pane.changed()

    def do_source(self) -> None:
        """The source on the whole screen, or back to the graph."""
        if self.pane() is self.source:
            self.on_pane_left()
            self._arrange()
        else:  # there is room for it when it has the keys, and not before: what is hidden loses them
            self._zoomed = self.source
            self.source.focus()

    def _go_to_op_of_line(self) -> None:
        seq, source = self.source.next_op(), self.source
        if seq is None:
            self.say(f"line {source.cursor} ran nothing in this step")
            return
        seqs = source.ran().of(source.cursor).seq.tolist()
        self.go_to(seq)
        self.say(f"op {seqs.index(seq) + 1} of {len(seqs)} of line {source.cursor}")

    # ── enter ────────────────────────────────────────────────────────────────────────────────

    def do_detail(self) -> None:
        """Go where the cursor leads: what that is depends on the pane."""
        if self.mode is Mode.HEALTH:
            stop = self.health.selected()
            if stop is not None:
                self.on_chosen(Chosen(stop.target[0], Seq(stop.target[1])))
            return
        if self.mode is Mode.TENSOR:
            self.do_graph_of_tensor()
            return
        if self.mode is Mode.RUNS:
            self.choose()
            return
        if self.pane() is self.source:
            self._go_to_op_of_line()
            return
        line = self.graph.line()
        folded = self.boxes.key() if self.boxed else line is not None and (line.span or line.folded)
        if self.pane() is self.canvas and folded:
            self.do_fold()
            return
        entered = self.entered(line) if self.pane() is self.canvas else None
        if entered is not None:
            self.enter_call(entered)
            return
        side = next((pane for pane in self.panes if pane.SLOT == "side"), None)
        if side is not None:
            (self.canvas if self.pane() is side else side).focus()
            self._arrange()

    # ── other processes ──────────────────────────────────────────────────────────────────────

    def on_chosen(self, event: Chosen) -> None:
        """Show an operation, of whatever process, in the graph."""
        self.go_to_place(Place(event.process, event.seq))

    def go_to_place(self, place: Place) -> None:
        """Select an operation of a process, which is shown from then on; it can be taken back."""
        who = self.model.who()
        if who is None or who.number != place.process:
            other = next((one for one in named(self.session.run) if one.number == place.process), None)
            if other is None or not other.process.op_count:
                self.say(f"process {place.process} has no operations")
                return
            if who is not None and self.at is not None:
                self.trail.append(Place(who.number, self.at))
            self.show_process(other)
        if place.seq is not None:
            self.go_to(place.seq, jump=who is not None and who.number == place.process)

    def go_back_to(self, place: Place) -> None:
        """Show the process that was shown before, and the operation that was selected."""
        who = next((one for one in named(self.session.run) if one.number == place.process), None)
        if who is not None and place.seq is not None:
            self.show_process(who)
            self.go_to(place.seq, jump=False)

    def show_process(self, who: Who) -> None:
        """Show another process of the run, as it was left; the trail leads back."""
        self.model.switch(who.process)
        self.at, self.finding = None, None
        self.trail = [one for one in self.trail if one is not Mode.TENSOR]
        self.tensor.close()
        self.scrubber.forget()
        self.graph.leave_process()
        for pane in self.panes:
            pane.changed()
        self._bridge.wake()
        self.say(f"process {who.number}: {clean(who.name, 60)}; {self.keymap_.shown('back')} goes back")

    # ── the list of graphs ───────────────────────────────────────────────────────────────────

    def do_graphs(self) -> None:
        """Choose a graph of the run, of whatever process."""
        shown, line = self.model.shown, self.graph.line()
        call = None if shown is None or line is None else shown.timeline.call_of(line)
        whos = [who for who in named(self.session.run) if who.process.op_count or len(who.process.graphs())]
        rows = rows_of(whos, self.model.who(), None if call is None else call.graph)
        if not rows:
            self.say("no graph was recorded")
            return
        self.push_screen(Picker(rows, self.glyphs, self.palette), self._picked)

    def _picked(self, row: Row | None) -> None:
        if row is None:
            return
        entry, who = row.entry, self.model.who()
        here = who is not None and who.number == row.who.number
        if entry is None:
            if not here:
                self.go_to_place(Place(row.who.number, Seq(0) if row.who.process.op_count else None))
            return
        if entry.ran is None:
            never = "no call of it was recorded" if not entry.calls else "its calls have no operations"
            self.say(f"{clean(entry.seen.name, 60)}: {never}")
            return
        call = entry.ran[0]
        if not here:
            self.go_to_place(Place(row.who.number, call.first))
            self.graph.show(call.first, call.call)
        else:
            self.enter_call(call)
