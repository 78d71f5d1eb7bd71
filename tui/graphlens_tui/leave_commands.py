"""What the keys do to leave: see `commands`."""

from __future__ import annotations

from graphlens.live import Live
from graphlens.session import RunState, Session
from graphlens_tracers.errors import NotLive
from graphlens_tui import leaving
from graphlens_tui.commands import Commands
from graphlens_tui.messages import Said
from graphlens_tui.widgets.dialogs import Choice


class LeaveCommands(Commands):
    """The app as one that can be left.

    Attributes:
        started: The session that the program was started on; it is open as long as the program runs.
    """

    started: Session

    def do_leave(self) -> None:
        """Leave; ask first when the script still runs."""
        if self._still_running() is None:
            self.exit()
            return
        answers = [
            ("l", "leave it running"),
            ("s", "stop it: interrupt, then terminate, then kill"),
            ("c", "cancel"),
        ]
        self.push_screen(Choice("the script still runs", "", answers), self._leave)

    def _still_running(self) -> Session | None:
        """The session whose script still runs: that which is shown, or that which the program is about."""
        sessions = (self.session, self.started)
        return next((one for one in sessions if one.state in (RunState.RUNNING, RunState.HELD)), None)

    def _leave(self, answer: str | None) -> None:
        if answer == "l":
            self.exit()
        elif answer == "s":
            session = self._still_running()
            if not isinstance(session, Live) or session.run.info.control is None:
                self.say("it runs in a terminal of its own: stop it there", wrong=True)
                return
            self.run_worker(lambda: self._stop(session), thread=True, name="stop")

    def _stop(self, session: Live) -> None:
        """On a worker's thread: it waits for the script."""
        try:
            ended = leaving.stop(session, lambda text: self.post_message(Said(text)))
        except NotLive as error:
            self.post_message(Said(str(error), wrong=True))
            return
        if ended:
            self.call_from_thread(self.exit)
        else:
            self.post_message(Said("it does not end: even SIGKILL did nothing yet", wrong=True))
