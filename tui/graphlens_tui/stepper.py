"""Speaks with a held script on a thread of its own, one word after the other, and posts what comes of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from graphlens.debugger import Stop
from graphlens.live import Live
from graphlens.prompt import Answer, Prompt
from graphlens.session import Session
from graphlens.text import clean
from graphlens_tracers.errors import GraphlensError, NotLive


@dataclass
class Stopped(Message):
    """A thread of the script is held."""

    held: Stop


@dataclass
class Obeyed(Message):
    """A word was obeyed, or could not be.

    Attributes:
        answer: None when the script goes on, and when there is trouble.
        quiet: Nobody typed it: the answer is for a pane alone.
    """

    line: str
    answer: Answer | None
    trouble: str = ""
    quiet: bool = False


class Stepper:
    """Between one app and the debugger of its run.

    Attributes:
        prompt: None until somebody has attached.
    """

    def __init__(self, session: Session, post: Callable[[Message], object]) -> None:
        self._session = session
        self._post = post
        self._work: queue.SimpleQueue[Callable[[], Message] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.prompt: Prompt | None = None

    def attach(self) -> Prompt:
        """Become the run's debugger, as far as we are not yet.

        Raises:
            NotLive: The script has ended, or another debugger is attached.
        """
        if self.prompt is None:
            if not isinstance(self._session, Live):
                raise NotLive(
                    "this run has ended: it can be looked at, and gone through in what was recorded"
                )
            self.prompt = Prompt(self._session.attach(self._told))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="graphlens-stepper", daemon=True)
            self._thread.start()
        return self.prompt

    def attached(self) -> bool:
        """Whether somebody is this run's debugger already: then it is us."""
        return isinstance(self._session, Live) and self._session.debugger is not None

    def obey(self, line: str, *, quiet: bool = False) -> None:
        """Do what a line says; `Obeyed` comes of it. Raises NotLive, as `attach`."""
        prompt = self.attach()
        self.do(lambda: Obeyed(line, prompt.obey(line), quiet=quiet), line, quiet=quiet)

    def do(self, work: Callable[[], Message], line: str = "", *, quiet: bool = False) -> None:
        """Do something that may take long, after what was asked for before it."""

        def tried() -> Message:
            try:
                return work()
            except (GraphlensError, ValueError) as error:
                return Obeyed(line, None, clean(str(error), 2000), quiet)
            except Exception as error:  # whatever it is, the person has to read it, and the script stays held
                return Obeyed(line, None, clean(f"{type(error).__name__}: {error}", 2000), quiet)

        self._work.put(tried)

    def close(self) -> None:
        """Tell nobody any more; what is held stays so until the session is closed."""
        self._work.put(None)
        debugger = None if self.prompt is None else self.prompt.debugger
        if debugger is not None:
            debugger.tell(None)

    def _told(self, stop: Stop) -> None:
        """On a thread of the debugger's."""
        if isinstance(self._session, Live):
            self._session.look()  # what ran up to here is to be on the screen, too
        self._post(Stopped(stop))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._post(work())
