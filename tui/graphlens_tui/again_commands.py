"""Running the script again to the same operation, and ending it: see `commands`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from graphlens.live import Live
from graphlens.session import RunState
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.errors import GraphlensError, NotLive
from graphlens_tui import leaving
from graphlens_tui.leave_commands import LeaveCommands
from graphlens_tui.listing import Listing, Opened
from graphlens_tui.messages import Said
from graphlens_tui.palette import LIGHT
from graphlens_tui.panes.step import StepPane


class AgainCommands(LeaveCommands):
    """The app as one that can start its script once more."""

    again: Callable[[], Path] | None = None
    """Starts the script once more, held; None where nobody can."""

    @property
    def listing(self) -> Listing:
        """The saved runs."""
        raise AssertionError("the commands of the Runs mode know")

    @property
    def step(self) -> StepPane:
        """The pane of this mode."""
        return next(pane for pane in self.panes if isinstance(pane, StepPane))

    def _send_kill(self) -> None:
        if isinstance(self.session, Live):
            try:
                self.session.terminate()
            except NotLive as error:
                self.say(str(error), wrong=True)

    def do_restart(self) -> None:
        """Run the script again, to the operation that is looked at."""
        step = self.step
        said, at = step.held.said, step.at()
        shown = step.shown()
        if self.again is None:
            self.say("only a script that `graphlens run` has started can be run again from here")
            return
        if at is not None and shown is not None:
            to = (int(at), shown.process.op(at).node.op)
        elif said is not None:
            to = (int(said["seq"]), str(said["op"]))
        else:
            self.say("nothing has run yet")
            return
        self.say(f"running it again, to op {to[0]}")
        self.run_again(to, list(step.held.breakpoints))

    def run_again(self, to: tuple[int, str], breakpoints: list[Breakpoint]) -> None:
        """End the script, start it once more, and show that one."""
        again, session = self.again, self.session
        assert again is not None, "the caller has looked"

        def restart() -> None:
            try:
                if isinstance(session, Live) and session.state in (RunState.RUNNING, RunState.HELD):
                    leaving.end(session)
                run = Live(again())
                number = max((one.number for one in breakpoints), default=0) + 1
                stop = Breakpoint(number, "at", line=to[0], temporary=True)
                kept = [replace(one, hits=0) for one in breakpoints]
                run.attach(breakpoints=[stop, *kept], at_start=False)
            except (GraphlensError, OSError) as error:
                self.post_message(Said(str(error), wrong=True))
                return
            self.call_from_thread(self.show_again, run, to)

        self.run_worker(restart, thread=True, name="again")

    def show_again(self, run: Live, to: tuple[int, str]) -> None:
        """Go on with the new run."""
        self.exit(Opened(run, self.listing, self.palette is LIGHT, again=to))
