"""What a person sees, as golden files: read the diff before accepting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories import new_run
from screens import same_as_golden, saved, showing


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_first_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    """Columns drop by priority, and nothing overlaps."""
    async with showing(saved(tmp_path), size) as screen:
        same_as_golden(screen.text(), f"first_{size[0]}x{size[1]}")


async def test_the_birth_of_a_nan(tmp_path: Path) -> None:
    """The operation, its numbers and its line of source, side by side."""
    async with showing(saved(tmp_path), (160, 46)) as screen:
        await screen.press("!")
        same_as_golden(screen.text(), "nan_160x46")


async def test_folded(tmp_path: Path) -> None:
    """Modules as one line each, with what they hand on."""
    async with showing(saved(tmp_path), (160, 46)) as screen:
        await screen.press("z1", "}", "j")
        same_as_golden(screen.text(), "folded_160x46")


async def test_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but ASCII, and nothing is told by colour alone."""
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("!")
        text = screen.text()

        assert text.isascii()
        assert "X" in text and "NaN" in text
        same_as_golden(text, "ascii_120x40")


async def test_help(tmp_path: Path) -> None:
    """The table that the code uses."""
    async with showing(saved(tmp_path), (120, 60)) as screen:
        await screen.press("?")
        same_as_golden(screen.text(), "help_120x60")


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1"}, {"GRAPHLENS_THEME": "light"}, {"TERM": "dumb"}], ids=str
)
async def test_the_text_is_the_same_in_any_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """Without colours, on a light ground: the same characters."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with showing(saved(tmp_path), (160, 46)) as screen:
        await screen.press("!")
        same_as_golden(screen.text(), "nan_160x46")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 2), (20, 8), (400, 3), (30, 100)], ids=str)
async def test_no_terminal_is_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    """While somebody drags a window there is any size for a moment."""
    async with showing(saved(tmp_path), size) as screen:
        await screen.press("j", "G", "tab", "?", "escape", "o", "escape", "!", "space")
        await screen.pilot.resize_terminal(80, 24)
        await screen.rest()

        assert "1 Graph" in screen.text()


async def test_a_run_without_operations(tmp_path: Path) -> None:
    """Says that nothing was recorded instead of showing an empty screen."""
    from graphlens.session import Saved

    new_run(tmp_path / "empty.glens")
    async with showing(Saved(tmp_path / "empty.glens"), (80, 24)) as screen:
        await screen.press("j", "!", "gd", "space", "}", "/", "enter", "a")

        assert "nothing was recorded" in screen.text() or "about" in screen.text()
        await screen.press("escape")
        assert "nothing was recorded" in screen.text()


async def test_names_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """An op, a module, a file or an exception may be called anything; escapes are written out."""
    from factories import LogWriter, leaf, ran, seen, site
    from graphlens.session import Saved
    from graphlens_tracers.events import (
        CallBegan,
        CallId,
        GraphId,
        ModuleCallId,
        ModuleCallSeen,
        ScopeId,
        ScopeSeen,
        Seq,
        Unusual,
    )

    evil = "\x1b]52;c;aGk=\x07[red]\u202e\x9b2J"
    log: LogWriter = new_run(tmp_path / "evil.glens", argv=[f"{evil}.py"])
    log.declare(
        ScopeSeen(ScopeId(0), None, evil, evil), ModuleCallSeen(ModuleCallId(0), None, ScopeId(0)),
        site(0, 1, evil, function=evil), leaf(7, evil),
        *seen(ran(0, inputs=[7], op=f"aten.{evil}.default", scope=0, module_call=0, site=0, form=evil),
              ran(1, inputs=[0], op=evil), leaves=[leaf(7, evil)]),
    )  # fmt: skip
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(0, 1)
    log.facts(Unusual(Seq(1), -1, error=evil))
    async with showing(Saved(tmp_path / "evil.glens"), (160, 46)) as screen:
        seen_text = screen.text()
        for key in ("j", "space", "j", "a", "escape", "/", "enter", "G", "gd", "?"):
            await screen.press(key)
            seen_text += screen.text()

        assert not set(seen_text) & {"\x1b", "\x07", "\x9b", "\u202e"}
        assert "[red]" in seen_text


async def test_of_several_processes_one_is_shown_and_named(tmp_path: Path) -> None:
    """The one that trains, although another ran more; and the list says which of them it is."""
    from factories import LogWriter, ran, seen, small_run
    from graphlens.session import Saved
    from graphlens_tracers.events import Gap, RunStarted, Seq

    log = small_run(tmp_path / "run.glens", ran(0), steps=2).finish()
    worker = LogWriter(log.directory, pid=77, nonce="00000001")
    worker.declare(RunStarted(("train.py",), 77, worker="DataLoader worker 0", parent=4242, began=1.0))
    worker.declare(*seen(ran(0))).ran(*[0] * 9).facts(Gap("thread", "a thread", Seq(0), 3)).finish()
    async with showing(Saved(log.directory), (150, 40)) as screen:
        top, status = screen.text().splitlines()[0], screen.status()
        await screen.press("a")
        about = screen.text()

    assert top.endswith(" main, 1 of 2 processes")
    assert "1 gap" in status
    assert "0: main   4242   2 ops   ended" in about
    assert "1: DataLoader worker 0   77   9 ops   ended" in about
    assert about.count("shown") == 1
