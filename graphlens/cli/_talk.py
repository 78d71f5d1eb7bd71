"""`graphlens debug` while it speaks with a person or a program: words in, answers out, and Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from graphlens.cli import _summary
from graphlens.cli import _verdict as verdict_words
from graphlens.host import Ended, Recording
from graphlens.prompt import Prompt, text_of
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.errors import GraphlensError, NotLive

LOOK = 0.02
"""Seconds between two looks whether the script has stopped or ended."""


@dataclass
class Debugged:
    """A script under the debugger, and the process that waits for its end."""

    recording: Recording
    host: int
    printed: list[int] = field(default_factory=list)


class Lines:
    """What a person says: the words of the command line, then standard input, a line each."""

    def __init__(self, first: list[str]) -> None:
        self._ready = deque(first)
        self._rest = b""
        self._over = sys.stdin is None

    def next(self, *others: Any) -> str | None:  # Any: what select takes
        """The next line; None when there are no more, "" when one of the others is to be looked at first."""
        while not self._ready:
            if self._over:
                return None
            if any(one != 0 for one in select.select([0, *others], [], [])[0]):
                return ""
            part = os.read(0, 1 << 16)
            self._over = not part
            *whole, self._rest = (self._rest + part).split(b"\n")
            if self._over and self._rest:
                whole, self._rest = [*whole, self._rest], b""
            self._ready.extend(line.decode("utf-8", "replace") for line in whole)
        return self._ready.popleft()


class Talk:
    """Words in, answers out, until there are no more words, and the script has ended.

    Attributes:
        restart_at: The operation that the script is to be run to again; None when not.
        kept: The breakpoints of that moment.
    """

    def __init__(self, script: Debugged, prompt: Prompt, *, as_json: bool) -> None:
        self._script, self._prompt, self._json, self._out = script, prompt, as_json, sys.stdout
        self._ended: Ended | None = None
        self.restart_at: int | None = None
        self.kept: list[Breakpoint] = []
        self._left = False
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._saying = threading.Lock()
        self._readers = [
            threading.Thread(target=self._read, args=(name, read), daemon=True)
            for name, read in zip(("stdout", "stderr"), script.printed, strict=False)
        ]
        for reader in self._readers:
            reader.start()

    def run(self, lines: Lines, to: int) -> Ended:
        """Obey until there are no more lines, then wait for the end.

        Args:
            to: The operation to go to first; -1 for the first one.
        """
        before = signal.signal(signal.SIGINT, self._pressed)
        try:
            self._await(tell=to <= 0)
            if to > 0 and self._prompt.stop is not None:
                self._obey(f"until #{to}")
            while not self._left and (line := self._next(lines)) is not None:
                if line.strip() and not line.lstrip().startswith("#"):
                    self._obey(line)
            self._prompt.debugger.close()
            self._prompt.stop = None
            self._left = True
            self._await()
            assert self._ended is not None
            return self._ended
        finally:
            signal.signal(signal.SIGINT, before)
            os.close(self._woken)
            os.close(self._wake)

    # ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────

    def _pressed(self, _number: int, _frame: FrameType | None) -> None:
        """Only noted, since it may come at any moment; but what is being evaluated is ended at once."""
        if self._prompt.stop is not None and self._prompt.stop.leave_off():
            return
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"^")

    def _interrupt(self) -> None:
        """As Ctrl-C without us: the host hands it on to the script."""
        os.kill(self._script.host, signal.SIGINT)

    def _was_pressed(self) -> bool:
        """Whether it was since the last time that this was asked."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._woken, 1 << 10))
        return False

    def _next(self, lines: Lines) -> str | None:
        """The next line. Meanwhile it is said when the script ends; Ctrl-C does not end what is held."""
        while True:
            stop = self._prompt.stop
            line = lines.next(self._woken, *[stop] * (stop is not None))
            if line != "":
                return line
            if stop is not None and stop.gone():
                stop.release()
                self._prompt.stop = None
                self._await()
            elif self._was_pressed():
                if self._ended is not None:
                    return None
                said = "the script is held: `continue` or `detach` lets it go on, `kill` ends it"
                self._say({"answer": "interrupted", "text": said})
            else:
                return line  # an empty one

    # ── the script ───────────────────────────────────────────────────────────────────────────

    def _obey(self, line: str) -> None:
        """Do what a line says; when the script goes on, wait until it stops again."""
        try:
            answer = self._prompt.obey(line)
        except (GraphlensError, ValueError) as error:
            self._say({"answer": "error", "error": str(error)})
            if isinstance(error, NotLive) and self._ended is None and self._prompt.stop is not None:
                self._prompt.stop = None
                self._await()
            return
        if answer is None:
            self._await()
        elif answer["answer"] in ("kill", "restart"):
            self._end(answer.get("to"))
        else:
            self._say(answer)
            self._left = answer["answer"] == "detached"

    def _end(self, restart_at: int | None) -> None:
        """End the script."""
        self.restart_at, self.kept = restart_at, self._prompt.debugger.breakpoints
        self._left = restart_at is not None
        if self._ended is None:
            os.kill(self._script.host, signal.SIGTERM)
            self._prompt.debugger.close()
            self._prompt.stop = None
            self._await()

    def _await(self, *, tell: bool = True) -> None:
        """Wait until the script stops or ends, and say so. Ctrl-C stops it; once more, it is sent on."""
        debugger, pausing = self._prompt.debugger, self._left
        while self._ended is None:
            waiting = next(iter(debugger.stops), None)
            stop = debugger.wait(LOOK) or waiting
            if stop is not None and not stop.over:
                answer = self._prompt.stopped(stop)
                if tell:
                    self._say(answer)
                return
            self._look()
            if not self._was_pressed():
                continue
            if pausing:
                self._interrupt()
            else:
                debugger.pause()
                said = "the script stops at its next operation; Ctrl-C once more interrupts it"
                self._say({"answer": "pausing", "text": said})
            pausing = True

    def _look(self) -> None:
        """Whether the script has ended: all that it printed is said first."""
        pid, status = os.waitpid(self._script.host, os.WNOHANG)
        if not pid:
            return
        self._ended = ended = Ended.of(status)
        for reader in self._readers:
            reader.join()
        self._prompt.stop = None
        self._prompt.ended = _summary.how_it_ended(ended.code, ended.signal)
        if self.restart_at is None:
            self._say({"answer": "ended", "exit_code": ended.code, "signal": ended.signal})

    def _read(self, name: str, descriptor: int) -> None:
        """Hand on what the script prints."""
        with open(descriptor, "rb", buffering=0) as stream:
            while part := stream.read(1 << 16):
                self._say({"answer": "printed", "stream": name, "text": part.decode("utf-8", "replace")})

    # ── answers ──────────────────────────────────────────────────────────────────────────────

    def _say(self, answer: dict[str, Any]) -> None:
        with self._saying:
            if self._json:
                print(json.dumps(answer), file=self._out, flush=True)
            elif answer["answer"] == "ended":
                how = _summary.how_it_ended(answer["exit_code"], answer["signal"])
                print(f"the script ended: {how}", file=self._out, flush=True)
            elif answer["answer"] == "verdict":
                print("\n".join(verdict_words.text_of(answer, "this run")), file=self._out, flush=True)
            else:
                print("\n".join(text_of(answer)), file=self._out, flush=True)
