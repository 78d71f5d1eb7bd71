"""GPT-2 held in a real terminal: through the loss, the backward and AdamW into the next step, and back."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SMALL = "--steps 2 --layers 2 --width 48 --heads 4 --length 16"
GPT2 = ["examples/gpt2.py", *SMALL.split()]
PATIENCE = 60.0
"""Seconds until a screen has to show what is waited for: generous, on a machine with much to do."""


class Terminal:
    """A command in a terminal of tmux, a server of its own."""

    def __init__(self, folder: Path, command: list[str], cwd: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        self._do("new-session", "-d", "-x", "180", "-y", "50", "-c", str(cwd), shlex.join(command))
        self._do("set-option", "remain-on-exit", "on")

    def _do(self, *words: str) -> str:
        # Their size would be taken for that of the terminal.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        command = [*self._tmux, *words]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self._do("send-keys", key)

    def type(self, text: str) -> None:
        """Type a line."""
        self._do("send-keys", "-l", text)
        self._do("send-keys", "Enter")

    def text(self) -> str:
        """What is on the screen."""
        return self._do("capture-pane", "-p")

    def wait(self, *texts: str) -> str:
        """The screen, once it shows all of these."""
        end = time.monotonic() + PATIENCE
        while not all(text in (screen := self.text()) for text in texts):
            assert time.monotonic() < end, f"no {texts} in\n{screen}"
            time.sleep(0.1)
        return screen

    def held(self) -> str:
        """Where the status line says that the script is held; "" while it runs."""
        found = re.search(r"(before|after) op #[0-9]+", self.text())
        return found[0] if found else ""

    def go(self, key: str) -> None:
        """Press a key, and wait until the script is held elsewhere."""
        before, end = self.held(), time.monotonic() + PATIENCE
        self.keys(key)
        while self.held() in ("", before):
            assert time.monotonic() < end, f"{key} leads nowhere:\n{self.text()}"
            time.sleep(0.1)

    def close(self) -> None:
        """End the server, and with it what it runs."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30, check=False)


@pytest.fixture
def gpt2(tmp_path: Path, checkout: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    command = [sys.executable, "-P", "-m", "graphlens", "run", "--break", "native_layer_norm"]
    terminal = Terminal(tmp_path, [*command, "-o", str(tmp_path / "run.glens"), *GPT2], checkout)
    try:
        yield terminal
    finally:
        terminal.close()
        for run in tmp_path.glob("*.glens"):
            subprocess.run(["pkill", "-9", "-f", str(run)], check=False)


@pytest.mark.long
def test_gpt2_from_the_first_operation_into_the_second_step(
    gpt2: Terminal, tmp_path: Path, checkout: Path
) -> None:
    plain = subprocess.run(
        [sys.executable, *GPT2], cwd=checkout, capture_output=True, text=True, timeout=240, check=True
    )
    gpt2.wait("breakpoint 1: native_layer_norm", "before op #104", "ln_1")
    gpt2.go("s")
    gpt2.keys("S")  # back in what was recorded
    gpt2.wait("at op 104; the script is held at 105")
    gpt2.keys("s")
    gpt2.wait("op #105")
    gpt2.keys(":")
    gpt2.wait("a word of the debugger")
    gpt2.type("delete")
    gpt2.wait("stops at this line or operation")

    gpt2.keys(":")
    gpt2.type("until _log_softmax")  # the loss
    gpt2.wait("aten._log_softmax.default", "about to run")
    gpt2.keys("e")
    gpt2.wait("Python in this frame")
    gpt2.type("list(in0.shape) + [40 + 2]")
    gpt2.wait("42]")
    gpt2.keys("I")
    gpt2.wait("out0 = x")
    gpt2.type("out0 = x * 1")  # it takes the place of what is there
    gpt2.wait("after op", "changed ")

    gpt2.go("P")
    gpt2.wait("before op", "  backward")
    gpt2.go("n")
    gpt2.go("n")
    gpt2.keys("U")
    gpt2.wait("looking back")
    gpt2.keys("n")
    gpt2.wait("before op")
    gpt2.go("P")
    gpt2.wait("before op", "  optimizer")
    gpt2.go("}")
    gpt2.wait("step 1")

    gpt2.keys(":")
    gpt2.type("pdb")
    gpt2.wait("(Pdb)")
    gpt2.type("p 6 * 1111, count")
    gpt2.wait("(6666, 4)")
    gpt2.type("c")
    gpt2.wait("Python's debugger has ended")
    gpt2.keys("R")
    gpt2.wait("run again: it is at op")
    gpt2.keys(":")
    gpt2.type("detach")
    gpt2.wait("the script goes on by itself")

    # The second run was changed by nobody: it printed what the script prints without us.
    (again,) = Path(os.environ["GRAPHLENS_HOME"]).rglob("*.glens")
    end = time.monotonic() + PATIENCE
    while '"finished"' not in (again / "run.json").read_text() and time.monotonic() < end:
        time.sleep(0.1)
    assert (again / "output.log").read_text().replace("\r\n", "\n") == plain.stdout
