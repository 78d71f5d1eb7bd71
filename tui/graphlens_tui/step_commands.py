"""What the keys of the Step mode do: see `commands`."""

from __future__ import annotations

from collections.abc import Callable

from graphlens.debugger import Stop
from graphlens.live import Live
from graphlens.prompt import Answer, ranks_text
from graphlens.session import RunState
from graphlens_tracers.breakpoints import is_file
from graphlens_tracers.control import Breakpoint, words_of
from graphlens_tracers.errors import NotLive
from graphlens_tracers.events import Seq
from graphlens_tui.again_commands import AgainCommands
from graphlens_tui.backwards import Walk
from graphlens_tui.held import lines_of
from graphlens_tui.model import Mode
from graphlens_tui.panes.step import StepMoved
from graphlens_tui.step_saying import step_status
from graphlens_tui.stepper import Obeyed, Stepper, Stopped
from graphlens_tui.widgets.bars import Part, Parts
from graphlens_tui.widgets.dialogs import Ask

LOOK = 0.1
"""Seconds between two looks whether what is held is still there."""
RUNS = 0.05
"""Seconds after which a script that goes on is shown to run: a step has come to its next stop before."""
RUNS_ON = "the script runs: {} stops it at its next operation"


class StepCommands(AgainCommands):
    """The app as these keys see it."""

    _stepper: Stepper | None = None
    _over: Stop | None = None
    _pdb = False
    _note: Part | None = None

    @property
    def stepper(self) -> Stepper:
        """Who speaks with the script."""
        if self._stepper is None:
            self._stepper = Stepper(self.session, self.post_message)
        return self._stepper

    def on_mount(self) -> None:
        """Be told of stops, where somebody has attached already."""
        self.step.printed = self.output.printed
        self.step.keys = (self.keymap_.shown("break_here"), self.keymap_.shown("watch"))
        if self.stepper.attached():
            self._is_debugger()
        if self.model.live:
            self.set_interval(LOOK, self._look_at_held)

    def on_unmount(self) -> None:
        """Be told no more."""
        self.stepper.close()

    def _is_debugger(self) -> bool:
        """Become the debugger; says why not."""
        try:
            self.step.held.prompt = self.stepper.attach()
        except NotLive as error:
            self.say(str(error), wrong=True)
            return False
        return True

    # ── news ─────────────────────────────────────────────────────────────────────────────────

    def on_stopped(self, event: Stopped) -> None:
        """A thread is held: show where, if nobody is typing elsewhere."""
        held = self.step.held
        if held.stop is event.held or event.held.over:
            return
        if held.stop is not None and not held.stop.over:
            self.say("another process is held, too: it comes when this one goes on")
            return
        held.prompt = held.prompt or self.stepper.prompt
        held.take(event.held)
        self._note = None
        typing = len(self.screen_stack) > 1 or self.pane().keys_wanted()
        if self.mode is Mode.GRAPH and not typing:
            self.show_mode(Mode.STEP)
        if "rank" in event.held.said:
            self.say(ranks_text(event.held.said))
        self._check_way()
        self.look_now()
        self._shown_anew()
        self._ask_locals()

    def _check_way(self) -> None:
        """Whether a script that was run again has come to the same operation."""
        held = self.step.held
        said, expected = held.said, held.expected
        if said is None or expected is None:
            return
        if said["seq"] < expected[0]:
            self.say(f"on its way to op {expected[0]}")
            return
        held.expected = None
        if (said["seq"], said["op"]) == expected:
            self.say(f"run again: it is at op {expected[0]} again")
        else:
            self.say(
                f"it took another way: at op {said['seq']} {said['op']}, before it was "
                f"op {expected[0]} {expected[1]}", wrong=True,
            )  # fmt: skip

    def on_obeyed(self, event: Obeyed) -> None:
        """Something was answered, or the script goes on."""
        held, answer = self.step.held, event.answer
        if self._pdb and event.line == "pdb":
            self._pdb = False
            self.on_pane_left()
        if event.trouble:
            if not event.quiet:
                held.answered(event.line, event.trouble.splitlines(), "wrong")
                self.say(event.trouble.splitlines()[-1], wrong=True)
        elif answer is None:
            self.set_timer(RUNS, self._next_held)
            return
        elif answer["answer"] == "locals":
            held.locals = answer["locals"]
            self.step.changed("stack")
            return
        else:
            self._answered(event.line, answer)
        self._shown_anew()

    def _answered(self, line: str, answer: Answer) -> None:
        held, kind = self.step.held, answer["answer"]
        if kind == "kill":
            self._send_kill()
        elif kind == "restart":
            self.do_restart()
        elif kind == "detached":
            held.went_on()
            if isinstance(self.session, Live):
                self.session.detach()
            held.prompt, self._stepper = None, None
            self.say("the script goes on by itself")
        elif kind == "pausing":
            self._say_pausing()
        elif kind == "breakpoint":
            self.say(f"breakpoint {answer['number']}: {answer['text']}")
        elif kind == "breakpoints" and not line.startswith(("breakpoints", "info")):
            pass  # they are on the screen
        elif kind == "replaced":
            self._go("step" if held.said is not None and held.said["when"] == "after" else "after")
            self.say(f"{answer['which']} is replaced by {answer['text']}")
        elif kind == "saved":
            self.say(answer["text"])
        elif kind == "pdb is over":
            self.say("Python's debugger has ended: the script is held as before")
        else:
            wrong = kind == "value" and answer["error"]
            held.answered(line, lines_of(answer), "wrong" if wrong else "")
            self.step.open("answers") if not self.step.wide() else None

    def _look_at_held(self) -> None:
        """Ten times a second: whether what is held was killed, or has gone on by itself."""
        held = self.step.held
        stop = held.stop
        if stop is None:
            if held.pausing and self.session.state not in (RunState.RUNNING, RunState.HELD):
                held.pausing = False
            return
        gone = stop.gone()
        if stop.over:  # by us
            if self._over is stop:
                self._next_held()
            self._over = stop
        elif gone:
            stop.release()
            held.went_on()
            self.say("the script was interrupted or killed while it was held", wrong=True)
            if isinstance(self.session, Live):
                self.session.look()
            self._shown_anew()

    def _next_held(self) -> None:
        """The script goes on: show it, or another process that is held, too."""
        held = self.step.held
        if held.stop is None or not held.stop.over:
            return
        waiting = [] if held.prompt is None else [one for one in held.prompt.debugger.stops if not one.over]
        if waiting:
            self.on_stopped(Stopped(waiting[0]))
        else:
            held.went_on()
            self._shown_anew()

    def on_step_moved(self, event: StepMoved) -> None:
        """Another frame, or operation, is looked at."""
        if event.frame:
            self._ask_locals()
        self._show_bars()

    def _ask_locals(self) -> None:
        prompt, held = self.stepper.prompt, self.step.held
        if prompt is not None and held.stop is not None:
            prompt.frame = held.frame
            self.stepper.obey("locals", quiet=True)

    def look_now(self) -> None:
        """Take in what was recorded up to here."""
        raise AssertionError("the app does")

    def _shown_anew(self) -> None:
        self.step.changed()
        self._show_bars()

    def step_status(self, note: Part | None) -> Parts:
        """The status line of this mode."""
        step = self.step
        return step_status(self.model, step.held, step.at(), note, self.glyphs, self.palette)

    def _show_bars(self) -> None:
        """The lines around the panes."""
        raise AssertionError("the app draws them")

    # ── forwards ─────────────────────────────────────────────────────────────────────────────

    def do_step_mode(self) -> None:
        over = not self.model.live and self.step.held.stop is None
        if over and self.mode is Mode.GRAPH and self.at is not None:
            self.step.held.back, self.step.held.line = self.at, None  # one cursor for both
        self.show_mode(Mode.STEP)
        self.call_after_refresh(self._shown_anew)

    def do_pause(self) -> None:
        if self.step.held.stop is not None:
            self.say("it is held already")
        elif self.session.state not in (RunState.RUNNING, RunState.HELD):
            self.say("the script has ended: there is nothing to pause")
        elif self._is_debugger():
            self.stepper.obey("pause")

    def _say_pausing(self) -> None:
        if self.step.held.stop is not None:
            return  # it was quick
        self.step.held.pausing = True
        self.say("pausing… it stops at its next operation: a long one, or a sleep, has to end first")

    def _go(self, words: str) -> None:
        """Let the script go on until somewhere; in what is over, or looked back at, move there."""
        held, way = self.step.held, words.removeprefix("until ")
        if held.back is not None and held.stop is not None:
            held.back, held.line = None, None
            self.say("here it is held; the same key again goes on")
            self._shown_anew()
        elif held.stop is not None:
            held.line = None
            self.stepper.obey(words)
        elif self.model.live:
            self.say(RUNS_ON.format(self.keymap_.shown("pause")))
        else:
            self._walk(way, 1)

    def do_step_into(self) -> None:
        self._go("step")

    def do_step_over(self) -> None:
        self._go("next")

    def do_step_out(self) -> None:
        self._go("out")

    def do_go_on(self) -> None:
        self._go("continue")

    def do_step_line(self) -> None:
        self._go("line")

    def do_to_phase(self) -> None:
        self._go("until phase")

    def do_to_training_step(self) -> None:
        self._go("until training-step")

    def do_to_non_finite(self) -> None:
        self._go("until non-finite")

    def do_after(self) -> None:
        if self.step.held.stop is None and not self.model.live:
            self.say("the run is over: everything has run")
        else:
            self._go("after")

    def do_to_cursor(self) -> None:
        cursor = self.step.cursor()
        if cursor is None or self.step.held.stop is None:
            self.say("nothing is held")
            return
        self.step.held.back = None
        self._go(f"until {cursor[0]}:{cursor[1]}")

    # ── backwards ────────────────────────────────────────────────────────────────────────────

    def _walk(self, way: str, by: int) -> None:
        held, shown = self.step.held, self.step.shown()
        if shown is None or not shown.timeline.end:
            self.say("nothing was recorded of this process yet")
            return
        at = held.back
        if at is None:
            at = Seq(shown.timeline.end - (1 if held.said is None else 0))
        if held.said is None and self.model.live:
            self.say(RUNS_ON.format(self.keymap_.shown("pause")))
            return
        start = Seq(min(at, shown.timeline.end - 1))
        if at > start and by < 0 and way == "step":
            found, trouble = start, ""
        else:
            walk = Walk(shown, self.model.ill)
            found, trouble = walk.go(start, way, by, held.breakpoints), walk.trouble
        held.back, held.line = found, None
        if trouble:
            self.say(trouble)
        self._shown_anew()

    def do_back_into(self) -> None:
        self._walk("step", -1)

    def do_back_over(self) -> None:
        self._walk("next", -1)

    def do_back_out(self) -> None:
        self._walk("out", -1)

    def do_back_on(self) -> None:
        self._walk("continue", -1)

    # ── breakpoints ──────────────────────────────────────────────────────────────────────────

    def do_break_here(self) -> None:
        """At the line of the cursor, or every time the operation under it runs; again: not any more."""
        if not self._is_debugger():
            return
        held, where = self.step.held, self._breakable()
        if where is None:
            self.say("the cursor is on no line and no operation")
            return
        kind, pattern, line = where
        same = [
            one for one in held.breakpoints
            if one.kind == kind and one.line == line and not one.condition
            and (one.pattern == pattern or (kind == "line" and is_file(pattern, one.pattern)))
        ]  # fmt: skip
        if same:
            self.stepper.obey(f"delete {same[0].number}")
            self.say(f"no breakpoint at {same[0]} any more")
        else:
            self.stepper.obey(f"break {pattern}:{line}" if kind == "line" else f"break op:{pattern}")

    def _breakable(self) -> tuple[str, str, int] | None:
        """What a breakpoint would be at: (kind, pattern, line)."""
        step = self.step
        if step.held.section != "execution":
            cursor = step.cursor()
            return None if cursor is None else ("line", *cursor)
        at, shown, said = step.at(), step.shown(), step.held.said
        if at is None:
            return None if said is None else ("op", str(said["op"]), 0)
        return None if shown is None else ("op", shown.process.op(at).node.op, 0)

    def _chosen(self) -> Breakpoint | None:
        held = self.step.held
        if held.section != "breakpoints" or not 0 <= held.chosen < len(held.breakpoints):
            self.say("choose a breakpoint first: tab goes to them")
            return None
        return held.breakpoints[held.chosen]

    def do_toggle_breakpoint(self) -> None:
        one = self._chosen()
        if one is not None:
            self.stepper.obey(f"{'disable' if one.enabled else 'enable'} {one.number}")

    def do_delete_breakpoint(self) -> None:
        one = self._chosen()
        if one is not None:
            self.stepper.obey(f"delete {one.number}")

    def do_watch(self) -> None:
        if self._is_debugger():
            prompt = "stop after what makes: nan, inf, non-finite, absmax>1e4, or an expression of out"
            self.push_screen(Ask(prompt, "non-finite"), self._obeyed("watch"))

    def _obeyed(self, word: str) -> Callable[[str | None], None]:
        """What is done with a line that was typed after a word."""

        def typed(text: str | None) -> None:
            if text is not None and text.strip():
                self.stepper.obey(f"{word} {text}".strip())

        return typed

    # ── looking, and changing ────────────────────────────────────────────────────────────────

    def _is_held(self) -> bool:
        held = self.step.held
        if held.stop is None:
            self.say(
                "nothing is held" if not self.model.live else RUNS_ON.format(self.keymap_.shown("pause"))
            )
        return held.stop is not None

    def do_evaluate(self) -> None:
        if self._is_held():
            prompt = "Python in this frame, as in0.abs().max(), or lr = 0.1; in0, out0 are the operation's"
            self.push_screen(Ask(prompt, ""), self._obeyed("print"))

    def do_replace(self) -> None:
        if self._is_held():
            prompt = "out0 = x.clamp(min=1e-6): x is what it was"
            self.push_screen(Ask(prompt, "out0 = x"), self._obeyed("set"))

    def do_words(self) -> None:
        if self._is_debugger():
            prompt = (
                "a word of the debugger: break, tbreak, until, print, set, pdb, detach …; help lists them"
            )
            self.push_screen(Ask(prompt, ""), self._word)

    def _word(self, text: str | None) -> None:
        word = "" if text is None else text.strip()
        if word == "why":
            self.show_mode(Mode.HEALTH)
        elif word == "pdb":
            if self._is_held():
                self._pdb = True
                self.stepper.obey("pdb")
                self.do_output()
        elif word:
            self.step.held.line = None
            self.stepper.obey(word)

    def do_output(self) -> None:
        """Show what the script printed."""
        raise AssertionError("the app shows it")

    def on_pane_left(self) -> None:
        """The script does not get the keys any more."""
        raise AssertionError("the app takes them")

    def do_next_section(self) -> None:
        self.step.turn(1)

    def do_previous_section(self) -> None:
        self.step.turn(-1)

    def do_step_detail(self) -> None:
        """The operation that is looked at, in the graph; of a breakpoint, where it is."""
        held = self.step.held
        if held.section == "breakpoints" and 0 <= held.chosen < len(held.breakpoints):
            one = held.breakpoints[held.chosen]
            self.push_screen(
                Ask("stop here instead: WHERE if CONDITION", words_of(one)),
                self._obeyed(f"edit {one.number}"),
            )
            return
        at = self.step.at()
        if at is not None:
            self.go_to(at)
        else:
            self.do_inspect()

    def do_inspect(self) -> None:
        """The elements of the held operation's tensors, as they are now."""
        held = self.step.held
        if held.back is not None or held.stop is None:
            at = self.step.at()
            if at is None:
                self.say("nothing is held")
                return
            self.at = at
            self.do_tensor_mode()
            return
        if self.tensor.open_held(held.stop):
            self.came_from = Mode.STEP
            self.show_mode(Mode.TENSOR)
        else:
            self.say("it has no tensors")
