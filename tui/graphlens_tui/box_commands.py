"""What the keys do while the graph is shown as boxes: see `commands`."""

from __future__ import annotations

from graphlens.session import Call
from graphlens_tracers.events import NodeId, Seq
from graphlens_tui.messages import BoxChosen
from graphlens_tui.model import Mode
from graphlens_tui.panes import Pane
from graphlens_tui.panes.boxes import BoxesPane
from graphlens_tui.run_commands import RunCommands
from graphlens_tui.timeline import Line, Sort


class BoxCommands(RunCommands):
    """The app as the keys of the boxes see it. Lanes and boxes share one cursor: that of the lanes."""

    boxes: BoxesPane
    boxed: bool = False

    @property
    def canvas(self) -> Pane:
        """The pane that shows the graph: lanes or boxes."""
        return self.boxes if self.boxed else self.graph

    @property
    def keys_for(self) -> str:
        """Whose keys go before those that are the same everywhere."""
        return "boxes" if self.mode is Mode.GRAPH and self.boxed else self.mode

    def do_boxes(self) -> None:
        """From lanes to boxes and back, on the same operation."""
        self.boxed = not self.boxed
        self.graph.display, self.boxes.display = not self.boxed, self.boxed
        self.canvas.focus()
        if self.boxed:
            self.call_after_refresh(self._show_boxes)
        elif self.at is not None:
            self.call_after_refresh(self.graph.select, self.at)

    def _show_boxes(self) -> None:
        if self.at is not None:
            self.graph.select(self.at)
            self.boxes.show(self.at, opening=False)

    def on_box_chosen(self, event: BoxChosen) -> None:
        """The cursor of the lanes goes along."""
        self.graph.select(event.seq)

    def follow_boxes(self, seq: Seq | None) -> None:
        """The cursor of the lanes has moved; boxes open for what was gone to, not for what is followed."""
        if self.boxed:
            self.boxes.show(seq, opening=not self.graph.following)

    def highlight(self, found: frozenset[NodeId]) -> None:
        """Underline the names of these nodes."""
        self.graph.highlight(found)
        self.boxes.highlight(found)

    def entered(self, line: Line | None) -> Call | None:
        """The call that the operation on a line made: a function, a branch, a loop's first round."""
        shown = self.model.shown
        if shown is None or line is None or line.sort is not Sort.OP:
            return None
        node = shown.timeline.node(line)
        seen = None if node is None else shown.process.nodes.get(node)
        return None if seen is None or seen.calls is None else shown.timeline.inside(line.seq)

    def do_box_left(self) -> None:
        self.boxes.aside(-1)

    def do_box_right(self) -> None:
        self.boxes.aside(1)

    def do_larger(self) -> None:
        self.boxes.set_zoom(1)

    def do_smaller(self) -> None:
        self.boxes.set_zoom(-1)

    def do_plumbing(self) -> None:
        self.boxes.set_hide(not self.boxes.hide)

    def do_overview(self) -> None:
        self.boxes.set_map(not self.boxes.map_shown)

    def do_fold(self) -> None:
        shown = self.model.shown
        if not self.boxed or shown is None:
            self.graph.toggle()
            return
        key = self.boxes.key()
        folded = shown.timeline.folded
        if key:
            self.boxes.toggle()
            folded -= {key}
        else:
            new = self.boxes.toggle()
            if new is None:
                self.say("no module is around it")
                return
            folded |= {new}
        self.graph.refold(folded, shown.timeline.closed)
        self.boxes.changed()

    def fold_to(self, depth: int) -> None:
        """Open so many levels of modules."""
        super().fold_to(depth)
        self.boxes.set_depth(depth)

    def do_fold_steps(self) -> None:
        if self.boxed and self.model.shown is not None:
            self.graph.refold(frozenset(), self.model.shown.timeline.closed)
            self.boxes.set_depth(None)
        else:
            super().do_fold_steps()
