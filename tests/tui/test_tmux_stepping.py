"""Scripts held in a terminal: GPT-2 into the next step and back, a loop of TensorFlow in iteration 26."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tmux import COMMAND, Tmux, terminal

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
SMALL = "--steps 2 --layers 2 --width 48 --heads 4 --length 16"
GPT2 = ["examples/gpt2.py", *SMALL.split()]
PATIENCE = 60.0
"""Seconds until a screen has to show what is waited for: generous, on a machine with much to do."""


class Held:
    """A script that is held, in a terminal."""

    def __init__(self, screen: Tmux) -> None:
        self.screen = screen

    def wait(self, *texts: str) -> str:
        """The screen, once it shows all of these."""
        return self.screen.wait(*texts, seconds=PATIENCE)

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        self.screen.press(*keys)

    def type(self, text: str) -> None:
        """Type a line."""
        self.screen.press(text, "enter")

    def held(self) -> str:
        """Where the status line says that the script is held; "" while it runs."""
        found = re.search(r"(before|after) op #[0-9]+", self.screen.text())
        return found[0] if found else ""

    def go(self, key: str) -> None:
        """Press a key, and wait until the script is held elsewhere."""
        before, end = self.held(), time.monotonic() + PATIENCE
        self.keys(key)
        while self.held() in ("", before):
            assert time.monotonic() < end, f"{key} leads nowhere:\n{self.screen.text()}"
            time.sleep(0.1)


def test_gpt2_from_the_first_operation_into_the_second_step(tmp_path: Path, checkout: Path) -> None:
    plain = subprocess.run(
        [sys.executable, *GPT2], cwd=checkout, capture_output=True, text=True, timeout=240, check=True
    )
    command = [*COMMAND, "run", "--break", "native_layer_norm", str(checkout / GPT2[0]), *GPT2[1:]]
    with terminal(tmp_path, command, (180, 50)) as screen:
        _step_gpt2(Held(screen))
        # The second run was changed by nobody: it printed what the script prints without us.
        _, again = sorted((tmp_path / "home").rglob("*.glens"))
        end = time.monotonic() + PATIENCE
        while '"finished"' not in (again / "run.json").read_text() and time.monotonic() < end:
            time.sleep(0.1)
    assert (again / "output.log").read_text().replace("\r\n", "\n") == plain.stdout


def _step_gpt2(gpt2: Held) -> None:
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


LOOP = """
import tensorflow as tf


@tf.function
def f(x):
    i = tf.constant(0)
    while i < 40:
        x = tf.cos(x)
        i += 1
    return x


print("result", float(f(tf.constant(2.0))))
"""


def test_a_loop_of_tensorflow_is_held_in_iteration_26_and_changed_there(tmp_path: Path) -> None:
    """What is put in there is what the script goes on with."""
    pytest.importorskip("tensorflow")
    script = tmp_path / "train.py"
    script.write_text(LOOP)
    command = [*COMMAND, "run", "--break", "op:Cos", str(script)]
    with terminal(tmp_path / "terminal", command, (160, 50)) as screen:
        held = Held(screen)
        held.wait("breakpoint 1", "Cos", "iteration 0")
        held.keys(":")
        held.type("ignore 1 26")
        held.keys("c")
        held.wait("Cos", "iteration 26", "▶  9          x = tf.cos(x)")
        held.keys("I")
        held.wait("out0 = ")
        held.keys("ctrl+u")
        held.type("out0 = out0 * 0 + 0.25")
        held.wait("changed ")
        held.keys(":")
        held.type("delete")
        held.keys("c")
        text = held.wait("result ", "finished")
    x = 0.25
    for _ in range(27, 40):
        x = math.cos(x)
    found = re.search(r"result ([0-9.]+)", text)
    assert found is not None and float(found[1]) == pytest.approx(x, rel=1e-6)
