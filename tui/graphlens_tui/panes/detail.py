"""The selected operation in full: where it is, what went in and came out, and the source around it."""

from __future__ import annotations

from typing import ClassVar

from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import CallId, Seq
from graphlens_tui.details import AROUND, Page, of_call, of_operation
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette
from graphlens_tui.panes import Slot, TextPane
from graphlens_tui.source import Sources


class DetailPane(TextPane):
    """Made anew when something else is selected; scrolls when it does not fit."""

    TITLE: ClassVar[str] = "op"
    SLOT: ClassVar[Slot] = "side"
    HELP: ClassVar[str | None] = """\
in and out are the tensors with their numbers; #N is the operation that made one.
used names those that read the result. Bars are shown where elements were counted, and the
classes alone where only minimum and maximum are known. The underlined source is the
expression that ran; for a backward operation it is that of the forward one."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self._at: Seq | None = None
        self._call: CallId | None = None
        self._sources: Sources | None = None

    def show(self, at: Seq | None, call: CallId | None = None) -> None:
        """Show that operation or that step, from its first line on."""
        if (at, call) != (self._at, self._call):
            self._at, self._call = at, call
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.changed()

    def changed(self) -> None:
        """Make the page again where something on it may be known better."""
        shown, width = self.model.shown, self.scrollable_content_region.width
        if not width or not self.display:
            return
        page = Page(max(4, width - 1), self.glyphs, self.palette)
        if shown is None or self._at is None:
            page.line(("no operation is selected", self.palette.faint))
        else:
            if self._sources is None or self._sources.process is not shown.process:
                self._sources = Sources(shown.process, self.model.session.run.info.cwd)
            self._fill(self._at, page, self._sources)
        self.set_lines(page.lines)

    def _fill(self, at: Seq, page: Page, sources: Sources) -> None:
        shown = self.model.shown
        assert shown is not None
        call = None if self._call is None else shown.timeline.calls.get(self._call)
        if call is not None:
            of_call(self.model, shown, call, page)
            return
        try:
            around = -1 if self.beside else AROUND
            of_operation(self.model, shown, sources, at, page, around=around)
        except UnknownOp as error:
            page.line((str(error), self.palette.warn))


PANE = DetailPane
