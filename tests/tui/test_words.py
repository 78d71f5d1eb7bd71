"""The command line and the palette: every word does what its key does, and wrong words name the nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from graphlens.session import Process, Saved, load
from graphlens_tracers.api import Keep
from graphlens_tracers.errors import Usage
from graphlens_tracers.events import Seq
from graphlens_tui import keys, vocabulary
from graphlens_tui.app import GraphlensApp
from graphlens_tui.fuzzy import best
from graphlens_tui.keys import ACTIONS, Keymap
from graphlens_tui.model import Mode
from graphlens_tui.places import places, reached
from graphlens_tui.vocabulary import WORDS, meant
from recorded import ops, recording
from screens import Screen, saved, showing


async def type_line(screen: Screen, line: str) -> None:
    """A line after a colon."""
    await screen.press(":")
    await screen.press(*line, "enter")


def offered(screen: Screen) -> list[str]:
    """What the line may become."""
    from graphlens_tui.widgets.lines import Offers

    return [offer.text for offer in screen.app.screen.query_one(Offers).offers]


def test_every_word_can_be_done() -> None:
    """No word without code behind it, none twice, and none that hides an action of another meaning."""
    names = [name for word in WORDS for name in (word.name, *word.also)]
    assert len(names) == len(set(names))
    for word in WORDS:
        assert word.alone or callable(getattr(GraphlensApp, f"word_{word.name}")), word.name
        assert not word.alone or word.alone in keys.BY_ID, word.name
        if word.form and word.name not in ("run_info", "help"):
            assert callable(getattr(GraphlensApp, f"word_{word.name}")), word.name


def test_every_action_is_a_word() -> None:
    """By its id, with blanks instead of underscores, and by its whole help."""
    for action in ACTIONS:
        alone = {word.alone for word in WORDS if word.name == action.id}
        for line in (action.id, action.id.replace("_", " "), f":{action.id.upper()}"):
            assert meant(line).action in {action.id, *alone} or meant(line).word is not None, line
        if action.help and sum(one.help == action.help for one in ACTIONS) == 1:
            assert meant(action.help).action == action.id, action.help


@pytest.mark.parametrize(
    ("line", "nearest"),
    [("healt_mode", "health_mode"), ("thme light", "theme"), ("expor x.svg", "export"), ("ltt -f nan", "lt"),
     ("nxt_step", "next_step"), ("zzzzqqqq", "tab shows")],
)  # fmt: skip
def test_unknown_words_name_the_nearest(line: str, nearest: str) -> None:
    """Or how to find it."""
    with pytest.raises(Usage, match=nearest):
        meant(line)


@pytest.mark.parametrize(
    ("line", "word", "rest"),
    [("84", "op", "84"), ("#84", "op", "84"), ("op 84", "op", "84"), ("/ nan", "search", "nan"),
     ("& op:mm", "filter", "op:mm"), ("@3,7", "element", "3,7"), ("p x[0,:]", "pt", "x[0,:]"),
     ("  LT  -f nan ", "lt", "-f nan"), ("node_info relu", "ni", "relu"), (": step 3", "step", "3")],
)  # fmt: skip
def test_other_ways_of_writing_it(line: str, word: str, rest: str) -> None:
    """As people who know other programs do."""
    found = meant(line)
    assert found.word is not None and (found.word.name, found.rest) == (word, rest)


async def test_going_places(tmp_path: Path) -> None:
    """Operations, steps, folds, modes, colours."""
    async with showing(saved(tmp_path)) as screen:
        app = screen.app
        await type_line(screen, "op 84")
        assert app.at == 84
        await type_line(screen, "step 2")
        call = app.graph.line()
        assert call is not None and "step 2" in screen.status()
        await screen.press("backspace")
        assert app.at == 84
        shown = app.model.shown
        assert shown is not None
        whole = len(shown.timeline)
        await type_line(screen, "fold 1")
        assert len(shown.timeline) < whole
        await type_line(screen, "fold to 9")
        assert len(shown.timeline) == whole
        for mode in Mode:
            await type_line(screen, f"mode {mode}")
            assert app.mode is mode or (mode is Mode.TENSOR and "no operation" in screen.status())
            await type_line(screen, "graph mode")
        dark = app.palette.ground
        await type_line(screen, "theme light")
        assert app.palette.ground != dark
        await type_line(screen, "theme dark")
        assert app.palette.ground == dark
        await type_line(screen, "help filter")
        assert "show only what fits" in screen.status()
        await type_line(screen, "about")
        assert "Everything that ran was looked at" in screen.text()
        await screen.press("escape")
        await type_line(screen, "exit")
        assert not app.is_running


WRONG = (
    ("op 99999999", "there are ops 0 to"), ("step 77", "there are steps 0 to 2"), ("step x", "is no step"),
    ("op 3:5", "another process"), ("fold 12", "fold 0 to 9"), ("mode helth", "health"),
    ("theme blue", "theme light"), ("heat", "tensor mode"),
    ("open nowhere", "no run 'nowhere'"), ("lt -f often", "there is no filter"), ("lt -z", "lt has no -z"),
    ("lt -n", "needs a word"), ("lt -n (", "no pattern"), ("ni no.such.thing", "is called"),
    ("save x.npy", "tensor mode"), ("run x.py", "by itself"), ("version 3", "takes nothing more"),
    ("mark", "for the runs"), ("li -d x -r 3", "needs a number"), ("eval `a`+`b`", "one tensor"),
    ("rules often", "is no rule"), ("ps nowhere.py", "which file?"),
)  # fmt: skip


async def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """And nothing else happens."""
    async with showing(saved(tmp_path, steps=3), (150, 40)) as screen:
        for line, said in WRONG:
            await type_line(screen, line)
            assert said in screen.status(), line
            assert screen.app.mode is Mode.GRAPH and screen.app.filtered == "", line


async def test_completion(tmp_path: Path) -> None:
    """tab goes round what there is; arguments, too; what is offered has its key."""
    async with showing(saved(tmp_path)) as screen:
        await screen.press(":", *"next_i")
        assert offered(screen)[0] == "next_ill" and "]n" in screen.text()
        await screen.press("tab")
        line = screen.app.screen.query_one(Input)
        assert line.value == "next_ill"
        await screen.press("tab", "shift+tab")
        assert line.value == "next_ill"
        await screen.press("enter")
        assert screen.app.at == screen.app.model.ill.seqs[0]
        await screen.press(":", *"mode ")
        assert offered(screen)[: len(Mode)] == [f"mode {mode}" for mode in Mode]
        await screen.press("escape", ":", *"ni soft")
        assert "ni _softmax" in offered(screen)
        await screen.press("escape", ":", *"what was not seen")
        assert offered(screen) == ["about"]


async def test_history(tmp_path: Path) -> None:
    """up and down, of this session, and of what begins like the line."""
    async with showing(saved(tmp_path)) as screen:
        for typed in ("op 3", "theme light", "op 5"):
            await type_line(screen, typed)
        await screen.press(":")
        line = screen.app.screen.query_one(Input)
        seen = []
        for key in ("up", "up", "up", "up", "down", "down", "down"):
            await screen.press(key)
            seen.append(line.value)
        assert seen == ["op 5", "theme light", "op 3", "op 3", "theme light", "op 5", ""]
        await screen.press("o", "up", "up")
        assert line.value == "op 3"
        await screen.press("enter")
        assert screen.app.at == 3


async def test_a_filter_in_the_words_of_tfdbg(tmp_path: Path) -> None:
    """lt -f -n -t, as the same query."""
    async with showing(saved(tmp_path), (150, 40)) as screen:
        app = screen.app
        assert app.model.shown is not None
        process: Process = app.model.shown.process
        await type_line(screen, "lt -f has_inf_or_nan -t mul -fenn attn")
        only = app.model.shown.timeline.only
        truth = [seq for seq in app.model.ill.seqs.tolist() if "mul" in _text(process, seq)
                 and "attn" not in _text(process, seq)]  # fmt: skip
        assert only is not None and only.tolist() == truth and truth
        await type_line(screen, "filter")
        assert app.filtered == ""


def _text(process: Process, seq: int) -> str:
    op = process.op(Seq(seq))
    return " ".join((op.node.op, op.scope_path, op.site.file if op.site else ""))


async def test_inputs_and_outputs(tmp_path: Path) -> None:
    """li -r shows all that led to an operation, lo -r all that came of it; without -r they ask or go."""
    async with showing(saved(tmp_path), (150, 40)) as screen:
        app, shown = screen.app, screen.app.model.shown
        assert shown is not None
        await screen.press("!")
        at = app.at
        assert at is not None
        await type_line(screen, "li -r")
        only = shown.timeline.only
        assert only is not None and set(only.tolist()) == _ancestors(shown.process, at, 20)
        assert app.at == at and "hidden" in screen.text()
        await screen.press("escape")
        await type_line(screen, f"li -r -d 1 {at}")
        assert set(shown.timeline.only.tolist()) == _ancestors(shown.process, at, 1)  # type: ignore[union-attr]
        await screen.press("escape")
        await type_line(screen, "lo -r")
        came = reached(shown, at, 20, makers=False).tolist()
        assert shown.timeline.only.tolist() == came  # type: ignore[union-attr]  # it is set
        assert all(at in _ancestors(shown.process, Seq(seq), 20) for seq in came)


def _ancestors(process: Process, seq: int, depth: int) -> set[int]:
    """By what each operation's inputs say."""
    known, edge = {int(seq)}, {int(seq)}
    for _ in range(depth):
        made = {made for one in edge for _, made in process.op(Seq(one)).inputs if made is not None}
        edge = {int(one) for one in made} - known
        known |= edge
    return known


async def test_node_info(tmp_path: Path) -> None:
    """Goes there, and to the details; also in the words of TensorFlow."""
    async with showing(saved(tmp_path), (150, 40)) as screen:
        await type_line(screen, "ni -a mlp/up:0")
        process = screen.app.model.shown.process  # type: ignore[union-attr]  # it is shown
        assert screen.app.at is not None and "mlp.up" in process.op(screen.app.at).scope_path
        assert screen.app.pane().SLOT == "side"


async def test_run_goes_on(tmp_path: Path) -> None:
    """run is the next step, run -t 2 two of them, run -f the next that is not finite."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await type_line(screen, "run")
        assert "step 0" in screen.status()
        await type_line(screen, "run -t 2")
        assert "step 2" in screen.status()
        await screen.press("gg")
        await type_line(screen, "run -f has_inf_or_nan")
        assert screen.app.at == screen.app.model.ill.seqs[0]


async def test_sources(tmp_path: Path) -> None:
    """ls lists files, ps reads one."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await type_line(screen, "ls")
        process = screen.app.model.shown.process  # type: ignore[union-attr]  # it is shown
        for file in process.sources:
            assert file.rpartition("/")[2] in screen.text()
        await screen.press("escape")
        file = next(iter(process.sources))
        await type_line(screen, f"ps {file}:8")
        lines = (process.source(file) or "").splitlines()
        assert lines[8].strip()[:30] in screen.text() and "NaN" in screen.text()


async def test_print_tensor(tmp_path: Path) -> None:
    """pt x[0,:] sees what the expression sees; pt NAME:0 and eval with back-ticks go there first."""
    torch = pytest.importorskip("torch")
    run = tmp_path / "run.glens"
    with recording(run, keep=Keep.of("all")):
        array = torch.arange(24.0).reshape(4, 6).softmax(-1).numpy()
    seq = ops(load(run).main).index("aten._softmax.default")
    async with showing(Saved(run), (120, 40)) as screen:
        app = screen.app
        await type_line(screen, f"pt {seq}:0[0,:]")
        await screen.wait(lambda: app.tensor.tensor is not None and app.tensor.expression == "x[0,:]")
        assert app.mode is Mode.TENSOR
        assert np.array_equal(app.tensor.tensor.view.array, array[0, :])  # type: ignore[union-attr]  # waited for
        await type_line(screen, "p x[1:,:2]")
        await screen.wait(lambda: app.tensor.expression == "x[1:,:2]")
        assert np.array_equal(app.tensor.tensor.view.array, array[1:, :2])  # type: ignore[union-attr]
        await type_line(screen, f"eval `{seq}`.sum(0)")
        await screen.wait(lambda: app.tensor.expression == "x.sum(0)")
        await type_line(screen, "element 1")
        await type_line(screen, "number format")
        assert "there is no" not in screen.status()


async def test_the_palette(tmp_path: Path) -> None:
    """A few letters find an action, a module or an operation; enter does it, or goes there."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        app = screen.app
        await screen.press("ctrl+p", *"about", "enter")
        assert "Everything that ran" in screen.text()
        await screen.press("escape", "}", "ctrl+p", *"sftmx", "enter")
        process = app.model.shown.process  # type: ignore[union-attr]  # it is shown
        assert app.at is not None and "softmax" in process.op(app.at).node.op
        await screen.press("ctrl+p", *"h.1.mlp", "enter")
        assert "h.1.mlp" in process.op(app.at).scope_path
        await screen.press("ctrl+p", *"zzqqzz", "enter", "escape")
        assert len(app.screen_stack) == 1


async def test_the_palette_knows_all_of_a_step(tmp_path: Path) -> None:
    """Every module and every name of an operation, each once, with where it ran."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("}", "}")
        shown = screen.app.model.shown
        assert shown is not None and screen.app.at is not None
        call = shown.process.call_at(screen.app.at)
        assert call is not None
        found = list(places(shown, screen.app.at))
        ops = [shown.process.op(Seq(seq)) for seq in range(call.first, call.last + 1)]
        paths = {op.scope_path for op in ops if op.scope_path}
        assert paths <= {place.name for place in found}
        assert {op.node.op.split(".")[1] for op in ops if op.node.op.startswith("aten.")} <= {
            place.name for place in found
        }
        assert all(call.first <= place.seq <= call.last for place in found)
        assert len({(place.name, place.where) for place in found}) == len(found)


def test_fuzzy_order() -> None:
    """A word that begins so, then one that has it, then what is said of it, then letters apart."""
    names = [("previous_step", ""), ("step", ""), ("zoom", "one step"), ("some_type_name", ""), ("fold", "")]
    things = [(name, about, name) for name, about in names]
    assert best("step", things)[:3] == ["step", "previous_step", "zoom"]
    assert best("smtn", things) == ["some_type_name"]
    assert best("", things)[0] == "step" or len(best("", things)) == len(things)


@pytest.mark.parametrize("key", [":", "ctrl+p", "/", "&"])
async def test_hostile_text(tmp_path: Path, key: str) -> None:
    """Whatever is pasted, no control character reaches the terminal, and nothing breaks."""
    evil = "\x1b]52;c;aGk=\x07[red]x[/]\u202e\x9b2J" + "(" * 300
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press(key)
        screen.app.screen.query_one(Input).post_message(Paste(evil))
        await screen.rest()
        text = screen.text()
        await screen.press("tab", "enter", "escape")
        text += screen.text()
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
        assert screen.app.is_running


async def test_typing_ahead(tmp_path: Path) -> None:
    """What is typed before the line is on the screen is in it."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        app = screen.app
        app.post_message(Key("colon", ":"))
        for letter in "op 84":
            app.post_message(Key("space" if letter == " " else letter, letter))
        app.post_message(Key("enter", "\r"))
        await screen.wait(lambda: app.at == 84)
        assert len(app.screen_stack) == 1


async def test_all_runs_by_name(tmp_path: Path) -> None:
    """open completes to the saved runs."""
    from factories import write_run
    from graphlens import runs

    home = runs.state_directory()
    home.mkdir(parents=True)
    write_run(home / "other-1.glens", nodes=60, steps=2)
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press(":", *"open oth")
        assert offered(screen)[0] == "open other-1"
        await screen.press("tab", "enter")
        await screen.wait(lambda: not screen.app.is_running)
        opened = screen.app.return_value
        assert opened is not None and opened.session.run.path.name == "other-1.glens"
        assert opened.typed == ["open other-1"]


def test_keys_of_the_table_reach_the_offers() -> None:
    """As a person has them."""
    mine = keys.merged({"about": ["ctrl+a"]}, [])
    assert next(vocabulary.offers("about", mine, ())).key == "ctrl+a"
    assert next(vocabulary.offers("about", Keymap(), ())).key == "a"
