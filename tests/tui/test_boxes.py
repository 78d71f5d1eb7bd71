"""The graph as boxes: what a person sees, and what the keys do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factories import new_run, ran, seen
from graphlens.cli import main
from graphlens_tracers.events import CallBegan, CallId, GraphGrew, GraphId, NodeId, Seq
from graphlens_tui.charting import Zoom
from graphlens_tui.panes.boxes import BoxesPane
from screens import FakeSession, Screen, same_as_golden, saved, showing


async def boxes(screen: Screen, *keys: str) -> BoxesPane:
    """Press keys, and wait until the boxes are laid out."""
    await screen.press(*keys)
    pane = screen.app.boxes
    await screen.wait(lambda: pane.drawn is not None and pane.busy is None)
    await screen.rest()
    return pane


def chosen(pane: BoxesPane) -> str:
    """What the selected box is called."""
    assert pane.drawn is not None and pane.box is not None
    return pane.drawn.labels[pane.box].name


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_birth_of_a_nan(tmp_path: Path, size: tuple[int, int]) -> None:
    """The box that made it, what that read, and the way that it took from there."""
    async with showing(saved(tmp_path), size) as screen:
        await boxes(screen, "!", "B")
        assert "NaN born" in screen.text()
        same_as_golden(screen.text(), f"boxes_{size[0]}x{size[1]}")


async def test_lanes_stay_where_they_were(tmp_path: Path) -> None:
    """To the boxes and back: the same line in the same row of the screen."""
    async with showing(saved(tmp_path), (120, 30)) as screen:
        await screen.press("!", "k", "k", "k")
        await screen.rest()
        before = screen.text().splitlines()
        await boxes(screen, "B")
        await screen.press("B")
        await screen.rest()
        after = screen.text().splitlines()

        assert after[:-1] == before[:-1]


@pytest.mark.parametrize(("key", "name"), [("+", "wide"), ("-", "compact")])
async def test_zooms(tmp_path: Path, key: str, name: str) -> None:
    """Numbers in each box, and a line a box."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await boxes(screen, "!", "B")
        await boxes(screen, key)
        same_as_golden(screen.text(), f"boxes_{name}")


async def test_ascii_and_without_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health, cursor and edges are told by characters that every terminal has."""
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await boxes(screen, "!", "B")

        assert screen.text().isascii()
        same_as_golden(screen.text(), "boxes_ascii")


async def test_lanes_and_boxes_share_one_cursor(tmp_path: Path) -> None:
    """What is selected stays so; keys that follow values do in boxes what they do in lanes."""
    async with showing(saved(tmp_path), (140, 40)) as screen:
        pane = await boxes(screen, "!", "B")
        birth = screen.app.at
        assert birth is not None
        assert chosen(pane) == "_softmax" and pane.at == birth
        await screen.press("k")
        assert chosen(pane) == "div" and screen.app.at == birth - 1 == screen.app.graph.at
        await boxes(screen, "gd")
        assert chosen(pane) == "bmm"
        await boxes(screen, "backspace")
        assert chosen(pane) == "div"
        await screen.press("j")
        assert chosen(pane) == "_softmax"
        await boxes(screen, "gt")
        assert screen.app.at != birth and "∇" in chosen(pane)
        await boxes(screen, "!")
        await screen.press("B")
        assert screen.app.graph.display and screen.app.graph.at == birth


async def test_to_the_sides(tmp_path: Path) -> None:
    """h and l go along a row of boxes, and no further than its ends."""
    async with showing(saved(tmp_path), (140, 40)) as screen:
        pane = await boxes(screen, "B")
        await screen.press("G")
        assert pane.drawn is not None and pane.box is not None
        canvas = pane.drawn.canvas
        row = canvas.rows[canvas.row_of[pane.box]]
        await screen.press(*"l" * len(row))
        assert pane.box == row[-1]
        await screen.press("h")
        assert pane.box == row[-2]


async def test_fold_and_unfold(tmp_path: Path) -> None:
    """The module around the cursor becomes one box that says how it is, and opens again."""
    async with showing(saved(tmp_path), (140, 40)) as screen:
        pane = await boxes(screen, "!", "B")
        await boxes(screen, "space")
        assert pane.key() and "attn" in chosen(pane)
        assert "Attention" in screen.text() and "✖ ▸" in screen.text()
        await boxes(screen, "enter")
        assert not pane.key()
        await boxes(screen, "z1")
        assert pane.drawn is not None
        assert {box.span.depth for box in pane.drawn.chart.boxes if box.span is not None} == {1}


async def test_plumbing_and_the_overview(tmp_path: Path) -> None:
    """v shows what computes nothing; m takes the overview away."""
    async with showing(saved(tmp_path), (170, 40)) as screen:
        pane = await boxes(screen, "!", "B")
        assert pane.drawn is not None
        few, hidden = len(pane.drawn.chart.boxes), pane.drawn.chart.hidden
        assert hidden and f"{hidden} plumbing hidden" in screen.text()
        assert "overview" in screen.text()
        await boxes(screen, "v", "m")
        assert pane.drawn.chart.hidden == 0 and len(pane.drawn.chart.boxes) > few
        assert "overview" not in screen.text()
        await boxes(screen, "-")
        assert pane.drawn.asked.zoom is Zoom.COMPACT


@pytest.mark.parametrize("size", [(1, 1), (10, 2), (20, 8), (300, 3)], ids=str)
async def test_no_terminal_is_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    """Keys do what they do on any size."""
    async with showing(saved(tmp_path), size) as screen:
        await boxes(screen, "B")
        await screen.press("j", "k", "G", "h", "l", "+", "v", "ctrl+d", "space")
        await screen.pilot.resize_terminal(80, 24)
        await screen.rest()

        assert "1 Graph" in screen.text()


async def test_a_graph_that_grows(tmp_path: Path) -> None:
    """What a live run adds is in the boxes; names are only text, whatever is in them."""
    log = new_run(tmp_path / "live.glens", state="running", exit_code=None, ended=None)
    first = [ran(0, inputs=[900], op="mm"), ran(1, inputs=[0], op="relu"), ran(2, inputs=[1, 0], op="add")]
    log.declare(*seen(*first))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(0, 1, 2)
    session = FakeSession(tmp_path / "live.glens")
    async with showing(session, (100, 40)) as screen:
        pane = await boxes(screen, "B")
        assert "3 boxes of 3 ops" in screen.text()
        names = ["\x1b[31mred", "[bold]x[/]", "層e\u0301\u202e"]
        nodes = [ran(3 + k, inputs=[2 + k], op=f"aten.{name}.default") for k, name in enumerate(names)]
        log.declare(*nodes, GraphGrew(GraphId(0), tuple(NodeId(3 + k) for k in range(3))))
        log.ran(3, 4, 5)
        session.grow()
        await screen.wait(lambda: "6 boxes of 6 ops" in screen.text())
        await boxes(screen, "G")
        text = screen.text()

        assert "\x1b" not in text and "\u202e" not in text
        assert "層é" in text.replace("e\u0301", "é") and "[bold]x" in text
        assert chosen(pane).startswith("層")


def test_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same boxes and the same canvas."""
    path = str(saved(tmp_path).run.path)
    assert main(["show", path, "boxes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert main(["show", path, "boxes", "--plain"]) == 0
    text = capsys.readouterr().out.splitlines()

    assert text[2:] == answer["canvas"]
    ops = sorted(seq for box in answer["boxes"] for seq in box["ops"])
    assert ops == list(range(ops[0], ops[0] + answer["ops"]))
    assert [box["name"] for box in answer["boxes"] if box["born"]] == ["_softmax"]
    for box in answer["boxes"]:
        line = answer["canvas"][box["y"]][box["x"] : box["x"] + box["width"]]
        assert line[0] == "╭" and line[-1] == "╮"
