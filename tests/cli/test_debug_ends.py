"""Ctrl-C in every state of `graphlens debug`, and what is left when the script or the debugger has gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DEBUG = [sys.executable, "-P", "-m", "graphlens", "debug", "--json", "-q"]

SCRIPT = """
import pathlib, sys, time, torch
here = pathlib.Path(sys.argv[1])
x = torch.arange(6.0)
seen = [x.sum().item()]
y = x * 2
while not (here / "enough").exists():
    y = x * 2
print("x" * 200_000)
seen.append(y.sum().item())
(here / "seen").write_text(repr(seen))
print("asleep", flush=True)
time.sleep(300)
"""


class Talk:
    """A debugger that is spoken with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script = folder / "script.py"
        script.write_text(SCRIPT)
        run = ["-o", str(folder / "run.glens"), "--keep", "all", str(script), str(folder)]
        self.process = subprocess.Popen(
            [*DEBUG, *run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, kind: str) -> dict[str, Any]:
        """The next answer of a kind; what the script prints is passed by, unless that is asked for."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer["answer"] == kind:
                return answer
            assert answer["answer"] == "printed", answer
        raise AssertionError(f"no answer of kind {kind}")

    def ask(self, line: str, kind: str) -> dict[str, Any]:
        self.say(line)
        return self.hear(kind)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    pids = []
    try:
        pids = [json.loads((wait_for(tmp_path / "run.glens" / "run.json")).read_text())["host_pid"]]
        yield talk
    finally:
        talk.process.kill()
        talk.process.communicate()
        for pid in pids:  # of the group that the script is in
            subprocess.run(["kill", "-9", "--", f"-{pid}"], stderr=subprocess.DEVNULL, check=False)


def wait_for(path: Path) -> Path:
    """A file that is going to be written, within a minute."""
    end = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size) and time.monotonic() < end:
        time.sleep(0.02)
    return path


def test_ctrl_c_in_every_state_and_what_is_known_after_the_end(talk: Talk) -> None:
    first = talk.hear("stopped")
    assert first["seq"] == 0
    talk.interrupt()  # held: nothing ends
    assert "held" in talk.hear("interrupted")["text"]
    talk.say("eval sum(1 for _ in iter(int, 1))")
    time.sleep(0.5)  # so that it has begun: earlier, Ctrl-C would be answered as above
    talk.interrupt()  # only what is evaluated ends
    assert "GivenUp" in talk.hear("value")["error"]
    assert talk.ask("print 1 + 1", "value")["text"] == "2"
    talk.say("continue")
    time.sleep(0.5)
    talk.interrupt()  # while it runs: held at the next operation
    talk.hear("pausing")
    assert talk.hear("stopped")["why"] == "pause"
    held = talk.ask("until aten.mul*", "stopped")
    assert talk.ask("eval seen.append(7)", "value")["error"] == ""  # what is changed stays changed
    (talk.folder / "enough").touch()
    talk.say("continue")
    while "asleep" not in talk.hear("printed")["text"]:
        pass
    assert (talk.folder / "seen").read_text() == "[15.0, 7, 30.0]"
    talk.interrupt()  # no operation comes,
    talk.hear("pausing")
    talk.interrupt()  # so it gets it itself
    assert talk.hear("ended") == {"answer": "ended", "exit_code": None, "signal": signal.SIGINT}

    for words in ("where", "print x", "locals", "continue", "step 3", "set out0 = x", "pause", "kill", "pdb"):
        assert "the script has ended: killed by SIGINT" in talk.ask(words, "error")["error"], words
    op = talk.ask(f"show op {held['seq']}", "shown")["shown"]
    assert (op["op"], op["outputs"][0]["max"]) == ("aten.mul.Tensor", 10.0)
    assert talk.ask(f"show tensor {held['seq']}", "shown")["shown"]["elements"] == [0, 2, 4, 6, 8, 10]
    assert "no op 99999999" in talk.ask("show op 99999999", "error")["error"]
    assert talk.ask("why", "verdict")["origin"] is None
    assert talk.ask("breakpoints", "breakpoints")["breakpoints"] == []
    talk.interrupt()  # nothing is left to hold on to
    assert talk.process.wait(60) == -signal.SIGINT


def test_a_script_that_is_killed_while_it_is_held_is_said_to_have_ended(talk: Talk) -> None:
    os.kill(talk.hear("stopped")["pid"], signal.SIGKILL)
    assert talk.hear("ended")["signal"] == signal.SIGKILL
    assert "has ended: killed by SIGKILL" in talk.ask("step", "error")["error"]


def test_a_debugger_that_is_killed_while_it_holds_lets_the_script_go_on(talk: Talk) -> None:
    talk.hear("stopped")
    (talk.folder / "enough").touch()
    talk.say("eval sum(1 for _ in iter(int, 1))")  # that ends with it
    time.sleep(0.5)
    talk.process.kill()
    wait_for(talk.folder / "seen")

    assert (talk.folder / "seen").read_text() == "[15.0, 30.0]"
