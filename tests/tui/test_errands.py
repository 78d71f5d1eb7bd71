"""Keys that do something outside of the terminal UI: against an editor that writes down what it is given."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from factories import ran, site, small_run
from graphlens.session import Saved
from graphlens_tui.app import GraphlensApp
from graphlens_tui.errands import editor
from screens import showing


def _run(tmp_path: Path, *, source: bool = True) -> Saved:
    """A step of one operation, of line 7 of a script; and one of no line."""
    if source:
        (tmp_path / "train.py").write_text("pass\n" * 9)
    log = small_run(tmp_path / "r.glens", ran(0, op="aten.log.default", site=0), steps=1, cwd=str(tmp_path))
    log.declare(site(0, 7))
    log.finish()
    return Saved(tmp_path / "r.glens")


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the editor writes its arguments; the terminal of a test cannot be given away."""
    script, file = tmp_path / "editor.py", tmp_path / "noted"
    script.write_text(f"import sys\nopen({str(file)!r}, 'w').write('|'.join(sys.argv[1:]))\n")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script} --wait")
    monkeypatch.setattr(GraphlensApp, "suspend", lambda _app: contextlib.nullcontext())
    return file


async def test_the_editor_gets_the_line(tmp_path: Path, noted: Path) -> None:
    """Of the operation under the cursor."""
    async with showing(_run(tmp_path), (100, 30)) as screen:
        await screen.press("j", "ctrl+e")
        assert noted.read_text() == f"--wait|+7|{tmp_path / 'train.py'}"
        assert "exit code" not in screen.status()


async def test_what_cannot_be_edited_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No editor, no file, no operation; an editor that is not there."""
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setattr(GraphlensApp, "suspend", lambda _app: contextlib.nullcontext())
    async with showing(_run(tmp_path), (160, 30)) as screen:
        await screen.press("ctrl+e")
        assert "no source line is known" in screen.status()
        await screen.press("j", "ctrl+e")
        assert "set VISUAL or EDITOR" in screen.status()
        monkeypatch.setenv("EDITOR", str(tmp_path / "nothing"))
        await screen.press("ctrl+e")
        assert "cannot run" in screen.status()
        (tmp_path / "train.py").unlink()
        await screen.press("ctrl+e")
        assert "is not there" in screen.status()


async def test_a_terminal_that_cannot_be_given_away_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a test."""
    monkeypatch.setenv("EDITOR", "true")
    async with showing(_run(tmp_path), (100, 30)) as screen:
        await screen.press("j", "ctrl+e")
        assert "cannot be given to an editor" in screen.status()


async def test_the_place_is_copied(tmp_path: Path) -> None:
    """File, line and operation."""
    async with showing(_run(tmp_path), (160, 30)) as screen:
        await screen.press("y")
        assert "no operation is selected" in screen.status()
        await screen.press("j", "y")
        assert screen.app.clipboard == "train.py:7 aten.log.default #0"
        assert "copied train.py:7" in screen.status()


def test_the_editor_is_what_the_person_says() -> None:
    """VISUAL before EDITOR; words that are no command are none."""
    assert editor({"EDITOR": "vi", "VISUAL": "code -w"}) == ["code", "-w"]
    assert editor({"EDITOR": "vi"}) == ["vi"]
    assert editor({}) == editor({"EDITOR": "'"}) == []
