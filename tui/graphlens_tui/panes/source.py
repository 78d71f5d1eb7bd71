"""The user's file with what each line computed in the step under the cursor, beside the graph or alone."""

from __future__ import annotations

from typing import ClassVar

from textual.events import Click

from graphlens.source_lines import Part, outermost, part_of_call
from graphlens_tracers.events import CallId, NodeId, Seq
from graphlens_tui.messages import Chosen
from graphlens_tui.panes import Slot
from graphlens_tui.source_view import SourceView


class SourcePane(SourceView):
    """Follows the graph's cursor; its own goes by lines, and enter takes the graph's along."""

    TITLE: ClassVar[str] = "source"
    SLOT: ClassVar[Slot] = "side"
    ORDER: ClassVar[int] = 1
    HELP: ClassVar[str | None] = """\
The file as it was when it ran. At the right end of a line: how many operations it ran in
the step under the cursor, and of one of them type, range and health: the one under the
graph's cursor, else the first that is not finite, else the last of the forward pass.
enter goes to an operation of the line, and again to its next one."""

    def show(self, at: Seq | None, call: CallId | None = None) -> None:
        """Show where an operation is in the source, among what its step computed."""
        self.at = at
        self.changed()

    def changed(self) -> None:
        """Look up again what may be known better."""
        shown = self.model.shown
        if shown is None or not self.display or not self.size.width:
            return
        self._use()
        site, numbers = None, None if self.at is None else shown.decoded.at(self.at)
        node = None if numbers is None else shown.process.nodes.get(NodeId(numbers.node))
        if self.at is not None and node is not None:
            site, step = shown.process.site_of(node), outermost(shown.process, self.at)
            self.show_parts([Part(self.at, self.at + 1) if step is None else part_of_call(step)])
        if site is not None and site != self._site:
            self._site, self.cursor = site, site.line
        super().changed()

    def on_click(self, event: Click) -> None:
        """Select a line; the second click goes to its operation."""
        row = event.y - self.gutter.top + int(self.scroll_offset.y) + 1
        if not 1 <= row <= self.virtual_size.height:
            return
        self.move(row - self.cursor)
        seq, who = self.next_op(), self.model.who()
        if event.chain > 1 and seq is not None and who is not None:
            self.post_message(Chosen(who.number, seq))


PANE = SourcePane
