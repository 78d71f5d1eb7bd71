"""The debugger's end: it listens among the pages of a run, and speaks with the threads that stop.

A thread that stops connects, says where it is, and waits; `Stop` is that. Several may be stopped
at once, one a process. Breakpoints are kept here and handed over with every order to go on.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphlens_tracers.control import (
    GONE,
    SOCKET,
    Breakpoint,
    Way,
    breakpoint_of,
    is_mine,
    receive,
    send,
    watch_of,
)
from graphlens_tracers.errors import NotLive
from graphlens_tracers.wire import At

Told = Callable[["Stop"], None]


class Stop:
    """A thread that is held at an operation.

    Attributes:
        said: Where it is, as `gate.Gate` says it: op, seq, phase, step, module, stack, inputs, outputs, why.
    """

    def __init__(self, debugger: Debugger, connection: socket.socket, said: dict[str, Any]) -> None:
        self._debugger = debugger
        self._connection = connection
        self._lock = threading.Lock()
        self.said = said
        self.over = False
        self._waits = False

    def fileno(self) -> int:
        """Readable once the thread that was held has gone; -1 when it goes on."""
        return self._connection.fileno()

    def leave_off(self) -> bool:
        """What is being evaluated is to end: its error says so. False when nothing is.

        May be called from a signal handler of the thread that waits for the answer.
        """
        if self._waits:
            with contextlib.suppress(OSError):
                send(self._connection, {"leave-off": True})
        return self._waits

    def ask(self, question: str, **more: Any) -> tuple[dict[str, Any], bytes]:
        """What the stopped thread answers, and bytes.

        Raises:
            NotLive: It has gone.
            ValueError: It could not answer, and says why.
        """
        with self._lock:
            if self.over:
                raise NotLive("the script goes on already")
            try:
                send(self._connection, {"ask": question, **more})
                self._waits = True
                answer, data = receive(self._connection)
            except (OSError, EOFError, ValueError) as error:
                self._end()
                raise NotLive(f"the script has gone while it was held: {error}") from error
            finally:
                self._waits = False
        if answer.get("error") and question != "eval":
            raise ValueError(answer["error"])
        return answer, data

    def go(self, way: Way, times: int = 1, to: int = 0) -> None:
        """Let it go on.

        Raises:
            NotLive: It has gone.
        """
        with self._lock:
            if self.over:
                raise NotLive("the script goes on already")
            self.over = True  # before it goes: it may stop again before we come back
            order = {"go": way, "times": times, "to": to, "breakpoints": self._debugger.plan()}
            try:
                send(self._connection, order)
            except OSError as error:
                raise NotLive(f"the script has gone while it was held: {error}") from error
            finally:
                self._end()

    def gone(self) -> bool:
        """Whether the thread that was held is not there any more: its process was killed."""
        if self.over:
            return True
        try:
            return not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _end(self) -> None:
        self.over = True
        self._connection.close()
        self._debugger.went_on(self)

    def release(self) -> None:
        """Hang up: the thread goes on, and stops no more. An `ask` that waits ends with NotLive."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with self._lock:
            if not self.over:
                self._end()


class Debugger:
    """Listens for the threads of a run.

    Attributes:
        breakpoints: In the order in which they were made.
        stops: Those that are held now.
    """

    def __init__(
        self,
        pages: Path,
        told: Told | None = None,
        breakpoints: Sequence[Breakpoint] = (),
        *,
        at_start: bool = True,
    ) -> None:
        """Listen.

        Args:
            told: Called on a thread of ours with each stop.
            breakpoints: To begin with.
            at_start: Whether a script that waits at its first operation is to stop there.

        Raises:
            NotLive: Another debugger listens, or the run has ended.
        """
        self._pages = pages
        self._path = pages / SOCKET
        self._told = told
        self._pausing: set[int] = set()
        self._lock = threading.Lock()
        self._at_start = at_start
        self.breakpoints: list[Breakpoint] = list(breakpoints)
        self.stops: list[Stop] = []
        self._queue: queue.SimpleQueue[Stop] = queue.SimpleQueue()
        self._count = max((one.number for one in breakpoints), default=0)
        self._closed = False
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._accept, name="graphlens-debugger", daemon=True)
        self._thread.start()

    def _listen(self) -> socket.socket:
        with contextlib.suppress(OSError):
            probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with probe:
                probe.connect(str(self._path))
                raise NotLive("another debugger is attached to this run")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            (self._pages / GONE).unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)  # of a debugger that was killed
            listener.bind(str(self._path))
            listener.listen(64)
        except OSError as error:
            listener.close()
            raise NotLive(f"cannot listen among the pages of the run: {error.strerror}") from error
        return listener

    # ── what is wanted ───────────────────────────────────────────────────────────────────────

    def plan(self) -> list[dict[str, Any]]:
        """The breakpoints as an order carries them."""
        return [asdict(one) for one in self.breakpoints]

    def add(self, where: str, **more: Any) -> Breakpoint:
        """Make a breakpoint; see `breakpoint_of`. Raises ValueError."""
        return self._added(breakpoint_of(where, self._count + 1, **more))

    def watch(self, rule: str, **more: Any) -> Breakpoint:
        """Stop where a rule is true; see `watch_of`. Raises ValueError."""
        return self._added(watch_of(rule, self._count + 1, **more))

    def _added(self, made: Breakpoint) -> Breakpoint:
        self._count += 1
        self.breakpoints.append(made)
        self.changed()
        return made

    def find(self, number: int) -> Breakpoint:
        """The breakpoint of a number. Raises ValueError."""
        for one in self.breakpoints:
            if one.number == number:
                return one
        raise ValueError(f"there is no breakpoint {number}")

    def delete(self, number: int) -> None:
        """Take a breakpoint away. Raises ValueError."""
        self.breakpoints.remove(self.find(number))
        self.changed()

    def enable(self, number: int, enabled: bool) -> None:
        """Let a breakpoint stop, or not. Raises ValueError."""
        self.find(number).enabled = enabled
        self.changed()

    def edit(self, number: int, where: str) -> Breakpoint:
        """Let a breakpoint be at another place, with another condition. Raises ValueError."""
        one = self.find(number)
        kept = {"ignore": one.ignore, "temporary": one.temporary, "enabled": one.enabled, "hits": one.hits}
        made = breakpoint_of(where, number, **kept)
        self.breakpoints[self.breakpoints.index(one)] = made
        self.changed()
        return made

    def changed(self) -> None:
        """Breakpoints are others: threads that run are told at their next operation."""
        self._call(hold=False)

    def pause(self) -> None:
        """Stop the script at its next operation."""
        self._call(hold=True)

    def _call(self, *, hold: bool) -> None:
        """Write the control byte into every page."""
        held = {stop.said["pid"] for stop in self.stops}
        for page in sorted(self._pages.glob("*.page")):
            try:
                fd = os.open(page, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue  # its thread has ended
            try:
                pid = struct.unpack("<Q", os.pread(fd, 8, At.PID))[0]
                if pid in held:
                    continue  # it is told when it goes on
                if hold:
                    self._pausing.add(pid)
                os.pwrite(fd, struct.pack("<Q", 1), At.CONTROL)
            finally:
                os.close(fd)

    # ── who comes ────────────────────────────────────────────────────────────────────────────

    def wait(self, seconds: float | None = None) -> Stop | None:
        """The next stop; None when there is none in time."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closed or not is_mine(connection):
                connection.close()
                continue
            try:
                self._serve(connection)
            except (OSError, EOFError, ValueError, KeyError, TypeError):
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)  # who comes says at once what for
        message, _ = receive(connection)
        if "called" in message:
            pid = int(message["called"])
            held = pid in self._pausing
            send(connection, {"breakpoints": self.plan(), "hold": held, "at_start": self._at_start or held})
            self._pausing.discard(pid)
            connection.close()
            return
        said = message["stopped"]
        connection.settimeout(None)
        stop = Stop(self, connection, said)
        for number, hits in said["hits"].items():
            for one in self.breakpoints:
                if one.number == int(number):
                    one.hits = hits
        self.breakpoints = [one for one in self.breakpoints if one.number not in said["gone"]]
        with self._lock:
            self.stops.append(stop)
            told = self._told
        self._queue.put(stop)
        if told is not None:
            told(stop)

    def tell(self, told: Told | None) -> None:
        """From now on `told` is called with each stop; with those that are held at once, on this thread."""
        with self._lock:
            self._told, held = told, list(self.stops)
        if told is not None:
            for stop in held:
                told(stop)

    def went_on(self, stop: Stop) -> None:
        """A stop is over."""
        with self._lock:
            if stop in self.stops:
                self.stops.remove(stop)

    def close(self) -> None:
        """Let everything go, and listen no more. Safe to call twice."""
        self._closed = True
        self.breakpoints = []
        with contextlib.suppress(OSError):
            (self._pages / GONE).touch()  # who starts later waits for nobody
            self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for stop in list(self.stops):
            stop.release()
        self._thread.join(timeout=5)
