"""The Runs mode: what it lists is held against what was written into each run."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Input

from factories import LogWriter, OpRow, new_run, out, ran, run_json, seen, site, small_run, write_run
from graphlens import runs
from graphlens.runs import Entry
from graphlens.session import Run, Saved, Session
from graphlens_tracers.events import CallBegan, CallEnded, CallId, Gap, GraphId, Phase, Seq
from graphlens_tui import reader
from graphlens_tui.app import GraphlensApp
from graphlens_tui.listing import Opened
from graphlens_tui.summaries import Summary, summed
from screens import FakeSession, Screen, same_as_golden, showing

SIZES = pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}"
)
FIRST = 1_700_000_000.0
"""When the oldest run of `home` began."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory, in a place where it is always the same time of day."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    path = tmp_path / "state"
    path.mkdir()
    monkeypatch.setenv("GRAPHLENS_HOME", str(path))
    return path


def every_kind(home: Path) -> None:
    """Runs of every kind, the oldest first, an hour apart."""
    began = {
        name: FIRST + 3600 * k for k, name in enumerate("fine bad killed empty newer torn lost runs".split())
    }
    write_run(home / "fine-1.glens", nodes=120, steps=3, started=began["fine"], ended=began["fine"] + 2.5)
    write_run(
        home / "bad-1.glens", nodes=120, steps=3, nan_from=1, started=began["bad"], ended=began["bad"] + 3,
        argv=["bad.py", "--lr", "0.1"], exit_code=1,
    )  # fmt: skip
    small_run(
        home / "killed-1.glens", ran(0), started=began["killed"], argv=["killed.py"], signal=9, exit_code=None
    ).facts(Gap("thread", "a thread of another kind", Seq(0), 3))
    new_run(home / "empty-1.glens", started=began["empty"], argv=["empty.py"], level="structure").finish()
    small_run(home / "newer-1.glens", ran(0), started=began["newer"], argv=["newer.py"], format=99)
    torn = small_run(home / "torn-1.glens", ran(0), steps=4, started=began["torn"], argv=["torn.py"])
    torn.path.write_bytes(torn.path.read_bytes()[:-7])
    small_run(
        home / "lost-1.glens", ran(0), started=began["lost"], argv=["pkg.train"], module=True,
        state="running", host="elsewhere", exit_code=None, ended=None,
    )  # fmt: skip
    small_run(
        home / "runs-1.glens", ran(0), started=began["runs"], argv=["runs.py"], pid=os.getpid(),
        host=os.uname().nodename, state="running", exit_code=None, ended=None,
    )  # fmt: skip
    (home / "other.glens").mkdir()  # no run.json: not ours
    (home / "junk.glens").mkdir()
    (home / "junk.glens" / "run.json").write_text("{")


@contextlib.asynccontextmanager
async def listing(session: Session, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Screen]:
    """The mode on a session, once every run was read."""
    async with showing(session, size) as screen:
        await screen.press("5")
        await all_read(screen)
        yield screen


async def all_read(screen: Screen) -> None:
    saved = screen.app.listing
    await screen.wait(
        lambda: (
            saved.listed
            and all(one.path in saved.known for one in saved.entries)
            and saved.next_to_judge() is None
        ),
        30,
    )
    await screen.rest(0.3)


def row(screen: Screen, name: str) -> list[str]:
    """The cells of a run's line; those that stand two or more blanks apart."""
    lines = screen.text().splitlines()[1:]
    line = next(line for line in lines if re.search(rf"[│▶◉ ] {name}\b", line))
    return re.split(r"\s{2,}", line.strip("│▶◉ "))


async def select(screen: Screen, name: str) -> None:
    """Move to a run, as a person would."""
    await screen.press("g")
    await screen.rest(0.6)
    for _ in screen.app.listing.shown:
        entry = screen.app.listing.selected()
        if entry is not None and entry.name == name:
            return
        await screen.press("j")
    raise AssertionError(f"{name} is not listed")


# ── the list ─────────────────────────────────────────────────────────────────────────────────


async def test_each_run_is_listed_as_it_was_written(home: Path) -> None:
    """The newest first, with steps, operations, health and how it ended; what is no run is left out."""
    every_kind(home)
    ops = Saved(home / "bad-1.glens").run.main
    bad = len(ops.bad_rows())
    assert 0 < bad < ops.op_count
    async with listing(Saved(home / "fine-1.glens")) as screen:
        names = [entry.name for entry in screen.app.listing.shown]
        assert names == "runs-1 lost-1 torn-1 newer-1 empty-1 killed-1 bad-1 fine-1".split()

        fine = row(screen, "fine-1")
        assert fine[0] == "fine-1 (open)" and fine[1] == "train.py" and fine[2].startswith("pytorch ")
        assert fine[3:8] == ["2023-11-14", "3", str(ops.op_count), "● clean", "finished"]
        assert row(screen, "bad-1")[4:8] == ["3", str(ops.op_count), f"✖ NaN {bad}", "exit 1"]
        assert row(screen, "killed-1")[-5:-1] == ["2", "2", "○ incomplete", "SIGKILL"]
        assert row(screen, "empty-1")[-3:-1] == ["nothing recorded", "finished"]
        assert row(screen, "newer-1")[-3:-1] == ["unreadable", "finished"]
        assert "incomplete" in " ".join(row(screen, "torn-1"))
        assert row(screen, "lost-1")[1] == "-m pkg.train" and row(screen, "lost-1")[-2] == "lost"
        assert row(screen, "runs-1")[-3:-1] == ["● clean so far", "running"]
        assert "8 runs" in screen.status()


async def test_a_run_kept_elsewhere_is_listed_while_it_is_open(home: Path, tmp_path: Path) -> None:
    """Its name is its path."""
    small_run(home / "here-1.glens", ran(0), started=FIRST)
    there = small_run(tmp_path / "x.glens", ran(0), started=FIRST + 1).directory
    async with listing(Saved(there), (200, 40)) as screen:
        assert [entry.path for entry in screen.app.listing.shown] == [there, home / "here-1.glens"]
        assert "x.glens (open)" in screen.text()


async def test_no_runs(home: Path, tmp_path: Path) -> None:
    """A state directory that is not there is no error."""
    home.rmdir()
    there = new_run(tmp_path / "x.glens").finish().directory
    async with listing(Saved(there)) as screen:
        assert "nothing recorded" in screen.text()
        await screen.press("/", "q", "enter")
        assert "no run fits 'q'" in screen.text() and "0 of 1 runs" in screen.status()


async def test_what_is_searched_for_is_shown(home: Path) -> None:
    """All words have to be there; what is known of the numbers counts."""
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens")) as screen:
        for asked, found in (("nan", ["bad-1"]), ("sigkill", ["killed-1"]), ("pytorch", ["bad-1", "fine-1"])):
            await screen.press("/", *asked, "enter")
            assert [entry.name for entry in screen.app.listing.shown] == found
        await screen.press("/", *"pytorch", "space", *"0.1", "enter")
        assert [entry.name for entry in screen.app.listing.shown] == ["bad-1"]
        assert "pytorch 0.1" in screen.status() and "1 of 8 runs" in screen.status()


async def test_the_list_is_there_before_the_runs_are_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand runs; those on the screen are read first, each of them once, and no other before them."""
    first = small_run(home / "a-1000.glens", ran(0), started=FIRST + 1000).directory
    for k in range(1, 1000):
        (home / f"a-{k}.glens").mkdir()
        run_json(home / f"a-{k}.glens", started=FIRST + k)
    go, order = threading.Event(), []

    def held(run: Run, entry: Entry) -> Summary:
        order.append(entry.name)
        go.wait(20)
        return summed(run, entry)

    monkeypatch.setattr(reader, "summed", held)
    async with showing(Saved(first)) as screen:
        await screen.press("5")
        await screen.wait(lambda: len(screen.app.listing.shown) == 1000)
        await screen.rest()
        assert "1,000 runs" in screen.status() and row(screen, "a-999")[0] == "a-999"
        await screen.press("G")
        assert row(screen, "a-1")[0] == "a-1" and not screen.app.listing.known
        await screen.rest(0.3)
        go.set()
        await screen.wait(lambda: len(order) > 3)
        on_screen = {f"a-{k}" for k in range(1, 1 + len(screen.app.listing.visible))}
        await screen.wait(lambda: len(order) > len(on_screen) + 3)
        assert order[0] == "a-1000" and order[1:4] == ["a-1", "a-2", "a-3"]
        assert 10 < len(on_screen) < 40 and set(order[1 : 1 + len(on_screen)]) == on_screen
        await screen.wait(lambda: "nothing recorded" in screen.text())
        assert "…" not in "".join(line[60:] for line in screen.text().splitlines() if " a-" in line)


async def test_runs_that_come_and_go_are_seen(home: Path) -> None:
    """Without a key."""
    one = small_run(home / "a-1.glens", ran(0), started=FIRST).directory
    async with listing(Saved(one)) as screen:
        small_run(home / "a-2.glens", ran(0), started=FIRST + 1)
        await screen.wait(lambda: len(screen.app.listing.shown) == 2)
        assert [entry.name for entry in screen.app.listing.shown] == ["a-2", "a-1"]
        (home / "a-2.glens" / "pages").rmdir()
        runs.delete(home / "a-2.glens")
        await screen.wait(lambda: len(screen.app.listing.shown) == 1)
        assert [entry.name for entry in screen.app.listing.shown] == ["a-1"]


async def test_names_cannot_reach_the_terminal(home: Path) -> None:
    """Whatever a run.json says; nor does it break the list."""
    evil = "\x1b]52;c;aGk=\x07[red]\u202e\x9b2J"
    small_run(home / "a-1.glens", ran(0, op=evil), argv=[f"{evil}.py", evil], cwd=evil, started=1e300)
    small_run(home / "a-2.glens", ran(0), argv=[1, None], host=[evil], ended="soon", level=7, exit_code=evil)
    odd = home / f"{evil[:7]}.glens"
    small_run(odd, ran(0), started=FIRST)
    async with listing(Saved(home / "a-1.glens"), (200, 40)) as screen:
        seen_text = screen.text()
        for key in ("j", "j", "g", "d", "escape", "m", "tab", "?"):
            await screen.press(key)
            seen_text += screen.text()
        assert not set(seen_text) & {"\x1b", "\x07", "\x9b", "\u202e"}
        assert "[red]" in seen_text


# ── one run ──────────────────────────────────────────────────────────────────────────────────


async def test_the_preview_says_what_a_run_was(home: Path) -> None:
    """Its command, how it ended, its phases, the first operation that is not finite, and the verdict."""
    every_kind(home)
    main = Saved(home / "bad-1.glens").run.main
    origin = main.op(Seq(int(main.bad_rows()[0])))
    assert origin.site is not None and origin.call is not None
    phases = [main.op(Seq(seq)).node.phase for seq in range(main.end)]
    async with listing(Saved(home / "fine-1.glens")) as screen:
        await select(screen, "bad-1")
        await all_read(screen)
        text = screen.text().partition("preview")[2]
        assert "bad-1" in text and "python bad.py --lr 0.1" in text and "exit 1" in text and "3.00 s" in text
        assert f"{main.op_count} operations in 3 steps" in text
        for phase in (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER):
            assert f"{phase} {phases.count(phase)} " in text
        place = f"#{origin.seq} {origin.node.op}"
        assert re.search(rf"first +✖ NaN in step {origin.call.step} +{re.escape(place)} +train.py:11", text)
        assert "reached the loss" in text

        await select(screen, "killed-1")
        text = screen.text().partition("preview")[2]
        assert "not looked at: a thread of another kind (3 times)" in text
        await select(screen, "newer-1")
        assert "99" in screen.text().partition("preview")[2]


async def test_the_preview_of_a_small_terminal_is_behind_tab(home: Path) -> None:
    """And the list comes back."""
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens"), (80, 24)) as screen:
        assert "preview ·" not in screen.text() and "tab preview" in screen.status()
        await screen.press("tab")
        assert "preview · runs-1" in screen.text() and "killed-1" not in screen.text()
        await screen.press("escape")
        assert "killed-1" in screen.text()


async def test_enter_opens_a_run_and_backspace_comes_back(home: Path) -> None:
    """The next app begins where this one ended: with its list, its marks and its cursor."""
    every_kind(home)
    started = Saved(home / "fine-1.glens")
    async with listing(started) as screen:
        await select(screen, "killed-1")
        await screen.press("m", "enter")
        await screen.wait(lambda: screen.app.return_value is not None)
        opened = screen.app.return_value
    assert isinstance(opened, Opened) and opened.session.run.path == home / "killed-1.glens"

    app = GraphlensApp(opened.session, None, opened, started)
    async with app.run_test(size=(120, 40)) as pilot:
        after = Screen(app, pilot)
        await after.rest(0.3)
        assert str(app.mode) == "graph" and "killed-1" in after.text().splitlines()[0]
        await after.press("backspace")
        await after.rest(0.3)
        assert str(app.mode) == "runs" and row(after, "killed-1")[0] == "killed-1 (open)"
        entry = app.listing.selected()
        assert entry is not None and entry.name == "killed-1" and app.listing.marked == [entry.path]
        await after.press("enter")  # it is open: its graph
        assert str(app.mode) == "graph"
        await after.press("5")
        await select(after, "fine-1")
        await after.press("enter")
        await after.wait(lambda: app.return_value is not None)
    assert app.return_value is not None and app.return_value.session is started


async def test_a_run_that_cannot_be_opened_says_why(home: Path) -> None:
    """And the one that is open stays."""
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens")) as screen:
        await select(screen, "newer-1")
        await screen.press("enter")
        await screen.wait(lambda: "99" in screen.status())
        assert screen.app.return_value is None


async def test_leaving_asks_for_the_script_that_the_program_began_with(home: Path) -> None:
    """Also when another run is open."""
    every_kind(home)
    running = FakeSession(home / "runs-1.glens")
    app = GraphlensApp(Saved(home / "fine-1.glens"), None, None, running)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(app, pilot)
        await screen.rest(0.2)
        await screen.press("q")
        assert "the script still runs" in screen.text()


# ── two runs ─────────────────────────────────────────────────────────────────────────────────


def trained(path: Path, *, wider: bool, started: float) -> LogWriter:
    """Two steps of four operations; `wider` changes the third, and replaces the last by another."""
    log = new_run(path, started=started)
    nodes = [
        ran(0, op="aten.mm.default", inputs=[900], site=0),
        ran(1, op="aten.mul.Tensor", inputs=[0], site=1),
        ran(2, op="aten.relu.default", inputs=[1], site=2, outputs=[out(2, 8, 16 if wider else 8)]),
        ran(3, op="aten.log.default" if wider else "aten.exp.default", inputs=[2], site=3),
    ]
    log.declare(*(site(k, 10 + k) for k in range(4)), *seen(*nodes))
    for step in range(2):
        log.calls(CallBegan(CallId(step), GraphId(0), Seq(log.seq), step, "train"))
        high = 2.5 if wider and step == 1 else 2.0
        log.ran(*(OpRow(k, [(-1.0, high if k >= 1 else 2.0)]) for k in range(4)))
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    return log.finish()


async def compared(screen: Screen, *names: str) -> str:
    """Mark two runs, and compare them."""
    for name in names:
        await select(screen, name)
        await screen.press("m")
    await screen.press("=")
    await screen.wait(lambda: screen.app.comparing)
    await screen.rest(0.1)
    return screen.text()


async def test_two_runs_beside_each_other(home: Path) -> None:
    """What differs is what was written otherwise; the older run comes first, whichever was marked first."""
    trained(home / "a-1.glens", wider=False, started=FIRST)
    trained(home / "a-2.glens", wider=True, started=FIRST + 1)
    async with listing(Saved(home / "a-2.glens")) as screen:
        text = await compared(screen, "a-2", "a-1")
        assert "numbers part in step 1" in text and "2 of 3 outputs" in text
        assert re.search(r"- +#5 aten.mul.Tensor +forward +train.py:11 +output 0 +-1 … 2\b", text)
        assert re.search(r"\+ +#5 aten.mul.Tensor +forward +train.py:11 +output 0 +-1 … 2.5", text)
        assert "operations of step 0: 2 are the same, 3 are not" in text
        assert re.search(r"~ +#2 aten.relu.default +forward +train.py:12", text)
        assert "float32[8, 8] became float32[8, 16]" in text
        assert re.search(r"- +#3 aten.exp.default", text) and re.search(r"\+ +#3 aten.log.default", text)
        assert screen.status().startswith(" a-1 against a-2")
        assert "graphlens show a-1 against a-2" in text

        await screen.press("enter")  # where numbers part
        await screen.rest(0.1)
        assert str(screen.app.mode) == "graph" and screen.app.at == 5
        await screen.press("backspace")
        assert screen.app.comparing and "numbers part" in screen.text()
        await screen.press("j", "j", "enter")  # exp: only the older run has it
        assert "only a-1 has it, which is not open" in screen.status()
        await screen.press("j", "enter")
        await screen.rest(0.1)
        assert screen.app.at == 3
        await screen.press("backspace", "backspace")
        assert str(screen.app.mode) == "runs" and not screen.app.comparing
        assert "2 marked" in screen.status()


async def test_two_runs_that_are_the_same(home: Path) -> None:
    """Nothing differs, and it is said; neither is open, so there is nowhere to go."""
    for k in (1, 2, 3):
        trained(home / f"a-{k}.glens", wider=False, started=FIRST + k)
    async with listing(Saved(home / "a-3.glens"), (80, 24)) as screen:
        text = await compared(screen, "a-1", "a-2")
        assert "numbers do not part" in text and "operations are the same" in text
        await screen.press("5")
        assert not screen.app.comparing


async def test_two_are_marked_at_most(home: Path) -> None:
    """The mark of the first goes; the key takes marks away, too."""
    for k in (1, 2, 3):
        trained(home / f"a-{k}.glens", wider=False, started=FIRST + k)
    async with listing(Saved(home / "a-3.glens")) as screen:
        await screen.press("=")
        assert "mark two runs first" in screen.status()
        for name in ("a-1", "a-2", "a-3"):
            await select(screen, name)
            await screen.press("m")
        marked = [line for line in screen.text().splitlines() if "◉" in line]
        assert [next(name for name in ("a-1", "a-2", "a-3") if name in line) for line in marked] == [
            "a-3",
            "a-2",
        ]
        await screen.press("m")
        assert screen.app.listing.marked == [home / "a-2.glens"]


async def test_a_damaged_run_cannot_be_compared(home: Path) -> None:
    """It is said, and the list stays."""
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens")) as screen:
        await select(screen, "newer-1")
        await screen.press("m")
        await select(screen, "bad-1")
        await screen.press("m", "=")
        await screen.wait(lambda: "99" in screen.status())
        assert not screen.app.comparing


# ── deleting and exporting ───────────────────────────────────────────────────────────────────


async def test_deleting_asks(home: Path) -> None:
    """Escape and the first answer keep the run."""
    every_kind(home)
    (home / "killed-1.glens" / "pages").rmdir()  # a recorder keeps them elsewhere
    async with listing(Saved(home / "fine-1.glens")) as screen:
        await select(screen, "killed-1")
        await screen.press("d")
        assert "delete killed-1?" in screen.text()
        await screen.press("escape")
        await screen.press("d", "enter")
        assert (home / "killed-1.glens").is_dir()
        await screen.press("d", "d")
        await screen.wait(lambda: not (home / "killed-1.glens").exists())
        await screen.wait(lambda: "killed-1" not in [one.name for one in screen.app.listing.shown])
        await screen.rest()
        assert "deleted killed-1" in screen.status()
        entry = screen.app.listing.selected()
        assert entry is not None and entry.name == "bad-1", "the cursor stays where it was"


async def test_what_must_not_be_deleted_is_not(home: Path) -> None:
    """What runs, what is open, what the program began with, and what holds files of others."""
    every_kind(home)
    (home / "bad-1.glens" / "thesis.tex").write_text("years of work")
    app = GraphlensApp(Saved(home / "fine-1.glens"), None, None, Saved(home / "killed-1.glens"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(app, pilot)
        await screen.press("5")
        await all_read(screen)
        for name, why in (("runs-1", "still runs"), ("fine-1", "is open"), ("killed-1", "is open")):
            await select(screen, name)
            await screen.press("d")
            assert why in screen.status() and len(app.screen_stack) == 1
        await select(screen, "bad-1")
        await screen.press("d", "d")
        await screen.wait(lambda: "not ours" in screen.status())
    assert len(list(home.glob("*.glens"))) == 10


async def test_export_writes_a_picture(home: Path, tmp_path: Path) -> None:
    """Through the command line, which also says what is wrong."""
    trained(home / "a-1.glens", wider=False, started=FIRST)
    picture = tmp_path / "p.svg"
    async with listing(Saved(home / "a-1.glens"), (200, 40)) as screen:
        for says in ("wrote", "already there"):
            await screen.press("x")
            asked = screen.app.screen.query_one("#ask", Input)
            assert asked.value == "a-1.svg"
            asked.value = str(picture)
            await screen.press("enter")
            await screen.wait(lambda: "drawing" not in screen.status(), 60)
            assert says in screen.status()
    assert picture.read_text().lstrip().startswith(("<svg", "<?xml"))


async def test_the_graph_is_exported_as_it_was_in_the_step_under_the_cursor(
    home: Path, tmp_path: Path
) -> None:
    """From the graph itself: not the step that ran most, but this one."""
    trained(home / "a-1.glens", wider=False, started=FIRST)
    picture = tmp_path / "p.svg"
    async with showing(Saved(home / "a-1.glens"), (120, 40)) as screen:
        await screen.press("}", "j", "x")
        asked = screen.app.screen.query_one("#ask", Input)
        asked.value = str(picture)
        await screen.press("enter")
        await screen.wait(lambda: "drawing" not in screen.status(), 60)
        assert "wrote" in screen.status()
    assert "step 1" in picture.read_text()


# ── as it looks ──────────────────────────────────────────────────────────────────────────────


def steady(text: str) -> str:
    """Without what another directory or another machine changes."""
    text = re.sub(r"(runs +)/\S+ [─-]+", r"\1HOME -", text)
    return re.sub(r"pid \d+ +on \S+", "pid N on HOST", text)


@SIZES
async def test_looks(home: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden files."""
    monkeypatch.setattr(Entry, "size_bytes", property(lambda self: 7_654_321))
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens"), size) as screen:
        await select(screen, "bad-1")
        await all_read(screen)
        same_as_golden(steady(screen.text()), f"runs_{size[0]}x{size[1]}")


@SIZES
async def test_a_comparison_looks(home: Path, size: tuple[int, int]) -> None:
    """Golden files."""
    trained(home / "a-1.glens", wider=False, started=FIRST)
    trained(home / "a-2.glens", wider=True, started=FIRST + 1)
    async with listing(Saved(home / "a-2.glens"), size) as screen:
        same_as_golden(await compared(screen, "a-1", "a-2"), f"compared_{size[0]}x{size[1]}")


async def test_in_ascii(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but ASCII, and each state has its own character."""
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    every_kind(home)
    async with listing(Saved(home / "fine-1.glens")) as screen:
        await screen.press("m")
        text = screen.text()
        assert text.isascii()
        assert "X NaN" in text and "o clean" in text and ". incomplete" in text and "> * runs-1" in text


async def test_keys_of_the_list_do_nothing_in_the_graph(home: Path) -> None:
    """They say where they belong."""
    small_run(home / "a-1.glens", ran(0), started=FIRST)
    async with showing(Saved(home / "a-1.glens")) as screen:
        for key in ("m", "=", "d"):
            await screen.press(key)
            assert "that is for the runs: 5 goes there" in screen.status()
