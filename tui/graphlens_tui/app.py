"""The app: puts the panes on the screen, owns the selection, and hands keys to what they do."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantBlur, DescendantFocus, Key, Resize
from textual.timer import Timer
from textual.widget import Widget

from graphlens.session import Session
from graphlens_tracers.events import CallId, Seq
from graphlens_tui import keys, saying, settings
from graphlens_tui.bridge import Bridge
from graphlens_tui.judging import Judge
from graphlens_tui.listing import Listing, Opened
from graphlens_tui.messages import CursorMoved, IllKnown, Judged, Said
from graphlens_tui.model import Mode, Model, Place
from graphlens_tui.palette import DARK, DARK_THEME, LIGHT, LIGHT_THEME
from graphlens_tui.panes import MODES, Pane, panes
from graphlens_tui.panes.boxes import BoxesPane
from graphlens_tui.panes.compare import ComparePane
from graphlens_tui.panes.graph import GraphPane
from graphlens_tui.panes.health import HealthPane
from graphlens_tui.panes.output import OutputPane
from graphlens_tui.panes.preview import PreviewPane
from graphlens_tui.panes.runs import RunsPane
from graphlens_tui.panes.tensor import TensorPane
from graphlens_tui.remembering import Remembering
from graphlens_tui.widgets.bars import Bar, Part
from graphlens_tui.widgets.scrubber import Scrubber

WIDEST, WIDE, MEDIUM = 190, 140, 110
"""Columns from which the details stand beside the graph: with much, enough, and little room."""
TALL = 32
"""Rows from which the output stands below the graph."""
LOADED = 0.5
"""Seconds after the first screen in which all that it needs has been loaded."""
FRAME = 0.1
"""Seconds between two looks at a run that grows."""
SETTLE = 0.05
"""Seconds that the cursor has to rest before the details are made."""
FOLLOWED = 0.5
"""Seconds between two details while the cursor goes along with a run that grows."""
SHARE = 4
"""After a look at a run that grows there is a rest of so many times as long as it took."""


class GraphlensApp(Remembering):
    """The terminal UI on one session."""

    CSS_PATH = "app.tcss"
    TITLE = "graphlens"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[str]] = []  # type: ignore[assignment]  # all keys are in `keys`

    def __init__(
        self,
        session: Session,
        keymap: keys.Keymap | None = None,
        opened: Opened | None = None,
        started: Session | None = None,
    ) -> None:
        """Args: opened: What the app before this one ended with; started: as in `RunCommands`."""
        super().__init__()
        self.session = session
        self.started = started or session
        self.model = Model(session)
        self.settings = settings.load()
        self.remember()
        self.glyphs = self.settings.glyphs()
        self.palette = LIGHT if (self.begins_light() if opened is None else opened.light) else DARK
        self.keymap_ = keymap or keys.load()
        self.panes = [pane(self.model, self.glyphs, self.palette) for pane in panes()]
        self.graph = next(pane for pane in self.panes if isinstance(pane, GraphPane))
        self.boxes = next(pane for pane in self.panes if isinstance(pane, BoxesPane))
        self.boxes.display = False
        self.output = next(pane for pane in self.panes if isinstance(pane, OutputPane))
        self.health = next(pane for pane in self.panes if isinstance(pane, HealthPane))
        self.tensor = next(pane for pane in self.panes if isinstance(pane, TensorPane))
        self.tensor.difference_key = self.keymap_.shown("difference")
        self.health.rules_key = self.keymap_.shown("rules")
        self.runs = next(pane for pane in self.panes if isinstance(pane, RunsPane))
        self.preview = next(pane for pane in self.panes if isinstance(pane, PreviewPane))
        self.compare = next(pane for pane in self.panes if isinstance(pane, ComparePane))
        self.listing_begins(Listing() if opened is None else opened.listing)
        self.mode = Mode.GRAPH
        self.typed = [] if opened is None else opened.typed
        self.at: Seq | None = None
        self.trail: list[Seq | Mode | Place] = [] if opened is None else [Mode.RUNS]
        self.step.held.expected = None if opened is None else opened.again
        self._call: CallId | None = None
        self._bridge = Bridge(session, self.model.process, self.post_message)
        self.judge = Judge(session, self.model.process, self.post_message)
        self._judged_for = (-1, False)
        self._bars = {
            name: Bar(self.glyphs, self.palette, name) for name in ("top", "status", "foot", "filter")
        }
        self.filter_bar = self._bars["filter"]
        keys_of_calls = f"{self.keymap_.shown('previous_call')} {self.keymap_.shown('next_call')}"
        self.scrubber = Scrubber(self.glyphs, self.palette, keys_of_calls)
        self._presses: tuple[str, ...] = ()
        self._waiting: Timer | None = None
        self._settling: Timer | None = None
        self._looking: Timer | None = None
        self._took = 0.0
        self._note: Part | None = None
        self._zoomed: Pane | None = None
        self._first = True
        self._places: dict[str, Widget] = {}

    # ── the screen ───────────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        """Bars around the panes, each in its slot."""
        by_slot = {
            slot: [pane for pane in self.panes if pane.SLOT == slot]
            for slot in ("main", "side", "bottom", *MODES)
        }
        yield self._bars["top"]
        with Horizontal(id="body"):
            yield Vertical(*by_slot["main"], self.filter_bar, id="main")
            yield Vertical(*by_slot["side"], id="side")
        yield Vertical(*by_slot["bottom"], id="bottom")
        for mode in MODES:
            yield Vertical(*by_slot[mode], id=f"{mode}-mode", classes="hidden")
        yield self.scrubber
        yield self._bars["status"]
        yield self._bars["foot"]

    def on_mount(self) -> None:
        """Show what is there, and begin to follow."""
        self.register_theme(DARK_THEME)
        self.register_theme(LIGHT_THEME)
        self.theme = (LIGHT_THEME if self.palette is LIGHT else DARK_THEME).name
        self.set_class(self.glyphs.ascii, "ascii")
        self.filter_bar.add_class("hidden")
        for pane in self.panes:
            pane.border_title = pane.TITLE
            pane.set_class(pane.SLOT in ("side", "bottom") or pane in (self.runs, self.preview), "framed")
        self.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        self.graph.focus()
        self.model.update()
        self.restore_sizes()
        self._arrange()
        self._bridge.start()
        self.judge.start()
        self.reader.start()
        wrong = [*(f"keys: {one}" for one in self.keymap_.wrong), *self.settings.wrong, self.forgotten]
        if any(wrong):
            self.say(next(filter(None, wrong)), wrong=True)
        if self.model.live:
            self.set_interval(0.5, self._show_bars)  # how long the operation has been running
            self.set_interval(FRAME, self._look_at_output)

    def on_unmount(self) -> None:
        """End what follows the run, and keep how it is left."""
        self.keep_view()
        self._bridge.close()
        self.judge.close()
        self.reader.close()

    def on_resize(self, event: Resize) -> None:
        """Room for other panes: once the app knows its new size, which it learns after this."""
        self.call_later(self._arrange)

    def _arrange(self) -> None:
        """Show the panes that there is room for; the one that has the keys always."""
        width, height = self.size
        has_keys = self.pane()
        alone = self._zoomed is not None or (has_keys is not self.canvas and (width < MEDIUM or height < 12))
        alone = alone or self.mode is not Mode.GRAPH
        if has_keys is self.output and (width < MEDIUM or height < TALL):
            alone = True
        shown = {
            "main": not alone or has_keys.SLOT == "main",
            "side": has_keys.SLOT == "side" if alone else width >= MEDIUM,
            "bottom": has_keys.SLOT == "bottom" if alone else self.output.used and height >= TALL,
        }
        for mode in MODES:
            self._place(f"{mode}-mode").set_class(has_keys.SLOT != mode, "hidden")
        self.arrange_runs(has_keys, height)
        self.arrange_scrubber()
        self.arrange_source(has_keys, height, alone=alone)
        for slot, visible in shown.items():
            self._place(slot).set_class(not visible, "hidden")
        self._place("body").set_class(not (shown["main"] or shown["side"]), "hidden")
        self.set_class(width >= WIDEST, "wide")
        self.set_class(width < WIDE, "medium")
        self._place("side").styles.width = "1fr" if alone else self.side_room()
        lines = 14 if self.model.live else len(self.output.printed) + 2  # what is over needs no more room
        natural = max(5, min(lines, 14, height // 4))
        self._place("bottom").styles.height = "1fr" if alone else self.bottom_room(natural)
        self._show_bars()

    def _place(self, name: str) -> Widget:
        """What holds panes; also while the app ends, and they are taken away one by one."""
        if name not in self._places:
            self._places[name] = self.query_one(f"#{name}", Widget)
        return self._places[name]

    def _recolour(self) -> None:
        self.palette = DARK if self.current_theme.dark else LIGHT
        for bar in self._bars.values():
            bar.recolour(self.palette)
        self.scrubber.recolour(self.palette)
        self._tell()
        for pane in self.panes:
            pane.recolour(self.palette)
        self._show_bars()

    def _show_bars(self) -> None:
        line = self.graph.line()
        top = saying.top(self.model, self.mode, self.keymap_, self.glyphs, self.palette)
        self._bars["top"].set_parts(top.left, top.right)
        note = self._note
        if self._presses:
            note = Part(f"  {''.join(self._presses)}…", self.palette.warn, True, need=9)
        if self.mode is Mode.HEALTH:
            status = saying.health_status(self.health.findings, self.model.live, note, self.palette)
        elif self.mode is Mode.TENSOR:
            op, findings = self.tensor.op, self.health.findings
            status = saying.tensor_status(self.model, op, findings, note, self.palette)
        elif self.mode is Mode.STEP:
            status = self.step_status(note)
        elif self.mode is Mode.RUNS:
            compared = self.compare.compared
            hint = f"{self.keymap_.shown('next_pane')} preview" * (not self.preview.display)
            status = saying.runs_status(self.listing, compared, note, self.keymap_, self.palette, hint)
        else:
            status = saying.status(self.model, line, self.graph.following, note, self.glyphs, self.palette)
        self._bars["status"].set_parts(status.left, status.right)
        comparing = self.mode is Mode.RUNS and self.comparing
        typing = self.pane().keys_wanted()
        foot = saying.footer(
            self.keymap_, self.model, self.keys_for, typing, self.palette, comparing=comparing
        )
        self._bars["foot"].set_parts(foot.left, foot.right)

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Say something in the status line until the next key."""
        self._note = Part(f"  {text}", self.palette.nan if wrong else self.palette.accent, True, need=9)
        self._show_bars()

    # ── news ─────────────────────────────────────────────────────────────────────────────────

    def on_run_changed(self) -> None:
        """The run moved on: look at it soon, and not more often than frames are worth it."""
        if self._looking is None:
            soon = self._first or self.step.held.stop
            self._looking = self.set_timer(0.001 if soon else max(FRAME, SHARE * self._took), self._look)

    def look_now(self) -> None:
        """Show what is on its way at once."""
        if self._looking is not None:
            self._looking.stop()
            self._look()

    def _look(self) -> None:
        self._looking = None
        began = time.perf_counter()
        self._bridge.taken()
        self.model.update()
        self.sift()
        for pane in self.panes:
            pane.changed()
        if self._first and self.model.shown is not None:
            self._first = False
            if not self.restore() and not self.model.live and self._ended_badly():
                self.graph.move_to(end=True)
            self.call_after_refresh(self._bridge.begin)
            self.set_timer(LOADED, _settle)
        self._arrange()
        self._took = time.perf_counter() - began

    def _look_at_output(self) -> None:
        """A script may print, and wait for an answer, without any operation having run."""
        used = self.output.used
        self.output.changed()
        if used != self.output.used:
            self._arrange()

    def _ended_badly(self) -> bool:
        info = self.session.run.info
        return bool(info.exit_code) or info.signal is not None or info.state != "finished"

    def on_ill_known(self, event: IllKnown) -> None:
        """Which operations are ill is known anew."""
        self.model.look_ill(event.ill)
        self.sift()
        shown, seqs = self.model.shown, event.ill.seqs
        if shown is not None and len(seqs) and seqs[-1] >= shown.timeline.end:
            self._look()  # what is told of can be gone to
        self.graph.changed()
        if not self.model.live:  # else they look again with every piece of the run
            for pane in self.panes:
                if pane.SLOT == "side":
                    pane.changed()
        self.show_occurrences()
        now = len(event.ill.seqs), self.model.live
        wanted = bool(len(event.ill.seqs)) or self.mode is Mode.HEALTH
        if now != self._judged_for and wanted:
            self._judged_for = now
            self.judge.ask()
        self._show_bars()

    def on_judged(self, event: Judged) -> None:
        """There is a verdict, or a reason why there is none."""
        self.health.found(event.findings, event.trouble)
        self._show_bars()

    def on_cursor_moved(self, event: CursorMoved) -> None:
        """Another operation is selected."""
        self.at, self._call = event.seq, event.call
        self.follow_boxes(event.seq)
        self._show_bars()
        along = self.goes_along()
        if self._settling is not None and not along:
            self._settling.stop()
        if self._settling is None or not along:
            self._settling = self.set_timer(FOLLOWED if along else SETTLE, self._show_selection)

    def _show_selection(self) -> None:
        self._settling = None
        for pane in self.panes:
            if pane.SLOT in ("side", "bottom"):
                pane.show(self.at, self._call)
        self.show_occurrences()

    def on_said(self, event: Said) -> None:
        """A pane has something to say."""
        self.say(event.text, wrong=event.wrong)

    def on_pane_left(self) -> None:
        """The script does not get the keys any more."""
        self._zoomed = None
        self.home.focus()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Another pane has the keys."""
        self._arrange()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """See `on_descendant_focus`."""
        self._show_bars()

    # ── keys ─────────────────────────────────────────────────────────────────────────────────

    def pane(self) -> Pane:
        """The pane that has the keys."""
        return next((pane for pane in self.panes if pane.has_focus), self.home)

    @property
    def home(self) -> Pane:
        """The pane that has the keys when no other one is asked for."""
        if self.mode is Mode.RUNS:
            return self.compare if self.comparing else self.runs
        if self.mode is Mode.GRAPH:
            return self.canvas
        return next(pane for pane in self.panes if pane.SLOT == str(self.mode))

    def on_key(self, event: Key) -> None:
        """Add a press to the sequence, and do what it means."""
        if len(self.screen_stack) > 1:
            self.typed_before(event)
            return
        event.stop()
        self._note = None
        press = (
            event.character if event.is_printable and event.character and event.key != "space" else event.key
        )
        presses = (*self._presses, press)
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        action, begins = (
            self.keymap_.action(presses, self.keys_for),
            self.keymap_.begins(presses, self.keys_for),
        )
        if begins:
            self._presses = presses
            if action is not None:
                self._waiting = self.set_timer(self.settings.patience, self._act_on_what_there_is)
            self._show_bars()
            return
        before, self._presses = self._presses, ()
        if action is None and before:  # it is no longer sequence: do the short one, then this key
            short = self.keymap_.action(before, self.keys_for)
            if short is not None:
                self._act(short)
            action = self.keymap_.action((press,), self.keys_for) if press != "escape" else None
        if action is not None:
            self._act(action)
        elif press == "escape":
            self._escape()
        self._show_bars()

    def _act_on_what_there_is(self) -> None:
        presses, self._presses = self._presses, ()
        action = self.keymap_.action(presses, self.keys_for)
        if action is not None:
            self._act(action)
        self._show_bars()

    def _act(self, action: str) -> None:
        if self.mode is not Mode.GRAPH and action in keys.GRAPH_ONLY:
            self.say(f"that is for the graph: {self.keymap_.shown('graph_mode')} goes there")
        elif self.mode is not Mode.RUNS and action in keys.RUNS_ONLY:
            self.say(f"that is for the runs: {self.keymap_.shown('runs_mode')} goes there")
        elif action.startswith("fold_to_"):
            self.fold_to(int(action.removeprefix("fold_to_")))
        else:
            getattr(self, f"do_{action}")()

    def _escape(self) -> None:
        self._note = None
        if self._zoomed is not None or self.pane() is not self.home:
            self.on_pane_left()
            self._arrange()
        elif self.mode is Mode.GRAPH:
            self.show_all()

    # ── panes ────────────────────────────────────────────────────────────────────────────────

    def _cycle(self, by: int) -> None:
        if self.mode is Mode.TENSOR:
            self.tensor.turn(by)
            return
        there = [pane for pane in self.panes if pane is not self.output or self.output.used]
        if self.mode is not Mode.GRAPH:
            there = [self.runs, self.preview] if self.home is self.runs else [self.home]
        else:
            there = [pane for pane in there if pane.SLOT in ("main", "side", "bottom") and pane.display]
        at = there.index(self.pane()) if self.pane() in there else 0
        self._zoomed = None
        there[(at + by) % len(there)].focus()
        self._arrange()

    def do_next_pane(self) -> None:
        self._cycle(1)

    def do_previous_pane(self) -> None:
        self._cycle(-1)

    def show_mode(self, mode: Mode) -> None:
        """Give the whole screen to a mode; what its panes show is kept."""
        self.mode, self._zoomed = mode, None
        self._arrange()
        self.home.focus()
        self.reader.wanted = mode is Mode.RUNS
        if mode is Mode.RUNS:
            self.call_after_refresh(self._changed)
            self.reader.look()
        if mode is Mode.HEALTH:
            self.call_after_refresh(self.health.changed)
            if self.health.findings is None:
                self.judge.ask()

    def do_zoom(self) -> None:
        self._zoomed = None if self._zoomed is not None else self.pane()
        self._arrange()

    def do_output(self) -> None:
        if self.pane() is self.output:
            self.on_pane_left()
        elif not self.output.used:
            self.say("the script's output was not kept: it went to its own terminal")
            return
        else:
            self._zoomed = self.output
            self.output.focus()
        self._arrange()


def _settle() -> None:
    """What was loaded stays: no collection of it makes a frame late."""
    gc.collect()
    gc.freeze()


def _shown(app: GraphlensApp) -> Opened | None:
    """Show it until it is left; what then could not be kept is said where the person is now."""
    opened = app.run()
    if app.not_kept:
        print(f"graphlens: {app.not_kept}", file=sys.stderr)
    return opened


def run(session: Session, again: Callable[[], Path] | None = None) -> None:
    """Show a session until the person leaves, and the runs that they open meanwhile.

    The session stays open; those of other runs are closed. `again`: starts its script once more, held.
    """
    app, shown = GraphlensApp(session), session
    app.again = again
    try:
        while (opened := _shown(app)) is not None:
            gc.unfreeze()  # what was loaded of the run before may go
            if shown is not session:
                shown.close()
            shown = opened.session
            app = GraphlensApp(shown, app.keymap_, opened, session)
            app.again = again if opened.again is not None else None
    finally:
        if shown is not session:
            shown.close()
