"""The host that gives the script a terminal of its own, for `graphlens run`.

It outlives the UI: what the script prints is kept in `output.log`, and whoever watches sends keys,
signals and window sizes through a socket that only the same user can use. One thread, bounded
memory, and nothing in it waits for a reader.

Orders are JSON, one a line: {"type": BASE64}, {"signal": NUMBER}, {"resize": [ROWS, COLUMNS]}.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import termios
import time
from pathlib import Path
from typing import Any

from graphlens.host import Ended, Recording
from graphlens_tracers.errors import CannotStart

CHUNK = 65536
MOST_TYPED = 1 << 20
"""Bytes typed ahead of a script that does not read them; what comes beyond is not taken."""
LONGEST_ORDER = 4 << 20
"""Bytes; whoever sends a longer line is cut off."""
QUIET = 0.05
"""Seconds without output after which a script that has ended has said all it had to say."""
PATIENCE = 1.0
"""Seconds in all that a process it left behind can keep us reading."""


class Output:
    """`output.log`: the first and the newest `HALF` bytes of what was printed, or a little more.

    It grows at its end; when it gets too long it is replaced by a shorter file, which says how much
    is missing in the middle. A full disk loses output, and never stops the script.
    """

    HALF = 8 << 20

    def __init__(self, path: Path, half: int = HALF) -> None:
        self.path = path
        self.lost = 0
        self._half = half
        self._cut = 0
        self._middle = 0
        self._size = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, data: bytes) -> None:
        """Append; what the disk refuses is counted in `lost`."""
        try:
            written = os.pwrite(self._fd, data, self._size)
        except OSError:
            written = 0
        self._size += written
        self.lost += len(data) - written
        if self._size > (self._middle or self._half) + 2 * self._half:
            self.shorten()

    def shorten(self) -> None:
        """Cut the middle out, if there is more than twice `HALF`."""
        head = self._middle or self._half
        tail = self._size - self._half
        if tail <= head:
            return
        newest = os.pread(self._fd, self._half, tail)
        line = newest.find(b"\n", 0, CHUNK) + 1  # begin with a whole line, if lines are not too long
        beginning = os.pread(self._fd, self._half, 0)
        cut = self._cut + (tail + line - head)
        note = b"\r\n[graphlens: %d bytes of output left out here]\r\n" % cut
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return  # tried again when more has come
        whole = beginning + note + newest[line:]
        try:
            if os.pwrite(fd, whole, 0) != len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.replace(beside, self.path)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):  # it was never made
                os.unlink(beside)
            return
        os.close(self._fd)
        self._fd, self._size = fd, len(whole)
        self._cut, self._middle = cut, len(beginning) + len(note)

    def close(self) -> None:
        """End the file at its final length."""
        self.shorten()
        os.close(self._fd)


class Terminal:
    """The script's terminal, and those who watch it.

    Raises:
        CannotStart: The system has no terminal, or the run directory no room, to give.
    """

    def __init__(self, recording: Recording, rows: int, columns: int) -> None:
        self.recording = recording
        try:
            self.output = Output(recording.run / "output.log")
            self._master, self._slave = os.openpty()
        except OSError as error:
            raise CannotStart(f"cannot make a terminal for the script: {error.strerror}") from error
        os.set_blocking(self._master, False)
        self.resize(rows, columns)
        self._typed = bytearray()
        self._orders: dict[socket.socket, bytearray] = {}
        self._select = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._select.register(self._woken, selectors.EVENT_READ, self._on_wake)
        self._select.register(self._master, selectors.EVENT_READ, self._on_master)
        self._listener = self._listen()
        self._ended: Ended | None = None

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        path = self.recording.pages / "control"
        try:
            listener.bind(str(path))  # in a directory of mode 0700
        except OSError as error:
            raise CannotStart(f"cannot make the socket {path}: {error.strerror}") from error
        listener.listen(8)
        self._select.register(listener, selectors.EVENT_READ, self._on_listener)
        self.recording.record["control"] = str(path)
        return listener

    def start(self) -> None:
        """Start the script as the leader of a session with this terminal."""
        name = os.ttyname(self._slave)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, self._on_signal)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self.recording.start(
            # The first terminal that a session leader opens becomes its controlling terminal.
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            session=True,
        )
        os.close(self._slave)

    def run(self) -> Ended:
        """Serve the terminal until the script has ended; processes it left behind are not waited for."""
        while self._ended is None:
            for key, events in self._select.select():
                key.data(key.fileobj, events)
        self._drain()
        for client in list(self._orders):
            self._drop(client)
        self._listener.close()
        os.unlink(self.recording.pages / "control")
        os.close(self._master)
        self.output.close()
        return self._ended

    # ── the script ───────────────────────────────────────────────────────────────────────────

    def _on_signal(self, number: int, _frame: object) -> None:
        """Signals to the host are meant for the script; SIGCHLD only wakes us up."""
        if number != signal.SIGCHLD and self.recording.pid and self._ended is None:
            self.signal(number)

    def _on_wake(self, _file: Any, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):  # empty
            while os.read(self._woken, CHUNK):
                pass
        pid, status = os.waitpid(self.recording.pid, os.WNOHANG)
        if pid:
            self._ended = Ended.of(status)

    def _on_master(self, _file: Any, events: int) -> None:
        if events & selectors.EVENT_READ:
            try:
                self.output.write(os.read(self._master, CHUNK))
            except BlockingIOError:
                pass
            except OSError:
                # EIO: nobody has the terminal open. The script may open it again, so look again, but
                # not in a busy loop; its end is told by SIGCHLD.
                time.sleep(0.01)
        if events & selectors.EVENT_WRITE and self._typed:
            with contextlib.suppress(OSError):  # full, or nobody has it open
                del self._typed[: os.write(self._master, self._typed[:CHUNK])]
            self._watch_master()

    def _watch_master(self) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._typed else 0)
        self._select.modify(self._master, wanted, self._on_master)

    def _drain(self) -> None:
        """Read what the script printed before it ended and the kernel has not handed over yet."""
        until = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as select:
            select.register(self._master, selectors.EVENT_READ)
            while time.monotonic() < until and select.select(QUIET):
                try:
                    data = os.read(self._master, CHUNK)
                except OSError:
                    return  # EIO: all is read, and nobody has the terminal open any more
                if not data:
                    return
                self.output.write(data)

    # ── orders ───────────────────────────────────────────────────────────────────────────────

    def type(self, data: bytes) -> None:
        """Keys for the script, as its terminal would send them."""
        self._typed += data[: MOST_TYPED - len(self._typed)]
        self._watch_master()

    def signal(self, number: int) -> None:
        """Send a signal to what runs in the foreground; one that ends processes, to the script too."""
        groups = {self.recording.pid}
        with contextlib.suppress(OSError):  # nobody has the terminal open
            foreground = os.tcgetpgrp(self._master)
            if foreground > 0:
                stays = number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
                groups = {foreground} if stays else groups | {foreground}
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the window, in cells; the kernel tells the script by SIGWINCH."""
        size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _on_listener(self, _file: Any, _events: int) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # gone again
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("iII", peer)[1] != os.geteuid():
            client.close()
            return
        client.setblocking(False)
        self._orders[client] = bytearray()
        self._select.register(client, selectors.EVENT_READ, self._on_client)

    def _on_client(self, client: Any, _events: int) -> None:
        try:
            data = client.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        pending = self._orders[client]
        pending += data
        while (end := pending.find(b"\n")) >= 0:
            line = bytes(pending[:end])
            del pending[: end + 1]
            try:
                self._obey(json.loads(line))
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                data = b""  # it is none of ours
                break
        if not data or len(pending) > LONGEST_ORDER:
            self._drop(client)

    def _obey(self, order: Any) -> None:
        """Do what one line asks for.

        Raises:
            ValueError, TypeError, KeyError, OverflowError: It is not an order.
        """
        if "type" in order:
            self.type(base64.b64decode(order["type"], validate=True))
        elif "signal" in order:
            self.signal(signal.Signals(order["signal"]))
        elif "resize" in order:
            rows, columns = order["resize"]
            self.resize(int(rows), int(columns))
        else:
            raise ValueError("no such order")

    def _drop(self, client: socket.socket) -> None:
        self._select.unregister(client)
        del self._orders[client]
        client.close()
