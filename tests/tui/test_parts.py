"""The parts without a screen: lines, signs, output, words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import OpRow, new_run, out, ran, seen, write_function_run, write_run
from graphlens.session import OutputSeen, load
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    GraphId,
    Numerics,
    Phase,
    Seq,
    Spec,
    ValueId,
)
from graphlens_tui import words
from graphlens_tui.columns import fit
from graphlens_tui.details import form_text
from graphlens_tui.glyphs import ASCII, UNICODE, chosen
from graphlens_tui.paint import classes
from graphlens_tui.panes.output import sent
from graphlens_tui.screen import Printed
from graphlens_tui.timeline import Sort, Timeline


def timeline_of(path: Path) -> Timeline:
    """The lines of a run."""
    timeline = Timeline(load(path).main)
    timeline.update()
    return timeline


# ── lines ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_every_operation_is_on_one_line(tmp_path: Path, depth: int | None) -> None:
    """In order, whatever is folded; and every line knows its number."""
    timeline = timeline_of(write_run(tmp_path / "r.glens", nodes=150, steps=3))
    if depth is not None:
        keys = [way.outline.deeper_than(depth) for way in timeline.ways.values()]
        timeline.fold(frozenset().union(*keys), {CallId(2)})
    lines = [timeline.line(number) for number in range(len(timeline))]
    covered = [seq for line in lines if line.sort is not Sort.CALL for seq in range(line.seq, line.stop)]
    hidden = [seq for line in lines if line.folded for seq in range(line.seq, line.stop)]

    assert sorted(covered + hidden) == list(range(timeline.end))
    for number, line in enumerate(lines):
        if line.sort is not Sort.CALL or line.folded:
            assert timeline.number_of(line.seq) == number == timeline.number_of(line.stop - 1)


def test_two_threads_take_turns(tmp_path: Path) -> None:
    """Operations of two calls stand in the order in which they ran, each in its own graph."""
    log = new_run(tmp_path / "r.glens")
    log.declare(*seen(*[ran(k, inputs=[k - 1] if k else []) for k in range(4)]))
    for strand in (0, 1):
        log.calls(CallBegan(CallId(strand), GraphId(0), Seq(strand), 0, "train", strand))
    for k in range(4):
        for strand in (0, 1):
            log.ran(k, strand=strand)
    log.calls(CallEnded(CallId(0), Seq(6)), CallEnded(CallId(1), Seq(7)))
    timeline = timeline_of(tmp_path / "r.glens")
    lines = [timeline.line(number) for number in range(len(timeline))]

    assert [line.seq for line in lines if line.sort is Sort.OP] == list(range(8))
    assert sum(line.sort is Sort.CALL for line in lines) == 2
    at = timeline.stretch_of(6)
    assert at is not None and timeline.seq_at(at, 0) == 0 and timeline.seq_at(at, 2) == 4


def test_a_function_stands_inside_of_its_step(tmp_path: Path) -> None:
    """Its headline is below that of the step, also where both begin with the same operation."""
    timeline = timeline_of(write_function_run(tmp_path / "r.glens"))
    lines = [timeline.line(number) for number in range(len(timeline))]

    said = [
        (line.depth, timeline.name_of(timeline.calls[line.call])) for line in lines if line.call is not None
    ]
    assert said == [(0, "step 0 · train"), (1, "double"), (0, "step 1 · train"), (1, "double")]
    assert [line.seq for line in lines if line.sort is Sort.OP] == list(range(8))
    assert timeline.headline(0, 1) == 6
    entered = timeline.inside(6)
    assert entered is not None and entered.call == 3


def test_what_is_inside_of_a_closed_step_is_hidden(tmp_path: Path) -> None:
    timeline = timeline_of(write_function_run(tmp_path / "r.glens"))
    timeline.fold(frozenset(), {CallId(0), CallId(1), CallId(3)})
    lines = [timeline.line(number) for number in range(len(timeline))]

    assert [(line.call, line.seq) for line in lines] == [(0, 0), (2, 4), (3, 4), (None, 6), (None, 7)]
    assert [timeline.number_of(seq) for seq in range(8)] == [0, 0, 0, 0, 2, 2, 3, 4]


def test_operations_without_a_call_are_shown(tmp_path: Path) -> None:
    """Nothing that ran is left out because it is not known where it belongs."""
    log = new_run(tmp_path / "r.glens")
    log.declare(*seen(ran(0), ran(1, inputs=[0])))
    log.ran(0, 1, 1, 0)
    timeline = timeline_of(tmp_path / "r.glens")

    assert [timeline.line(number).seq for number in range(len(timeline))] == [0, 1, 2, 3]
    assert timeline.node(timeline.line(2)) == 1


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6), late=st.integers(0, 3))
def test_lines_of_a_growing_run_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], late: int
) -> None:
    """However the reader's looks fall, and however late a call is said to have begun."""
    path = tmp_path_factory.mktemp("r") / "r.glens"
    log = new_run(path)
    log.declare(*seen(*[ran(k, inputs=[k - 1] if k else []) for k in range(7)]))
    run = load(path)
    grown = Timeline(run.main)
    call, begun, seq = -1, 0, 0
    for cut in cuts:
        for _ in range(cut):
            log.ran(OpRow(seq % 7))
            seq += 1
            if seq % 7 == late and seq // 7 > begun - 1:
                first = seq // 7 * 7
                if call >= 0:
                    log.calls(CallEnded(CallId(call), Seq(first - 1)))
                call, begun = call + 1, seq // 7 + 1
                log.calls(CallBegan(CallId(call), GraphId(0), Seq(first), call, "train"))
        run.refresh()
        grown.update()
    whole = timeline_of(path)

    assert [grown.line(n) for n in range(len(grown))] == [whole.line(n) for n in range(len(whole))]


# ── what is known of numbers ─────────────────────────────────────────────────────────────────


def output(low: float | None, high: float | None, **more: object) -> OutputSeen:
    """An output of ten float32 that was looked at."""
    return OutputSeen(ValueId(0), Spec((10,), "float32"), low, high, looked_at=True, **more)  # type: ignore[arg-type]  # as typed


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (output(-1, 2, nan=0, pos_inf=0, neg_inf=0), (True, None, True, False, False)),
        (output(0, 2, nan=0, pos_inf=0, neg_inf=0), (False, True, True, False, False)),
        (output(-3, -1, nan=0, pos_inf=0, neg_inf=0), (True, False, False, False, False)),
        (output(0, 0, nan=0, pos_inf=0, neg_inf=0), (False, True, False, False, False)),
        (output(-1, math.inf), (True, None, None, True, False)),
        (output(-math.inf, -1e-8), (True, False, False, True, False)),
        (output(-math.inf, 0), (None, True, False, True, False)),
        (output(-math.inf, math.inf), (None, None, None, True, False)),
        (output(math.nan, math.nan), (None, None, None, None, True)),
        (OutputSeen(ValueId(0), Spec((), "int64")), (None,) * 5),
    ],
)
def test_signs_say_only_what_is_known(seen: OutputSeen, wanted: tuple[bool | None, ...]) -> None:
    """Between -1 and 2 there may be a zero or not: nobody has looked."""
    assert classes(seen) == wanted


def test_signs_of_counted_numbers() -> None:
    """Counts say what a range hides; where all is NaN there are no signs."""
    some = Numerics(10, nan=3, pos_inf=0, neg_inf=1, low=-1.0, high=-0.5)
    whole = Numerics(10, nan=10, pos_inf=0, neg_inf=0)

    assert classes(output(None, None, nan=3, pos_inf=0, neg_inf=1, numerics=some)) == (
        True,
        False,
        False,
        True,
        True,
    )
    assert classes(output(None, None, nan=10, pos_inf=0, neg_inf=0, numerics=whole)) == (
        False, False, False, False, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.0, "0"), (-0.0, "0"), (1.0, "1"), (-1349.04, "-1349"), (804.44, "804.4"), (19123.0, "1.91e4"),
     (2.4e-5, "2.4e-5"), (1e300, "1e300"), (math.inf, "∞"), (-math.inf, "-∞"), (math.nan, "NaN")],
)  # fmt: skip
def test_numbers(value: float, wanted: str) -> None:
    """Four digits in at most eight cells."""
    assert words.number(value) == wanted


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(0, "0"), (9999, "9,999"), (10_000, "10.0k"), (87_312, "87.3k"), (1_000_302, "1.00M")],
)
def test_counts(count: int, wanted: str) -> None:
    """At most five cells."""
    assert words.count(count) == wanted


def test_the_call_as_one_would_write_it() -> None:
    """Scalars that were others this time are those of this time."""
    node = ran(
        0, inputs=[1, 2], op="aten.add_.Tensor", form='[["$0","$1",{"dtype":"float32"}],{"alpha":-0.1}]'
    )

    assert form_text(node, {}) == "add_(in0, in1, float32, alpha=-0.1)"
    assert form_text(node, {0: -0.25}) == "add_(in0, in1, float32, alpha=-0.25)"
    assert form_text(ran(0, form="no JSON"), {}) == "no JSON"


# ── output ───────────────────────────────────────────────────────────────────────────────────


def printed(*parts: bytes) -> list[str]:
    """The lines after these pieces were printed."""
    screen = Printed()
    for part in parts:
        screen.feed(part)
    return [row.text.replace("\x00", "") for row in screen.rows]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a\r\nb", ["a", "b"]),
        (b"10%\r20%\r30%", ["30%"]),
        (b"hello\rJ", ["Jello"]),
        (b"one\r\ntwo\r\n\x1b[2A\x1b[2Kuno\x1b[2B\rend", ["uno", "two", "end"]),
        (b"abc\x1b[2Dx\x1b[K", ["ax"]),
        (b"abc\b\b!", ["a!c"]),
        (b"\x1b]0;title\x07text\x1b]52;c;AAAA\x1b\\", ["text"]),
        (b"\x1b[31mred\x1b[0m\x1b[?25l", ["red"]),
        (b"bad \xff utf8", ["bad \ufffd utf8"]),
        ("中文|".encode() + b"\rx", ["x 文|"]),
        (b"\x1bPq#0\x1b\\after", ["after"]),
        (b"a\tb", ["a       b"]),
    ],
    ids=repr,
)
def test_output_as_a_terminal_shows_it(data: bytes, wanted: list[str]) -> None:
    """Whole, and in pieces that cut every sequence and every character."""
    assert printed(data) == wanted
    assert printed(*[bytes([one]) for one in data]) == wanted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_output_breaks_the_screen_or_reaches_the_terminal(data: bytes) -> None:
    """Whatever a script prints: no control character is left in a line."""
    for line in printed(data):
        assert line.isprintable() or not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in line)


@pytest.mark.parametrize(
    ("key", "character", "wanted"),
    [("a", "a", b"a"), ("enter", "\r", b"\r"), ("ctrl+c", "\x03", b"\x03"), ("up", None, b"\x1b[A"),
     ("backspace", "\x7f", b"\x7f"), ("é", "é", "é".encode()), ("space", " ", b" "), ("f5", None, b"")],
)  # fmt: skip
def test_keys_as_a_terminal_sends_them(key: str, character: str | None, wanted: bytes) -> None:
    """What the script would get at its own terminal."""
    assert sent(key, character) == wanted


# ── columns and characters ───────────────────────────────────────────────────────────────────


@given(width=st.integers(1, 500), last=st.integers(0, 10**9))
def test_columns_never_take_more_than_there_is(width: int, last: int) -> None:
    """And the name is the last to go."""
    columns = fit(width, last)

    taken = (columns.mark + columns.seq + columns.lanes + columns.op + columns.module + columns.spec
             + columns.signs + columns.range + columns.jumps)  # fmt: skip
    assert taken <= width
    assert columns.op or width <= 2


def test_characters_follow_the_locale_unless_somebody_says_otherwise() -> None:
    """GRAPHLENS_ASCII wins over the locale."""
    assert chosen({}, "UTF-8") is UNICODE
    assert chosen({}, "ISO-8859-1") is ASCII
    assert chosen({"GRAPHLENS_ASCII": "1"}, "UTF-8") is ASCII
    assert chosen({"GRAPHLENS_ASCII": "0"}, "ANSI_X3.4-1968") is UNICODE
    assert ASCII.text("−∞×36 › naïve").isascii()


def test_a_wire_is_drawn_for_every_output_of_a_backward_phase(tmp_path: Path) -> None:
    """The twin is known by position, so gt works in every step."""
    log = new_run(tmp_path / "r.glens")
    nodes = [ran(0, outputs=[out(0, 2)]), ran(1, inputs=[0], phase=Phase.BACKWARD, twin=0)]
    log.declare(*seen(*nodes))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(0, 1)
    timeline = timeline_of(tmp_path / "r.glens")

    assert timeline.way(0).derivatives == {0: [1]}
