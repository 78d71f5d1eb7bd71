"""A run is opened as it was left: the cursor, what was folded and filtered, the mode, the sizes of panes."""

from __future__ import annotations

import os

from graphlens_tracers.errors import CannotWrite
from graphlens_tracers.events import CallId, Seq
from graphlens_tui import memory
from graphlens_tui.keys import BY_ID
from graphlens_tui.memory import MOST_CLOSED, View
from graphlens_tui.model import Mode
from graphlens_tui.settings import Settings
from graphlens_tui.sizing import Sizing


class Remembering(Sizing, inherit_bindings=False):
    """The app as one that is opened again.

    Attributes:
        remembered: How the run was left; None where nobody knows.
        forgotten: Why that could not be read; `not_kept`: why how it was left could not be kept.
    """

    settings: Settings
    remembered: View | None = None
    forgotten: str = ""
    not_kept: str = ""

    def remember(self) -> None:
        """Read how the run was left."""
        if self.settings.restore:
            self.remembered, self.forgotten = memory.load(self.session.run.info)

    def begins_light(self) -> bool:
        """Dark text on light: the environment says so, else how the run was left, else the file."""
        if self.remembered is not None and not os.environ.get("GRAPHLENS_THEME"):
            return self.remembered.light
        return self.settings.light()

    def restore_sizes(self) -> None:
        """What does not need the run to be read."""
        if self.remembered is not None:
            self.side_wish, self.bottom_wish = self.remembered.side, self.remembered.bottom

    def restore(self) -> bool:
        """Show the run as it was left; whether the cursor was set.

        One that still runs is followed, as always: of it folds and the filter are restored.
        """
        view, shown = self.remembered, self.model.shown
        if view is None or shown is None:
            return False
        timeline = shown.timeline
        closed = timeline.calls.keys() if view.closed is None else timeline.calls.keys() & set(view.closed)
        if view.folded or closed:
            self.graph.refold(frozenset(view.folded), {CallId(call) for call in closed})
        if view.filter:
            self.filter_again(view.filter)
        if self.model.live or view.at is None or not view.at < timeline.end:
            return False
        call = None if view.call not in timeline.calls else CallId(view.call)
        self.at = Seq(view.at)
        self.graph.return_to(self.at, call)
        if view.mode not in (Mode.GRAPH, Mode.RUNS) and f"{view.mode}_mode" in BY_ID:
            self.call_after_refresh(self._act, f"{view.mode}_mode")
        return True

    def keep_view(self) -> None:
        """Keep how the run is left."""
        shown = self.model.shown
        if shown is None or not self.settings.restore:
            return
        timeline = shown.timeline
        closed = None if len(timeline.closed) > MOST_CLOSED else sorted(int(call) for call in timeline.closed)
        line = self.graph.line()
        view = View(
            at=None if self.at is None else int(self.at),
            call=None if line is None or line.call is None else int(line.call),
            mode=str(Mode.GRAPH if self.mode is Mode.RUNS else self.mode),
            folded=sorted(timeline.folded),
            closed=closed,
            filter=self.filtered if self._sifting is not None else "",
            light=not self.current_theme.dark,
            side=self.side_wish,
            bottom=self.bottom_wish,
        )
        try:
            memory.keep(self.session.run.info, view)
        except CannotWrite as error:
            self.not_kept = str(error)
