"""The UI on a real script with a real terminal: what it prints, what is typed to it, how it is stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphlens.live import Live
from graphlens.session import RunState
from host_processes import RECORD, record_of, script, until
from screens import showing

ASKS = """
import sys
print("ready", sys.stdout.isatty(), flush=True)
name = input("name? ")
print(f"hello {name}", flush=True)
for k in range(5):
    print(f"\\r{k}/5", end="", flush=True)
sys.exit(3)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    time.sleep(0.1)
"""


@contextlib.contextmanager
def recorded(where: Path, text: str) -> Iterator[Live]:
    """A session on a script that runs in the background, with a terminal of ours."""
    run = where / "run.glens"
    command = [*RECORD, "--pty", "--size=24x80", "--quiet", f"--output={run}", str(script(where, text))]
    host = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert host.stdout is not None
        assert json.loads(host.stdout.readline())["run"] == str(run)
        session = Live(run)
        yield session
        session.close()
    finally:
        host.kill()
        host.communicate()


async def test_the_script_is_answered(tmp_path: Path) -> None:
    """input() is asked and answered in the output pane, and its exit code is shown."""
    with recorded(tmp_path, ASKS) as session:
        async with showing(session, (100, 40)) as screen:
            await screen.wait(lambda: "name?" in screen.text(), 30)
            assert "ready True" in screen.text()
            await screen.press("o")
            assert "keys go to the script" in screen.text()
            await screen.press("q", "x", "backspace", "A", "d", "a", "enter")
            await screen.wait(lambda: "hello qAda" in screen.text(), 30)
            await screen.wait(lambda: "exit code 3" in screen.text(), 30)
            assert "4/5" in screen.text()
            await screen.press("o", "q")
            assert not screen.app.is_running


async def test_the_script_knows_the_size_of_the_pane(tmp_path: Path) -> None:
    """A progress bar is as wide as the place where it is shown."""
    text = (
        "import os, time\nwhile True:\n    print(os.get_terminal_size(), flush=True)\n    time.sleep(0.2)\n"
    )
    with recorded(tmp_path, text) as session:
        async with showing(session, (90, 40)) as screen:
            await screen.press("o")
            await screen.wait(
                lambda: f"columns={screen.app.output.scrollable_content_region.width}" in screen.text(), 30
            )
            session.kill()


@pytest.mark.parametrize("text", [STUBBORN], ids=["deaf to interrupts"])
async def test_stopping_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Interrupt first; what does not listen is terminated, and the UI leaves when it is over."""
    monkeypatch.setattr("graphlens_tui.leaving.PATIENCE", 0.5)
    with recorded(tmp_path, text) as session:
        async with showing(session, (100, 40)) as screen:
            await screen.wait(lambda: "deaf" in screen.text(), 30)
            await screen.press("q", "s")
            await screen.wait(lambda: not screen.app.is_running, 30)
        assert session.state is RunState.FINISHED
        assert record_of(tmp_path / "run.glens")["signal"] == 15


async def test_leaving_it_running(tmp_path: Path) -> None:
    """The script goes on when nobody looks."""
    with recorded(tmp_path, STUBBORN) as session:
        async with showing(session, (100, 40)) as screen:
            await screen.press("q", "l")
            assert not screen.app.is_running
        assert record_of(tmp_path / "run.glens")["state"] == "running"
        session.kill()
        until(lambda: record_of(tmp_path / "run.glens")["state"] == "finished")


def test_the_ui_imports_no_framework() -> None:
    """Its process stays small and cannot be taken down by the user's libraries."""
    heavy = ("torch", "tensorflow", "networkx")
    code = f"import sys, graphlens_tui.app; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "[]\n"
