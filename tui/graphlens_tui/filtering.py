"""What the keys do with a filter: only lines that fit a query are shown, and how many are not is said."""

from __future__ import annotations

from graphlens.session import Call
from graphlens.text import clean
from graphlens_tracers.events import Seq
from graphlens_tui.decoded import Ill
from graphlens_tui.model import Mode
from graphlens_tui.palette import Palette
from graphlens_tui.query import WORDS
from graphlens_tui.scrubbing import Scrubbing
from graphlens_tui.search import Ints, Search
from graphlens_tui.widgets.bars import Bar, Part
from graphlens_tui.widgets.dialogs import Ask


class Filtering(Scrubbing, inherit_bindings=False):
    """The app as these keys see it.

    Attributes:
        filter_bar: The line that says what is hidden; its parent shows it.
        filtered: What is shown, as a person calls it; "" for everything.
    """

    filter_bar: Bar
    filtered: str = ""
    _filter_asked: str = ""
    _sifting: Search | None = None

    def do_filter(self) -> None:
        """Ask what to show."""
        if self.mode is Mode.RUNS:
            self.do_search()
        else:
            self.push_screen(Ask(f"show only: {WORDS}", self._filter_asked), self.filter_by)

    def filter_by(self, asked: str | None) -> None:
        """Show only what fits a query; an empty one shows everything."""
        if asked is None or self.model.shown is None:
            return
        self._filter_asked = asked
        search = self.searched(asked)
        if search is None:
            if not asked.strip():
                self.show_all()
            return
        hits = search.hits()
        if not len(hits) and not self.model.live:
            self.say(f"nothing fits {clean(asked, 80)!r}: all is shown as before", wrong=True)
            return
        self._sifting = search
        self.show_only(asked.strip(), hits)

    def filter_again(self, asked: str) -> None:
        """Filter a run that has just been opened, whether anything fits or not."""
        search, shown = self.searched(asked), self.model.shown
        if search is None or shown is None:
            return
        if not self.model.ill.known:
            self.model.look_ill(Ill.of(shown.process))
        self._sifting, self._filter_asked = search, asked
        self.show_only(asked, search.hits())

    def show_only(self, name: str, hits: Ints) -> None:
        """Show these operations; `name` says which they are."""
        shown = self.model.shown
        if shown is None:
            return
        if self.mode is not Mode.GRAPH:
            self.show_mode(Mode.GRAPH)
        self.filtered = name
        shown.timeline.show_only(hits)
        self.graph.sifted()
        self._tell()

    def show_all(self) -> None:
        """Take the filter away."""
        shown = self.model.shown
        self.filtered, self._sifting = "", None
        if shown is not None and shown.timeline.only is not None:
            shown.timeline.show_only(None)
            self.graph.sifted()
        self._tell()

    def sift(self) -> None:
        """There are more operations, or more is known of them."""
        shown = self.model.shown
        if self._sifting is not None and shown is not None:
            shown.timeline.show_only(self._sifting.hits())
            self._tell()

    def _tell(self) -> None:
        """Say what is hidden."""
        shown, palette = self.model.shown, self.palette
        only = None if shown is None else shown.timeline.only
        self.filter_bar.set_class(only is None, "hidden")
        if shown is not None and only is not None:
            self.filter_bar.set_parts(*self._told(len(only), shown.process.op_count, palette))

    def _told(self, shown: int, all_: int, palette: Palette) -> tuple[list[Part], list[Part]]:
        left = [
            Part(f" {self.keymap_.shown('filter')} ", palette.warn, True, need=6),
            Part(f"{clean(self.filtered, 80)}", palette.bright, True, need=8),
            Part(f"   {shown:,} of {all_:,} operations", palette.text, need=7),
            Part(f"   {all_ - shown:,} hidden ", palette.warn, True, need=9),
        ]
        return left, [Part(" escape ", palette.warn, True, need=5), Part("shows all ", palette.text, need=5)]

    # ── going where the filter does not let ──────────────────────────────────────────────────

    def go_to(self, seq: Seq, *, jump: bool = True) -> None:
        """Select an operation in the graph; what the filter hides is shown with everything else."""
        hidden = self._hides(seq)
        if hidden:
            self.show_all()
        super().go_to(seq, jump=jump)
        if hidden:
            self.say(f"op {seq} does not fit the filter: all is shown")

    def enter_call(self, call: Call) -> None:
        """Select the headline of a call; as every jump, it can be taken back."""
        if self._hides(call.first):
            self.show_all()
        super().enter_call(call)

    def _hides(self, seq: int) -> bool:
        shown = self.model.shown
        return shown is not None and not shown.timeline.shows(seq)
