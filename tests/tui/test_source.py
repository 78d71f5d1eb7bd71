"""The source with what its lines computed: held against every row of the step, one by one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from factories import LogWriter, ran, seen, site, small_run
from graphlens.session import Process, Saved
from graphlens.source_lines import Places, part_of_call
from graphlens_tracers.events import Seq, SourceSeen
from screens import same_as_golden, saved, showing

FILE = "/home/ada/train.py"


def ops_by_line(process: Process, first: int, last: int) -> dict[int, list[int]]:
    """What each line of a run's one file ran, row by row."""
    found: dict[int, list[int]] = {}
    for seq in range(first, last + 1):
        op = process.op(Seq(seq))
        if op.site is not None:
            found.setdefault(op.site.line, []).append(seq)
    return found


def with_source(path: Path, text: bytes, lines: list[int]) -> Saved:
    """A run of a file of these bytes: one operation for each of these lines."""
    digest = "ab" * 32
    nodes = [ran(k, site=k) for k in range(len(lines))]
    log: LogWriter = small_run(path, *nodes, steps=2)
    log.declare(SourceSeen("train.py", digest), *(site(k, line) for k, line in enumerate(lines)))
    log.finish()
    (path / "sources").mkdir(exist_ok=True)
    (path / "sources" / digest).write_bytes(text)
    return Saved(path)


def test_lines_have_the_rows_of_their_step(tmp_path: Path) -> None:
    """In every step the operations of every line are those that a walk over all rows finds."""
    process = saved(tmp_path).run.main
    for call in process.calls():
        wanted = ops_by_line(process, call.first, call.last)
        files = {one.file for one in process.sites.values()}
        assert len(files) == 1
        got = Places(process).ran(files.pop(), [part_of_call(call)])
        assert {line: got.of(line).seq.tolist() for line in wanted} == wanted
        assert len(got.seq) == sum(map(len, wanted.values()))


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    """Alone on the screen; the file, the expression's line, and a result at the right of each line."""
    async with showing(saved(tmp_path), size) as screen:
        await screen.press("!", "s")
        same_as_golden(screen.text(), f"source_{size[0]}x{size[1]}")


async def test_the_counts_on_the_screen(tmp_path: Path) -> None:
    """ "N ops" beside a line is how many rows its step has of it."""
    async with showing(saved(tmp_path), (160, 60)) as screen:
        await screen.press("!", "s", "g")
        await screen.rest(0.6)
        process, at = screen.app.model.shown.process, screen.app.at  # type: ignore[union-attr]  # it is shown
        assert at is not None
        call = process.call_at(at)
        assert call is not None
        wanted = ops_by_line(process, call.first, call.last)
        text = screen.text()
        told = {
            int(line): int(many)
            for line, many in re.findall(r"^│[▶ ].\s*(\d+)  .* (\d+) ops ", text, re.MULTILINE)
        }

        assert told and told == {line: len(wanted[line]) for line in told}
        assert set(told) == {line for line, seqs in wanted.items() if len(seqs) > 1}


async def test_the_expression_is_underlined(tmp_path: Path) -> None:
    """Of the line that is meant those characters, and no others, which the site says."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("!", "s")
        app = screen.app
        op = app.model.shown.process.op(app.at)  # type: ignore[union-attr, arg-type]  # it is shown
        assert op.site is not None
        text = app.model.shown.process.source(op.site.file)  # type: ignore[union-attr]  # it is shown
        line = (text or "").splitlines()[op.site.line - 1]
        wanted = line[op.site.column : op.site.end].strip()
        row = op.site.line - 1 - int(app.source.scroll_offset.y)
        strip = app.source.render_line(row)
        got = "".join(one.text for one in strip if one.style and one.style.underline)

        assert got == wanted


async def test_moving_and_going(tmp_path: Path) -> None:
    """j and k go by lines; enter takes the graph's cursor to the line's operations, one after the other."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("!", "s")
        app = screen.app
        start = app.source.cursor
        await screen.press("j", "j", "k")
        assert app.source.cursor == start + 1
        process = app.model.shown.process  # type: ignore[union-attr]  # it is shown
        call = process.call_at(app.at)  # type: ignore[arg-type]  # it is shown
        assert call is not None
        lines = ops_by_line(process, call.first, call.last)
        line = next(line for line in lines if len(lines[line]) > 2 and line != start)
        await screen.press(
            *("j" if line > app.source.cursor else "k" for _ in range(abs(line - app.source.cursor)))
        )
        for seq in (*lines[line], lines[line][0]):
            await screen.press("enter")
            assert app.at == seq and app.source.cursor == line
        assert f"op 1 of {len(lines[line])} of line {line}" in screen.status()
        await screen.press("s")
        assert app.pane() is app.graph and app.graph.at == lines[line][0]
        await screen.press("s", "g", "enter")
        assert "ran nothing in this step" in screen.status()


@pytest.mark.parametrize(
    ("text", "lines", "wanted"),
    [
        (b"x = 1\n\x00\x01\xff\xfe\x1b[2J\n", [2], r"\x00\x01"),
        ("# -*- coding: latin-1 -*-\ny = 'é'\n".encode("latin-1"), [2], "y = 'é'"),
        (b"a = 1\r\nb = 2\rc = 3\n", [3], "c = 3"),
        (b"a = 1\x0c\nb = 2\n", [2], "b = 2"),
        (b"a = 1\n", [9], "a = 1"),
        (b"", [1], "not kept"),
        (b"z = 0\n" * 30_000, [30_000], "30000  z = 0"),
        (b"w = '" + b"w" * 500_000 + b"'\n", [1], "wwww"),
        (b"e = '\xe2\x80\xae\xf0\x9f\x98\x80'\n", [1], "\\u202e"),
    ],
    ids=["binary", "latin-1", "line ends", "form feed", "no such line", "empty", "huge", "long", "marks"],
)
async def test_odd_files(tmp_path: Path, text: bytes, lines: list[int], wanted: str) -> None:
    """Whatever is in the file: it is shown safely, and lines stay where Python counts them."""
    async with showing(with_source(tmp_path / "odd.glens", text, lines), (120, 30)) as screen:
        await screen.press("j", "s")
        shown = screen.text()

        assert wanted in shown
        assert not set(shown) & {"\x1b", "\x00", "\x01", "\u202e"}
        await screen.press("G", "k", "enter", "g", "s")
        assert "dataflow" in screen.text()


async def test_a_file_that_was_not_kept(tmp_path: Path) -> None:
    """That is said, with the line; and of what has no line at all that, too."""
    log = small_run(tmp_path / "run.glens", ran(0, site=0), ran(1))
    log.declare(site(0, 7)).finish()
    async with showing(Saved(log.directory), (120, 30)) as screen:
        await screen.press("j", "s")
        assert "line 7: the text of this file was not kept" in screen.text()
        await screen.press("s", "j", "s", "enter")
        assert "Traceback" not in screen.text()


async def test_no_terminal_is_too_small(tmp_path: Path) -> None:
    """No size and no key breaks it."""
    session = saved(tmp_path)
    for size in ((20, 8), (60, 12), (400, 5)):
        async with showing(session, size) as screen:
            await screen.press("!", "s", "j", "G", "enter", "P", "escape", ")", "(", "t", "s")
            assert screen.app.pane() is screen.app.graph


async def test_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but ASCII; the ill line is told by a glyph."""
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("!", "s")
        assert screen.text().isascii()
        assert re.search(r"NaN\S* X", screen.text())
        await screen.press("escape", "t", "P")
        assert screen.text().isascii()


def test_threads_do_not_mix(tmp_path: Path) -> None:
    """Of two threads whose operations lie between each other's a step has its own only."""
    from factories import new_run
    from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId

    log = new_run(tmp_path / "threads.glens")
    log.declare(*seen(ran(0, site=0)), site(0, 3))
    for strand in (0, 1):
        log.calls(CallBegan(CallId(strand), GraphId(0), Seq(strand), 0, "train", strand))
    for _ in range(3):
        log.ran(0)
        log.ran(0, strand=1)
    log.calls(CallEnded(CallId(0), Seq(4)), CallEnded(CallId(1), Seq(5))).finish()
    process = Saved(log.directory).run.main
    first = Places(process).ran("train.py", [part_of_call(process.calls()[0])])

    assert first.of(3).seq.tolist() == [0, 2, 4]
