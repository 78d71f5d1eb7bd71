"""How a run was left is how it is opened; panes keep their sizes; a person's settings hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from factories import write_run
from graphlens import runs
from graphlens.session import Saved, load
from graphlens_tui import glyphs, memory, settings
from graphlens_tui.memory import View
from graphlens_tui.model import Mode
from screens import saved, showing


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a directory."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_a_run_is_opened_as_it_was_left(tmp_path: Path) -> None:
    """Cursor, folds, folded steps, filter, sizes and colours; and nothing is written beside the run."""
    run = saved(tmp_path).run.path
    before = files(run)
    async with showing(Saved(run), (150, 46)) as screen:
        app = screen.app
        await screen.press("z2", "{", "}", "space", "&", *"!nan !op:view", "enter", "G", "k", "<", "<", "T")
        shown = app.model.shown
        assert shown is not None and shown.timeline.folded and shown.timeline.closed and app.filtered
        left = (app.at, app.graph.cursor, shown.timeline.folded, shown.timeline.closed, app.filtered,
                app.side_wish, app.palette.ground, len(shown.timeline))  # fmt: skip
    async with showing(Saved(run), (150, 46)) as screen:
        app, shown = screen.app, screen.app.model.shown
        assert shown is not None
        assert left == (app.at, app.graph.cursor, shown.timeline.folded, shown.timeline.closed, app.filtered,
                        app.side_wish, app.palette.ground, len(shown.timeline))  # fmt: skip
        assert "hidden" in screen.text()
    assert files(run) == before
    kept = [file for file in files(tmp_path) if "views" in file]
    assert len(kept) == 1 and os.stat(kept[0]).st_mode & 0o077 == 0


async def test_the_mode_is_restored_and_a_moved_run_is_known(tmp_path: Path) -> None:
    """What a run is counts, not where it lies."""
    run = saved(tmp_path).run.path
    async with showing(Saved(run)) as screen:
        await screen.press("!", "4")
    moved = run.rename(tmp_path / "moved.glens")
    async with showing(Saved(moved)) as screen:
        await screen.wait(lambda: screen.app.mode is Mode.HEALTH)
        await screen.press("1")
        assert screen.app.at == screen.app.model.ill.seqs[0]


@pytest.mark.parametrize(
    "text",
    [b"{", b"[1]", b'{"at": "x"}', b'{"at": -1}', b'{"folded": [3]}', b'{"closed": [true]}',
     b'{"side": 1e400}', b"\xff\xfe", b'{"mode": 4}', b"[" * 100_000],
)  # fmt: skip
def test_damage_is_said(tmp_path: Path, text: bytes) -> None:
    """And the run is opened at its beginning."""
    info = load(write_run(tmp_path / "run.glens", nodes=60, steps=1)).info
    memory.keep(info, View(at=3))
    (file,) = (runs.state_directory() / "views").iterdir()
    assert memory.load(info) == (View(at=3), "")
    file.write_bytes(text)
    view, wrong = memory.load(info)
    assert view is None and "damaged" in wrong


async def test_a_view_that_does_not_fit_the_run(tmp_path: Path) -> None:
    """Whatever it says, the run is shown; a damaged one is said on the screen."""
    run = saved(tmp_path).run.path
    view = View(10**9, 77, "lunch", ["\x1b"], [5], filter="re:(", side=10**6, bottom=10**6)
    memory.keep(load(run).info, view)
    async with showing(Saved(run), (120, 40)) as screen:
        assert "setup" in screen.text() and screen.app.graph.size.width >= 40
    (file,) = (runs.state_directory() / "views").iterdir()
    file.write_text("{")
    async with showing(Saved(run), (120, 40)) as screen:
        assert "damaged" in screen.status()


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    """They are read as nothing, and written over as nothing."""
    info = load(write_run(tmp_path / "run.glens", nodes=60, steps=1)).info
    memory.keep(info, View())
    (file,) = (runs.state_directory() / "views").iterdir()
    file.unlink()
    os.mkfifo(file)
    assert memory.load(info)[0] is None
    file.unlink()
    target = tmp_path / "other.json"
    target.write_text(json.dumps({"at": 5}))
    file.symlink_to(target)
    assert memory.load(info)[0] is None
    memory.keep(info, View(at=7))
    assert json.loads(target.read_text()) == {"at": 5} and memory.load(info)[0] == View(at=7)


def test_the_oldest_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are kept."""
    monkeypatch.setattr(memory, "MOST", 3)
    infos = [
        load(write_run(tmp_path / f"{k}.glens", nodes=60, steps=1, started=float(k))).info for k in range(5)
    ]
    folder = runs.state_directory() / "views"
    for k, info in enumerate(infos):
        memory.keep(info, View(at=k))
        os.utime(folder / f"{memory.identity(info)}.json", (k, k))
    assert [memory.load(info)[0] is not None for info in infos] == [False, False, True, True, True]


async def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is shown all the same, and it is said once it is left."""
    (tmp_path / "file").write_text("")
    run = saved(tmp_path).run.path
    monkeypatch.setenv("GRAPHLENS_HOME", str(tmp_path / "file"))
    async with showing(Saved(run)) as screen:
        await screen.press("j")
    assert "is not kept" in screen.app.not_kept


# ── sizes ────────────────────────────────────────────────────────────────────────────────────


async def test_sizes_by_keys(tmp_path: Path) -> None:
    """Within bounds; | takes it back; where there is one pane alone it is said."""
    async with showing(saved(tmp_path), (160, 46)) as screen:
        app = screen.app
        side, bottom = app.query_one("#side"), app.query_one("#bottom")
        first = side.size.width, bottom.size.height
        await screen.press("<", "+")
        assert (side.size.width, bottom.size.height) == (first[0] + 4, first[1] + 2)
        assert app.graph.size.width == 160 - side.size.width
        await screen.press(*["<"] * 40, *["+"] * 40)
        assert app.graph.size.width >= 40 and app.graph.size.height >= 3
        await screen.press(*[">"] * 60, *["-"] * 60)
        assert side.size.width >= 20 and bottom.size.height >= 1
        await screen.press("|")
        assert (side.size.width, bottom.size.height) == first
        await screen.pilot.resize_terminal(80, 24)
        await screen.rest()
        await screen.press("<")
        assert "no details beside" in screen.status()


async def test_sizes_by_the_mouse(tmp_path: Path) -> None:
    """The line is dragged, also over another pane; what is below it is not clicked."""
    async with showing(saved(tmp_path), (160, 46)) as screen:
        app, pilot = screen.app, screen.pilot
        side, cursor, top = app.query_one("#side"), app.graph.cursor, app.graph.scroll_offset.y
        x = side.region.x
        await pilot.mouse_down(offset=(x, 10))
        for to in (x - 3, x - 9, x - 20):
            await pilot.hover(offset=(to, 12))
        await pilot.mouse_up(offset=(x - 20, 12))
        await screen.rest()
        assert side.region.x == x - 20
        assert (app.graph.cursor, app.graph.scroll_offset.y) == (cursor, top)
        await pilot.hover(offset=(x - 40, 12))
        assert side.region.x == x - 20
        bottom = app.query_one("#bottom").region
        await pilot.mouse_down(offset=(5, bottom.y))
        await pilot.hover(offset=(5, bottom.y - 6))
        await pilot.mouse_up(offset=(5, bottom.y - 6))
        await screen.rest()
        assert app.query_one("#bottom").region.y == bottom.y - 6


# ── settings ─────────────────────────────────────────────────────────────────────────────────


def test_settings_of_the_file(tmp_path: Path) -> None:
    """And what the environment says wins."""
    file = tmp_path / "keys.toml"
    file.write_text('[view]\ntheme = "light"\nascii = true\npatience = 0.2\nrestore = false\n')
    found = settings.load(file)
    assert found == settings.Settings("light", True, 0.2, False)
    assert found.light({}) and not found.light({"GRAPHLENS_THEME": "dark"})
    assert found.glyphs({}) is glyphs.ASCII
    assert found.glyphs({"GRAPHLENS_ASCII": "0"}) is glyphs.UNICODE


@pytest.mark.parametrize(
    ("line", "said"),
    [('theme = "blue"', '"light" or "dark"'), ("ascii = 1", "true or false"), ("patience = -1", "seconds"),
     ("patience = true", "seconds"), ("fast = 1", "there is no 'fast'")],
)  # fmt: skip
def test_wrong_settings_are_said_and_the_others_hold(tmp_path: Path, line: str, said: str) -> None:
    """A mistake is no reason not to open a run."""
    file = tmp_path / "keys.toml"
    file.write_text(f"[view]\n{line}\nrestore = false\n")
    found = settings.load(file)
    assert said in " ".join(found.wrong) and found.restore is False


async def test_nothing_is_remembered_where_a_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restore = false."""
    file = tmp_path / "keys.toml"
    file.write_text('[view]\nrestore = false\ntheme = "light"\nfly = 3\n')
    monkeypatch.setenv("GRAPHLENS_KEYS", str(file))
    async with showing(saved(tmp_path)) as screen:
        assert "there is no 'fly'" in screen.status()
        assert not screen.app.current_theme.dark
        await screen.press("G")
    assert not (runs.state_directory() / "views").exists()
