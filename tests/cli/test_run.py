"""`graphlens run`: the script in the background, a UI in front, and how they part.

The UI is a stand-in of a few lines: it shows that any client of the session can be left and killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graphlens import runs
from host_processes import on_terminal, record_of, script, until

pytestmark = pytest.mark.usefixtures("_capable_terminal")


@pytest.fixture
def _capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous integration often has TERM=dumb."""
    monkeypatch.setenv("TERM", "xterm-256color")


FRONT = """
import sys, time, types
app = types.ModuleType("graphlens_tui.app")
def run(session, again=None):
    {ui}
app.run = run
sys.modules["graphlens_tui.app"] = app
from graphlens.cli import main
sys.exit(main(sys.argv[1:]))
"""

UNTIL_THE_END = """
    while session.state == "running": time.sleep(0.01)
    print("printed:", session.output())
"""
LEAVE = "return"
STAY = 'print("showing", flush=True); time.sleep(60)'


def front(ui: str, *words: str) -> list[str]:
    """`graphlens` with these words and this UI."""
    return [sys.executable, "-P", "-c", FRONT.format(ui=ui.strip()), *words]


def test_run_ends_as_the_script_ended(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys\nprint(sys.argv[1:], sys.stdout.isatty())\nsys.exit(5)\n")
    with on_terminal(
        front(UNTIL_THE_END, "run", "-o", str(tmp_path / "run"), str(path), "--lr", "1")
    ) as terminal:
        assert terminal.wait() == 5

    assert b"printed: b\"['--lr', '1'] True\\r\\n\"" in terminal.said
    assert b"graphlens: the script ended: exit code 5" in terminal.said
    assert f"graphlens: {tmp_path / 'run'}: nothing was recorded".encode() in terminal.said


def test_run_is_ended_by_the_signal_that_ended_the_script(tmp_path: Path) -> None:
    path = script(tmp_path, "import os; os.kill(os.getpid(), 15)")
    with on_terminal(front(UNTIL_THE_END, "run", "-q", str(path))) as terminal:
        assert terminal.wait() == -signal.SIGTERM


def test_script_goes_on_when_the_ui_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, "import time\nwhile not __import__('os').path.exists('end'): time.sleep(0.02)\n")
    monkeypatch.chdir(tmp_path)
    with on_terminal(front(LEAVE, "run", str(path))) as terminal:
        assert terminal.wait() == 0
    run = runs.resolve("last")
    pid = record_of(run)["pid"]

    assert (
        f"graphlens: script-1 goes on (process {pid}); watch it again with: graphlens open script-1".encode()
        in (terminal.said)
    )
    assert runs.is_alive(pid)
    (tmp_path / "end").touch()
    until(lambda: record_of(run)["state"] == "finished")
    assert record_of(run)["exit_code"] == 0


def test_script_goes_on_when_the_ui_and_its_terminal_are_killed(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "import time, sys\nfor _ in range(20): print('x', flush=True); time.sleep(0.05)\nsys.exit(3)\n",
    )
    with on_terminal(front(STAY, "run", "-o", str(tmp_path / "run"), str(path))) as terminal:
        terminal.expect(b"showing")
    until(lambda: record_of(tmp_path / "run")["state"] == "finished")

    assert record_of(tmp_path / "run")["exit_code"] == 3
    assert (tmp_path / "run" / "output.log").read_bytes() == b"x\r\n" * 20


def test_size_of_the_terminal_is_the_scripts(tmp_path: Path) -> None:
    path = script(tmp_path, "import os; print(os.get_terminal_size())")
    resize = "fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 31, 97, 0, 0))"
    then = "os.execv(sys.argv[1], sys.argv[1:])"
    size = [sys.executable, "-c", f"import fcntl, os, struct, sys, termios; {resize}; {then}"]
    with on_terminal([*size, *front(UNTIL_THE_END, "run", "-q", str(path))]) as terminal:
        assert terminal.wait() == 0

    assert b"columns=97, lines=31" in terminal.said


def test_failure_before_the_start_is_said_once(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    (tmp_path / "run").mkdir()
    for words, why in (
        (("missing.py",), b"cannot read the script"),
        (("-o", str(tmp_path / "run"), str(path)), b"--force"),
    ):
        with on_terminal(front(LEAVE, "run", *words)) as terminal:
            assert terminal.wait() == 125
        assert terminal.said.count(b"graphlens: ") == 1 and why in terminal.said
        assert terminal.said.strip().endswith(b"]")


def test_dumb_terminal_is_refused_before_the_script_starts(tmp_path: Path) -> None:
    path = script(tmp_path, "open('ran', 'w')")
    with on_terminal(["/usr/bin/env", "TERM=dumb", *front(LEAVE, "run", str(path))]) as terminal:
        assert terminal.wait() == 125

    assert b"[no-terminal]" in terminal.said and b"graphlens record" in terminal.said
    assert not (tmp_path / "ran").exists()


def test_open_shows_a_saved_run(tmp_path: Path) -> None:
    path = script(tmp_path, "print('hello')")
    subprocess.run([sys.executable, "-P", "-m", "graphlens", "record", "-q", str(path)], check=True)
    with on_terminal(front("print(session.state, session.run.info.name)", "open", "last")) as terminal:
        assert terminal.wait() == 0

    assert b"finished script-1" in terminal.said
