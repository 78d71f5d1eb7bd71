"""Starts recordings for the tests of the host, on pipes or on a terminal of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

RECORD = [sys.executable, "-P", "-m", "graphlens", "record"]
HEEDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""Signals that are ignored under nohup or behind a shell's `&`, also by what starts there."""
PATIENCE = 60.0
"""Seconds that a loaded machine may take for what should take a moment."""


def until(what: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Wait until `what()` is true.

    Raises:
        AssertionError: It never was.
    """
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def script(where: Path, text: str) -> Path:
    """A file script.py with that text."""
    path = where / "script.py"
    path.write_text(text)
    return path


def record_of(run: Path) -> dict[str, Any]:
    """What run.json says."""
    read: dict[str, Any] = json.loads((run / "run.json").read_text())
    return read


def tidy(run: Path) -> None:
    """Take away the pages of a run whose host was killed."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(record_of(run)["pages"])


class OnTerminal:
    """A process that leads a session with a terminal; the test holds the other end."""

    def __init__(self, command: list[str]) -> None:
        self.master, slave = os.openpty()
        name = os.ttyname(slave)
        self.said = b""
        self.pid = os.posix_spawn(
            command[0],
            command,
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigdef=HEEDED,
        )
        os.close(slave)

    def expect(self, text: bytes) -> None:
        """Read until this was said."""
        with selectors.DefaultSelector() as select:
            select.register(self.master, selectors.EVENT_READ)
            end = time.monotonic() + PATIENCE
            while text not in self.said:
                assert time.monotonic() < end, self.said
                if select.select(0.1):
                    self.said += os.read(self.master, 65536)

    def type(self, keys: bytes) -> None:
        """Press these keys."""
        os.write(self.master, keys)

    def wait(self) -> int:
        """Read to the end; its exit code, or minus the signal that ended it."""
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
            while data := os.read(self.master, 65536):
                self.said += data
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


@contextlib.contextmanager
def on_terminal(command: list[str]) -> Iterator[OnTerminal]:
    """A process on a terminal, ended with the block."""
    started = OnTerminal(command)
    try:
        yield started
    finally:
        started.close()


@contextlib.contextmanager
def background(run: Path, *words: str, options: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """`graphlens record --pty`, as `graphlens run` starts it; the script has begun."""
    host = subprocess.Popen(
        [*RECORD, "--pty", "-q", "-o", str(run), *options, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert host.stdout is not None
        said = host.stdout.readline()
        assert json.loads(said) == {"run": str(run)}
        yield host
    finally:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if host.poll() is None:
                os.killpg(record_of(run)["pid"], signal.SIGKILL)
        host.kill()
        host.wait()
        tidy(run)
        assert host.stdout is not None
        host.stdout.close()
