"""The Health mode: what it says of a run is held against what the run's author knows of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from factories import LogWriter, OpRow, new_run, ran, run_json, seen, site, small_run
from graphlens import health as findings
from graphlens import rules
from graphlens.session import Saved, Session
from graphlens_tracers.events import CallBegan, CallEnded, CallId, Gap, GraphId, Phase, RunStarted, Seq
from graphlens_tui import judging
from graphlens_tui.model import Mode
from screens import FakeSession, Screen, same_as_golden, saved, showing
from verdict.truth import CASES, Truth, truth

SIZES = pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}"
)
READS = "aten._local_scalar_dense.default"
NAN, INF = float("nan"), float("inf")


@contextlib.asynccontextmanager
async def health(session: Session, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Screen]:
    """The mode on a session, once it has judged it."""
    async with showing(session, size) as screen:
        await screen.press("4")
        await screen.wait(lambda: screen.app.health.findings is not None)
        await screen.rest()
        yield screen


async def whole(screen: Screen) -> str:
    """The text of the page, read by scrolling through it."""
    await screen.press("home")
    lines: list[str] = []
    pane = screen.app.health
    while True:
        top = int(pane.scroll_offset.y)
        lines[top:] = screen.text().splitlines()[1:-2]
        await screen.press("pagedown")
        pane.to_row(top + pane.rows)
        await screen.rest()
        if int(pane.scroll_offset.y) == top:
            return "\n".join(lines)


def chosen(screen: Screen) -> tuple[int, int]:
    """The process and the operation of the row that the cursor is on."""
    stop = screen.app.health.selected()
    assert stop is not None
    return stop.target


# ── what scripts' authors know ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module", params=["mha_key_padding", "two_heads_two_origins", "exploding_rnn_clip"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, Path]:
    """A case that goes wrong, and its run."""
    return recorded_case(request.param, tmp_path_factory.mktemp("case"))


def recorded_case(name: str, folder: Path) -> tuple[Truth, Path]:
    pytest.importorskip("torch")
    from recorded import pytorch
    from verdict.judged import record

    record(CASES / "pytorch" / f"{name}.py", folder / "run.glens", pytorch)
    return truth(CASES / "pytorch" / f"{name}.py"), folder / "run.glens"


@SIZES
async def test_what_went_wrong_first_is_said(case: tuple[Truth, Path], size: tuple[int, int]) -> None:
    """The operation, its line, step, phase, module and harm, as the case's comments say them."""
    true, run = case
    born = true.born
    assert born is not None
    async with health(Saved(run), size) as screen:
        first = screen.text()
        text = await whole(screen)
        status = screen.status()

    what = {"nan": "NaN", "inf": "infinity"}[born.kind]
    assert f"{what} born in {born.op}" in first, "the verdict comes first"
    assert f"{born.phase} · step {born.step}" in first
    assert f"{true.path.name}:{born.line}" in first
    assert f"step {born.step} op #" in status and f"{born.op} {true.path.name}:{born.line}" in status
    assert f"reached the {born.reached}" in text
    assert not born.module or f"module {born.module}" in text
    assert not born.forward or f"the gradient of {born.forward}" in text
    assert "FIRST" in text and text.count("try ") == 1
    for other in true.also:
        assert other.op.split(".")[1] in text.partition("began on its own as well")[2]


async def test_enter_goes_to_an_operation_and_backspace_comes_back(case: tuple[Truth, Path]) -> None:
    """It is the operation, and the line, that the case says."""
    true, run = case
    born = true.born
    assert born is not None
    async with health(Saved(run)) as screen:
        app = screen.app
        before = chosen(screen)
        await screen.press("enter")
        await screen.rest(0.1)
        assert str(app.mode) == "graph" and app.at == before[1]
        shown = app.model.shown
        assert shown is not None and app.at is not None
        op = shown.process.op(app.at)
        assert op.node.op == born.op
        assert op.site is not None and op.site.line == born.line
        assert op.call is not None and op.call.step == born.step
        await screen.press("backspace")
        assert str(app.mode) == "health" and chosen(screen) == before

        await screen.press("1", "G", "!")  # the same from the graph
        assert str(app.mode) == "graph" and app.at == before[1]


async def test_the_very_expression_is_underlined(tmp_path: Path) -> None:
    """Not the line alone."""
    _, run = recorded_case("two_heads_two_origins", tmp_path)
    async with health(Saved(run), (200, 60)) as screen:
        strips = screen.app.screen._compositor.render_strips()
        pieces = [
            segment.text
            for strip in strips
            for segment in strip
            if segment.style is not None and segment.style.underline and segment.style.bold
        ]

    assert "".join(pieces) == "torch.log(1 - p)"


async def test_growth_over_the_steps(tmp_path: Path) -> None:
    """By how much, and since when, where a case's numbers have grown."""
    true, run = recorded_case("q_learning_divergence", tmp_path)
    assert true.born is not None and true.born.growth
    async with health(Saved(run), (120, 40)) as screen:
        text = await whole(screen)

    assert "grew ×" in text and "since step" in text
    assert "▁▁" in text and "██" in text


async def test_a_clean_run_says_what_was_looked_at_and_what_was_harmless(tmp_path: Path) -> None:
    """A causal mask is no harm, and is listed apart with what removed it."""
    true, run = recorded_case("causal_language_model", tmp_path)
    (mask,) = true.benign
    async with health(Saved(run), (120, 40)) as screen:
        text = await whole(screen)
        status = screen.status()
        ops = Saved(run).run.main.op_count

        assert "clean: everything was looked at" in text and status.startswith(" clean")
        assert f"{ops:,} operations in 4 steps" in text
        harmless = text.partition("harmless (1)")[2]
        assert mask.op.split(".")[1] in harmless and "removed by softmax" in harmless and "×4" in harmless
        await screen.press("G", "enter")
        shown = screen.app.model.shown
        assert shown is not None and screen.app.at is not None
        assert shown.process.op(screen.app.at).node.op == mask.op

        await screen.press("!")
        assert "nothing harmful was found" in screen.status()


# ── runs whose every number is known ─────────────────────────────────────────────────────────


def numbered(path: Path) -> LogWriter:
    """Two steps of five operations; what they make is in the rows below."""
    log = new_run(path)
    nodes = [
        ran(0, inputs=[900], op="aten.mm.default"),
        ran(1, inputs=[0], op="aten.mul.Tensor"),
        ran(2, inputs=[1], op="aten.log.default", site=0),
        ran(3, inputs=[2], op="aten.sum.default", twin=None),
        ran(4, inputs=[3], op="aten.mul.Tensor", phase=Phase.BACKWARD, twin=3),
    ]
    log.declare(site(0, 3), *seen(*nodes))
    rows = [
        [(-1.0, 2.0), (-50.0, 80.0), (0.0, 0.0), (1.0, 1.0), (1e-9, 1e-9)],
        [(-1.0, 4.0), (0.0, 20_000.0), (-INF, 9.0), (-INF, -INF), (NAN, NAN)],
    ]
    for step, numbers in enumerate(rows):
        log.calls(CallBegan(CallId(step), GraphId(0), Seq(log.seq), step, "train"))
        log.ran(*[OpRow(node, [one]) for node, one in enumerate(numbers)])
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    return log


async def test_strips_and_alerts_are_those_of_the_numbers(tmp_path: Path) -> None:
    """Each operation where it ran, the worst of it; each rule with its count."""
    log = numbered(tmp_path / "run.glens").finish()
    async with health(Saved(log.directory), (110, 40)) as screen:
        text = screen.text()
        cells = {
            name: "".join(dict.fromkeys(text.partition(f"│ {name}")[2].partition("│")[0].split()))
            for name in ("step 0", "step 1")
        }
        counts = {line.split()[1]: line.split()[2] for line in text.splitlines()[2:8]}

    assert set(cells["step 0"]) == {"▄"}
    (row,) = (line for line in text.splitlines() if "│ step 1" in line)
    strip = row.partition("step 1")[2].strip(" │")
    fifth = len(strip) // 5
    assert [strip[k * fifth + fifth // 2] for k in range(5)] == ["▄", "▆", "▲", "▲", "✖"]
    assert counts == {
        "NaN": "1",
        "∞": "2",
        "absmax>1e4": "1",
        "all-zero": "1",
        "|grad|<1e-7": "1",
        "uninit": "0",
    }


async def test_factors_are_those_of_the_numbers(tmp_path: Path) -> None:
    """From 4 to 20,000 in `mul`: ×5000."""
    log = numbered(tmp_path / "run.glens").finish()
    async with health(Saved(log.directory), (120, 40)) as screen:
        (row,) = (line for line in screen.text().splitlines() if "×5000" in line)

    assert " mul " in row and "0…2e4" in row


async def test_rules_are_edited_and_held_against_the_run_again(tmp_path: Path) -> None:
    """A wrong one is said to be so, and changes nothing."""
    log = numbered(tmp_path / "run.glens").finish()
    async with health(Saved(log.directory), (110, 40)) as screen:
        asked = screen.app.judge.rules
        await screen.press("e")
        await screen.pilot.press("ctrl+u", *"often", "enter")
        await screen.rest()
        assert "'often' is no rule" in screen.status() and screen.app.judge.rules == asked

        await screen.press("e")
        await screen.pilot.press("ctrl+u", *"absmax", "greater_than_sign", *"70", "enter")
        await screen.wait(lambda: "absmax>70" in screen.text())
        row = screen.text().splitlines()[2]
        assert row.split()[1:3] == ["absmax>70", "2"]


@pytest.mark.parametrize(
    ("text", "low", "high", "hit"),
    [
        ("absmax>1e4", -20_000.0, 1.0, True),
        ("absmax>1e4", -10.0, 1.0, False),
        ("absmax>1e4", -INF, 1.0, False),  # that is what `inf` is for
        ("|x|<2", -1.0, 1.5, True),
        ("all-zero", 0.0, 0.0, True),
        ("all-zero", 0.0, 1.0, False),
        ("all-zero", NAN, NAN, False),
    ],
)
def test_a_rule_hits(text: str, low: float, high: float, hit: bool) -> None:
    """By the numbers alone."""
    import numpy as np

    (rule,) = rules.parsed(text)

    assert rule.hits(np.array([low]), np.array([high]), np.array([False])).tolist() == [hit]


@pytest.mark.parametrize("wrong", ["nans", "absmax", "absmax>", "absmax>big", "|grad|=3", "1e4"])
def test_what_is_no_rule_is_said_to_be_none(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no rule: nan inf"):
        rules.parsed(f"nan {wrong}")


async def test_what_was_not_looked_at_is_said(tmp_path: Path) -> None:
    """Nothing is called clean of which a part was not seen."""
    log = small_run(tmp_path / "run.glens", ran(0), steps=2)
    log.facts(Gap("thread", "operations of a second thread", Seq(0), 1234)).finish()
    async with health(Saved(log.directory), (80, 24)) as screen:
        text = await whole(screen)

        assert "incomplete: nothing harmful was found" in text and "clean" not in text
        assert "1 gap, 1,234 times in all" in text
        assert "1,234 × operations of a second thread" in text


async def test_a_run_without_numbers_is_not_clean(tmp_path: Path) -> None:
    """At level structure nobody has looked."""
    log = small_run(tmp_path / "run.glens", ran(0), level="structure").finish()
    async with health(Saved(log.directory), (80, 24)) as screen:
        assert "no number was looked at" in screen.text() and "clean" not in screen.text()


async def test_several_processes(tmp_path: Path) -> None:
    """The verdict is on all of them; to go there is to see another process, and backspace comes back."""
    log = small_run(tmp_path / "run.glens", ran(0), ran(1, inputs=[0]), steps=9).finish()
    other = LogWriter(log.directory, pid=77, nonce="00000001")
    other.declare(RunStarted(("train.py",), 77, worker="DataLoader worker 0", parent=4242, began=1.0))
    other.declare(site(0, 3), *seen(ran(0, op="aten.rand.default"), ran(1, inputs=[0], op="aten.log.default"),
                                    ran(2, inputs=[1], op=READS, outputs=())))  # fmt: skip
    other.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    other.ran(OpRow(0, [(0.0, 1.0)]), OpRow(1, [(-INF, 0.0)]), OpRow(2, []))
    other.calls(CallEnded(CallId(0), Seq(2))).finish()
    async with health(Saved(log.directory), (120, 40)) as screen:
        text = screen.text()
        assert "infinity born in aten.log.default" in text and "DataLoader worker 0" in text
        await screen.press("enter")
        assert screen.app.mode is Mode.GRAPH and screen.app.at == 1
        assert screen.app.model.process().pid == 77  # type: ignore[union-attr]  # it is shown
        await screen.press("backspace")
        assert str(screen.app.mode) == "health"


# ── while it is being looked at ──────────────────────────────────────────────────────────────


async def test_until_it_is_judged_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys work meanwhile, and ! goes to the first that is not finite."""
    may = threading.Event()

    def slow(*given: object) -> findings.Findings:
        may.wait(20)
        return findings.find(*given)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr(judging, "find", slow)
    log = numbered(tmp_path / "run.glens").finish()
    async with showing(Saved(log.directory), (120, 40)) as screen:
        await screen.press("4")
        assert "looking…" in screen.text()
        await screen.press("1", "!")
        assert screen.app.at == 7 and "still being worked out" in screen.status()
        await screen.press("4")
        may.set()
        await screen.wait(lambda: "went wrong first" in screen.text())


async def test_a_mistake_of_ours_is_said_and_the_graph_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> None:
        raise KeyError("a node")

    monkeypatch.setattr(judging, "find", broken)
    log = numbered(tmp_path / "run.glens").finish()
    async with showing(Saved(log.directory), (80, 24)) as screen:
        await screen.press("4")
        await screen.wait(lambda: "could not be judged: KeyError: 'a node'" in screen.text())
        await screen.press("1")
        assert "dataflow" in screen.text()


async def test_a_run_that_grows_is_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When numbers that are not finite come, by itself; else when somebody asks."""
    monkeypatch.setattr(judging, "PAUSE", 0.1)
    path = tmp_path / "run.glens"
    log = numbered(path)
    run_json(path, state="running", exit_code=None, ended=None)
    more = [OpRow(0, [(1.0, 1.0)])]
    session = FakeSession(path)
    async with health(session, (120, 40)) as screen:
        assert "so far" in screen.text() and "later ops" in screen.text()
        log.calls(CallBegan(CallId(2), GraphId(0), Seq(log.seq), 2, "train"))
        log.ran(*more)
        session.grow()
        await screen.press("r")
        await screen.wait(lambda: "2 of 3 later ops" in screen.text())
        log.ran(OpRow(1, [(NAN, NAN)]))
        session.grow()
        await screen.wait(lambda: "3 of 4 later ops" in screen.text())


# ── how it looks ─────────────────────────────────────────────────────────────────────────────


@SIZES
async def test_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async with health(saved(tmp_path), size) as screen:
        same_as_golden(screen.text(), f"health_{size[0]}x{size[1]}")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"GRAPHLENS_THEME": "light"}], ids=str)
async def test_the_text_is_the_same_in_any_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with health(saved(tmp_path), (120, 40)) as screen:
        same_as_golden(screen.text(), "health_120x40")


async def test_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    async with health(saved(tmp_path), (120, 40)) as screen:
        text = await whole(screen)

    assert text.isascii()
    assert "X NaN born in" in text and "XXXX" in text


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 2), (20, 8), (400, 3), (30, 100), (111, 9)], ids=str)
async def test_no_terminal_is_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    async with health(saved(tmp_path), size) as screen:
        await screen.press(
            "j", "k", "G", "g", "pagedown", "tab", "space", "o", "escape", "?", "escape", "enter"
        )
        await screen.pilot.resize_terminal(80, 24)
        await screen.press("4", "home")
        await screen.rest()

        assert "NaN born in" in screen.text()


async def test_an_empty_run(tmp_path: Path) -> None:
    new_run(tmp_path / "empty.glens")
    async with showing(Saved(tmp_path / "empty.glens"), (80, 24)) as screen:
        await screen.press("4", "j", "enter", "r", "backspace", "4")

        assert "nothing was recorded" in screen.text()


async def test_keys_of_the_graph_do_nothing_here(tmp_path: Path) -> None:
    """They would change what nobody sees."""
    async with health(saved(tmp_path)) as screen:
        at = screen.app.at
        for key in ("space", "z1", "}", "gd"):
            await screen.press(key)
            await screen.rest(0.5)
            assert "that is for the graph" in screen.status() or key == "}"
        assert screen.app.at == at and screen.app.mode is Mode.HEALTH
