"""Every key does what the table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key

from factories import write_function_run
from graphlens.session import Saved
from graphlens_tracers.events import Phase
from graphlens_tui.app import GraphlensApp
from graphlens_tui.keys import ACTIONS, Keymap, load, merged
from screens import saved, showing


def test_every_action_can_be_done() -> None:
    """No key without code behind it."""
    for action in ACTIONS:
        if not action.id.startswith("fold_to_"):
            assert callable(getattr(GraphlensApp, f"do_{action.id}")), action.id


def test_no_two_actions_share_a_key() -> None:
    """The table says so itself when they do."""
    assert Keymap().wrong == []
    assert Keymap({"up": ("k",), "down": ("k",)}).wrong


def test_a_persons_own_key_wins(tmp_path: Path) -> None:
    """And the action that had it keeps its other keys."""
    file = tmp_path / "keys.toml"
    file.write_text('[keys]\nfollow = ["j"]\n')
    keymap = load(file)

    assert keymap.action(("j",)) == "follow"
    assert keymap.action(("f",)) is None
    assert keymap.keys["down"] == ("down",)
    assert keymap.wrong == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[keys]\nfly = ["x"]\n', "there is no action 'fly'"),
        ("[keys]\nup = 3\n", "up: must be a list of keys"),
        ("keys = 1\n", "keys must be a table"),
        ("[keys\n", "cannot be read"),
    ],
)
def test_a_bad_file_of_keys_is_said_and_ours_are_used(tmp_path: Path, text: str, wrong: str) -> None:
    """A mistake in a settings file is no reason not to open a run."""
    file = tmp_path / "keys.toml"
    file.write_text(text)
    keymap = load(file)

    assert wrong in " ".join(keymap.wrong)
    assert keymap.action(("j",)) == "down"


async def test_moving(tmp_path: Path) -> None:
    """j k arrows, half and whole pages, both ends."""
    async with showing(saved(tmp_path), (100, 30)) as screen:
        graph = screen.app.graph
        rows, last = graph.rows, len(graph.model.shown.timeline) - 1  # type: ignore[union-attr]  # it is shown
        for presses, line in (
            (["j"], 1), (["down"], 2), (["k"], 1), (["up"], 0), (["ctrl+d"], rows // 2), (["ctrl+u"], 0),
            (["pagedown"], rows - 1), (["pageup"], 0), (["G"], last), (["gg"], 0), (["end"], last),
            (["home"], 0),
        ):  # fmt: skip
            await screen.press(*presses)
            assert graph.cursor == line, presses


async def test_g_waits_for_what_it_may_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "g" alone is the first line, after a moment; then anything else ends the waiting."""
    run = saved(tmp_path).run.path
    async with showing(Saved(run), (100, 30)) as screen:
        await screen.press("G")
        await screen.pilot.press("g")
        await screen.wait(lambda: screen.app.graph.cursor == 0)

    file = tmp_path / "keys.toml"
    file.write_text("[view]\npatience = 10\n")
    monkeypatch.setenv("GRAPHLENS_KEYS", str(file))
    async with showing(Saved(run), (100, 30)) as screen:
        await screen.press("G")
        await screen.pilot.press("g")
        await screen.rest()
        assert screen.app.graph.cursor > 0
        await screen.press("j")
        await screen.rest()
        assert screen.app.graph.cursor == 1


async def test_steps(tmp_path: Path) -> None:
    """From headline to headline."""
    async with showing(saved(tmp_path)) as screen:
        seen = []
        for key in ("}", "}", "}", "{", "{"):
            await screen.press(key)
            seen.append(screen.status().split()[0:2])

        assert seen == [["step", "0"], ["step", "1"], ["step", "2"], ["step", "1"], ["step", "0"]]


async def test_ill_operations(tmp_path: Path) -> None:
    """! is the first, ]n and [n go from one to the next."""
    async with showing(saved(tmp_path)) as screen:
        ill = screen.app.model.ill.seqs.tolist()
        await screen.press("!")
        assert screen.app.at == ill[0]
        await screen.press("]n", "]n")
        assert screen.app.at == ill[2]
        await screen.press("[n")
        assert screen.app.at == ill[1]
        await screen.press("G", "]n")
        assert "no NaN or infinity after this" in screen.status()


async def test_producer_consumer_back(tmp_path: Path) -> None:
    """gd leads to what made the input, gr to what reads it, backspace undoes jumps."""
    async with showing(saved(tmp_path)) as screen:
        app = screen.app
        shown = app.model.shown
        assert shown is not None
        softmax = next(n.node for n in shown.process.nodes.values() if "_softmax.default" in n.op)
        seqs, nodes = shown.process.nodes_of(0, shown.process.end)
        at = int(seqs[nodes.tolist().index(softmax)])
        app.go_to(at)  # type: ignore[arg-type]  # a plain number
        await screen.rest()
        await screen.press("gd")
        made = shown.process.op(app.at)  # type: ignore[arg-type]  # it is set
        assert made.node.outputs[0].value in shown.process.nodes[softmax].inputs

        await screen.press("backspace")
        assert app.at == at
        await screen.press("gr")
        if len(app.screen_stack) > 1:
            await screen.press("enter")
        assert app.at is not None
        assert shown.process.nodes[softmax].outputs[0].value in shown.process.op(app.at).node.inputs


async def test_other_half(tmp_path: Path) -> None:
    """gt goes from a forward operation to its derivative and back."""
    async with showing(saved(tmp_path)) as screen:
        shown = screen.app.model.shown
        assert shown is not None
        await screen.press("}", "j", "gt")
        backward = shown.process.op(screen.app.at)  # type: ignore[arg-type]  # it is set
        assert backward.node.phase is Phase.BACKWARD
        await screen.press("gt")
        forward = shown.process.op(screen.app.at)  # type: ignore[arg-type]  # it is set
        assert backward.node.twin == forward.node.node


async def test_folding(tmp_path: Path) -> None:
    """space folds the innermost module call, in every step; z1…z9 by depth; z0 the steps."""
    async with showing(saved(tmp_path)) as screen:
        graph = screen.app.graph
        timeline = graph.model.shown.timeline  # type: ignore[union-attr]  # it is shown
        whole = len(timeline)
        await screen.press("}", *"jjjj", "space")
        line = graph.line()
        assert line is not None and line.span is not None
        folded = len(timeline)
        assert folded < whole
        await screen.press("enter")
        assert len(timeline) == whole

        await screen.press("z1")
        one = len(timeline)
        await screen.press("z2")
        assert one < len(timeline) < whole
        await screen.press("z9")
        assert len(timeline) == whole
        await screen.press("z0")
        assert len(timeline) == 4
        await screen.press("gg", "j", "space")
        assert len(timeline) > 4


async def test_jumping_unfolds_what_hides_it(tmp_path: Path) -> None:
    """A NaN inside a folded module of a folded step is shown, not the fold."""
    async with showing(saved(tmp_path)) as screen:
        await screen.press("z1", "z0", "!")
        line = screen.app.graph.line()

        assert line is not None and line.sort == "op" and line.seq == screen.app.model.ill.seqs[0]


async def test_search(tmp_path: Path) -> None:
    """Words, fields, and what is ill; n and N go on; the other end is said."""
    async with showing(saved(tmp_path)) as screen:
        app = screen.app
        await screen.press("/", *"op:softmax", "enter")
        process = app.model.shown.process  # type: ignore[union-attr]  # it is shown
        first = app.at
        assert first is not None and "softmax" in process.op(first).node.op
        await screen.press("n")
        assert app.at is not None and app.at > first
        await screen.press("N")
        assert app.at == first
        await screen.press("/")
        await screen.pilot.press("ctrl+a", "delete")
        for _ in range(12):
            await screen.pilot.press("delete")
        await screen.press(*"mod:mlp nan", "enter")
        assert app.at in app.model.ill.seqs
        assert "mlp" in process.op(app.at).scope_path
        await screen.press("/", *"nowhere", "enter")
        assert "nothing fits" in screen.status()


async def test_panes(tmp_path: Path) -> None:
    """tab goes round; z gives one the screen; o is the output; escape comes back."""
    async with showing(saved(tmp_path), (160, 52)) as screen:
        app = screen.app
        assert app.pane().TITLE == "graph"
        await screen.press("tab")
        assert app.pane().TITLE == "op"
        await screen.press("tab")
        assert app.pane().TITLE == "source"
        await screen.press("tab")
        assert app.pane().TITLE == "output"
        await screen.press("tab", "shift+tab", "escape")
        assert app.pane().TITLE == "graph"
        await screen.press("enter")
        assert app.pane().TITLE == "op"
        await screen.press("zz")
        assert app.pane().size.width > 150
        await screen.press("zz", "escape", "o")
        assert "step 2 loss" in screen.text() and app.output.size.height > 40
        await screen.press("escape")
        assert app.pane().TITLE == "graph" and app.graph.size.height > 20


async def test_details_in_a_narrow_terminal(tmp_path: Path) -> None:
    """At 80 columns they take the screen while they have the keys."""
    async with showing(saved(tmp_path), (80, 24)) as screen:
        await screen.press("!", "enter")
        assert "source" in screen.text() and "dataflow" not in screen.text()
        await screen.press("escape")
        assert "dataflow" in screen.text()


async def test_theme_about_help(tmp_path: Path) -> None:
    """T, a and ?; what lies over the panes goes away with any other key."""
    async with showing(saved(tmp_path)) as screen:
        dark = screen.app.palette.ground
        await screen.press("T")
        assert screen.app.palette.ground != dark
        await screen.press("a")
        assert "exit code" in screen.text() or "finished" in screen.text()
        assert "Everything that ran was looked at" in screen.text()
        await screen.press("x", "?")
        assert "to the operation that made an input" in screen.text()
        await screen.press("escape")
        assert len(screen.app.screen_stack) == 1


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_leaving_a_finished_run_asks_nothing(tmp_path: Path, key: str) -> None:
    """There is nothing to lose."""
    async with showing(saved(tmp_path)) as screen:
        await screen.press(key)
        assert not screen.app.is_running


async def test_the_mouse(tmp_path: Path) -> None:
    """A click selects, a second one folds, the wheel scrolls, the overview jumps."""
    async with showing(saved(tmp_path), (120, 30)) as screen:
        graph = screen.app.graph
        await screen.pilot.click(graph, offset=(10, 9))
        await screen.rest()
        assert graph.cursor == 8
        await screen.pilot.click(graph, offset=(graph.size.width - 1, graph.size.height - 2))
        await screen.rest()
        assert graph.scroll_offset.y > 100


def test_merged_keeps_every_action() -> None:
    """Whatever is remapped, nothing gets lost but its keys."""
    assert set(merged({"up": ["u"]}, []).keys) == {action.id for action in ACTIONS}


async def test_keys_that_come_faster_than_screens_go(tmp_path: Path) -> None:
    """What is typed ahead while something closes does not close the app's own screen."""
    async with showing(saved(tmp_path)) as screen:
        await screen.press("?")
        reading = screen.app.screen
        for _ in range(3):
            reading.post_message(Key("x", "x"))
        await screen.rest()
        assert screen.app.is_running and len(screen.app.screen_stack) == 1


async def test_into_a_function_and_back(tmp_path: Path) -> None:
    """From the operation that calls it to its headline; the status line says where that is."""
    async with showing(Saved(write_function_run(tmp_path / "r.glens")), (120, 40)) as screen:
        await screen.press("z0", "G", "enter", "G", "k")
        assert screen.app.at == 6

        await screen.press("enter")
        assert screen.app.graph.on_headline
        assert screen.status().startswith(" step 1 · train › double ")
        await screen.press("j")
        assert screen.status().startswith(" step 1 · train › double › aten.add.Tensor")
        await screen.press("backspace")
        assert screen.app.at == 6
