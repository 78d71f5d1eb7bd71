"""A real terminal for the tests: a tmux server of its own, keys sent to it, its screen read back."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "graphlens"]
PATIENCE = 15.0
"""Seconds that a loaded machine may take for what should take a moment."""
NAMES = {
    "ctrl+c": "C-c",
    "ctrl+p": "C-p",
    "escape": "Escape",
    "enter": "Enter",
    "backspace": "BSpace",
    "tab": "Tab",
}
NAMES |= {"space": "Space", "up": "Up", "down": "Down", "ctrl+u": "C-u"}


class Tmux:
    """One pane.

    Attributes:
        said: A file with every byte that the program has written to its terminal.
    """

    def __init__(self, folder: Path, command: list[str], size: tuple[int, int], **environment: str) -> None:
        """Start a command in a terminal of (columns, rows), in `folder`, its state under `folder/home`.

        Args:
            environment: More variables; TERM is what tmux says, unless it is given.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.said = folder / "said"
        self.said.touch()
        self._socket = str(folder / "tmux")
        self._home = f"GRAPHLENS_HOME={folder / 'home'}"
        environment = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", **environment}
        words = ["env", self._home, *(f"{name}={value}" for name, value in environment.items()), *command]
        columns, rows = size
        # It begins when every byte of it is written down. tmux itself now and then forgets how it ended.
        self._code = folder / "code"
        begins = f"while [ ! -e {folder}/go ]; do sleep 0.02; done; trap : INT QUIT"
        waits = f"{begins}; {shlex.join(words)}; echo $? > code.new; mv code.new code"
        size_of_it = ["-x", str(columns), "-y", str(rows)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size_of_it, "-c", str(folder), waits)
        self._tmux("set-option", "-g", "status", "off", ";", "set-option", "-g", "remain-on-exit", "on")
        self._tmux("set-option", "-sg", "escape-time", "0", ";", "resize-window", *size_of_it)
        self._tmux("pipe-pane", "-O", f"cat >> {shlex.quote(str(self.said))}")
        (folder / "go").touch()

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-S", self._socket, *words]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
        return answer.stdout

    def press(self, *keys: str) -> None:
        """Keys by our names ("ctrl+p", "escape"), everything else letter by letter."""
        for key in keys:
            if key in NAMES:
                self._tmux("send-keys", NAMES[key])
            else:
                self._tmux("send-keys", "-l", key)
            # What follows an escape too soon is one key with it, as alt+x is.
            time.sleep(0.3 if key == "escape" else 0.05)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def wait(self, *what: str | re.Pattern[str], seconds: float = PATIENCE) -> str:
        """Until all of these are on the screen; what is on it then. A pattern's ^ is a line's beginning.

        Raises:
            AssertionError: They were not in time.
        """
        end = time.monotonic() + seconds
        while True:
            text = self.text()
            missing = [one for one in what if not (one in text if isinstance(one, str) else one.search(text))]
            if not missing:
                return text
            assert time.monotonic() < end, f"{missing} did not come:\n{text}"
            time.sleep(0.1)

    def resize(self, columns: int, rows: int) -> None:
        """Another size of the terminal."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def ended(self) -> int | None:
        """The exit code of the program, None while it runs; 128 and more for a signal."""
        return int(self._code.read_text()) if self._code.exists() else None

    def wait_for_end(self, seconds: float = PATIENCE) -> int:
        """The exit code, once the program has ended. Raises AssertionError when that takes too long."""
        end = time.monotonic() + seconds
        while (code := self.ended()) is None:
            assert time.monotonic() < end, f"it goes on:\n{self.text()}"
            time.sleep(0.1)
        return code

    def processes(self) -> Iterator[int]:
        """Everything that was started here and still runs."""
        for one in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if self._home.encode() in one.read_bytes().split(b"\0"):
                    yield int(one.parent.name)

    def close(self) -> None:
        """End it all, the script too."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def terminal(folder: Path, command: list[str], size: tuple[int, int], **environment: str) -> Iterator[Tmux]:
    """A pane that is ended with all that it started."""
    pane = Tmux(folder, command, size, **environment)
    try:
        yield pane
    finally:
        pane.close()
