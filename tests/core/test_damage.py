"""Damaged runs: what is read is true, or is said to be missing. Never wrong, never a crash."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import LogWriter, OpRow, PageWriter, leaf, new_run, out, ran, seen, write_run
from graphlens.store import Process, Run
from graphlens_tracers import wire
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import CallBegan, CallEnded, CallId, Gap, GraphId, LogFinished, NodeId, Seq


class Read(NamedTuple):
    """What a process says, in a form that parts of it can be compared in."""

    rows: dict[int, tuple[int, int, int]]
    calls: dict[int, int]
    ranges: dict[tuple[int, int], tuple[float, float]]
    nodes: dict[NodeId, object]


def read(process: Process) -> Read:
    """All rows, the call of each, all ranges, all nodes."""
    rows, ranges = process.rows(0, process.end), process.ranges(0, process.end)
    columns = [column.tolist() for column in (rows.seq, rows.node, rows.began, rows.took, rows.call)]
    numbers = {}
    for k, seq in enumerate(rows.seq.tolist()):
        for j in range(ranges.offsets[k], ranges.offsets[k + 1]):
            numbers[seq, int(ranges.slot[j])] = float(ranges.low[j]), float(ranges.high[j])
    return Read(
        {seq: (node, began, took) for seq, node, began, took, _ in zip(*columns, strict=True)},
        {seq: call for seq, _, _, _, call in zip(*columns, strict=True)},
        numbers,
        dict(process.nodes),
    )


def assert_true(part: Read, whole: Read) -> None:
    """Every single thing that was read is what was written."""
    assert part.rows.items() <= whole.rows.items()
    assert part.ranges.items() <= whole.ranges.items()
    assert part.nodes.items() <= whole.nodes.items()
    wrong = {seq: call for seq, call in part.calls.items() if call not in (-1, whole.calls[seq])}
    assert not wrong


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of several segments, each frame kind in each."""
    path = tmp_path_factory.mktemp("sound") / "run.glens"
    log = new_run(path)
    log.longest = 4000
    nodes = [ran(0, inputs=[100]), ran(1, inputs=[0, 0]), ran(2, inputs=[1], outputs=[out(2, ranged="f8")])]
    log.declare(*seen(*nodes))
    for step in range(30):
        first = log.seq
        if step % 7 == 3:
            node = ran(3 + step, inputs=[0])
            log.declare(leaf(500 + step), *seen(nodes[0], node, graph=step)[1:])
            path_taken, graph = [0, 3 + step], step
        else:
            path_taken, graph = [0, 1, 2], 0
        log.calls(CallBegan(CallId(step), GraphId(graph), Seq(first), step, "train"))
        rows = [OpRow(node, [(step, step + node)], 1000 * first, 500 + first) for node in path_taken]
        log.ran(*rows)
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    log.finish()
    return path


damage = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 100_000), st.just(0)),
    st.tuples(st.just("flip"), st.integers(0, 100_000), st.integers(1, 255)),
    st.tuples(st.just("zero"), st.integers(0, 100_000), st.integers(1, 300)),
    st.tuples(st.just("insert"), st.integers(0, 100_000), st.integers(1, 80)),
    st.tuples(st.just("remove"), st.integers(0, 100_000), st.integers(1, 300)),
    st.tuples(st.just("repeat"), st.integers(0, 100), st.integers(1, 4)),
)


def apply(data: bytes, what: str, at: int, how: int) -> bytes:
    """A damaged copy of a log's segment."""
    if what == "repeat":  # whole frames, twice
        ends = [0, *(frame.end for frame in wire.frames(data))]
        start = ends[at % len(ends)]
        stop = ends[min(at % len(ends) + how, len(ends) - 1)]
        return data[:stop] + data[start:stop] + data[stop:]
    at %= len(data)
    match what:
        case "cut":
            return data[:at]
        case "flip":
            return data[:at] + bytes([data[at] ^ how]) + data[at + 1 :]
        case "zero":
            return data[:at] + bytes(len(data[at : at + how])) + data[at + how :]
        case "insert":
            return data[:at] + b"GLNS\x01\x02\xff\xff" * (how // 8 + 1) + data[at:]
        case _:
            return data[:at] + data[at + how :]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.tuples(st.integers(0, 20), damage), min_size=1, max_size=3))
def test_what_is_read_of_a_damaged_log_is_true(
    kinds: list[tuple[int, tuple[str, int, int]]], sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A flipped bit must cost data, never change it."""
    whole = read(Run(sound).main)
    path = tmp_path_factory.mktemp("damaged") / "run.glens"
    shutil.copytree(sound, path)
    segments = sorted(path.glob("*.log"))
    for which, (what, at, how) in kinds:
        file = segments[which % len(segments)]
        if file.stat().st_size:
            file.write_bytes(apply(file.read_bytes(), what, at, how))

    try:
        process = Run(path).main
        part = read(process)
        for graph in process.graphs():
            process.graph(graph.graph).check()
        gaps = process.gaps
    except BadRunFile:
        part, gaps = Read({}, {}, {}, {}), []
    shutil.rmtree(path.parent)

    assert_true(part, whole)
    if part.rows and len(part.rows) < len(whole.rows) and any(what != "cut" for _, (what, _, _) in kinds):
        assert gaps or part.rows == dict(list(whole.rows.items())[: len(part.rows)])


def test_the_rest_is_read_when_a_segment_is_damaged(sound: Path, tmp_path: Path) -> None:
    """One bad block of a disk is not the whole run: later segments that lack nothing are read."""
    path = tmp_path / "run.glens"
    shutil.copytree(sound, path)
    whole = read(Run(sound).main)
    second = sorted(path.glob("*.log"))[1]
    data = bytearray(second.read_bytes())
    data[-20] ^= 1  # in its last frame, which declares nothing
    second.write_bytes(data)
    process = Run(path).main

    part = read(process)
    assert_true(part, whole)
    assert max(part.rows) == max(whole.rows)
    assert any(gap.kind == "unreadable" and second.name in gap.what for gap in process.gaps)


def test_what_follows_lost_declarations_is_not_read(tmp_path: Path) -> None:
    """Rows whose nodes were declared in a part that is gone would be named wrongly."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.ran(0)
    log.segment = 1
    log.declare(ran(1))
    log.segment = 2
    log.ran(0, 1)
    (tmp_path / "run.glens" / f"{log.stem}.001.log").write_bytes(b"GLNS" + bytes(60))
    process = Run(tmp_path / "run.glens").main

    assert process.op_count == 1
    assert "declarations" in " ".join(gap.what for gap in process.gaps)


def test_a_torn_tail_is_the_end_until_it_grows(tmp_path: Path) -> None:
    """A reader may come while a frame is being written."""
    log = new_run(tmp_path / "run.glens", state="running").declare(*seen(ran(0)))
    whole = log.path.read_bytes()
    log.ran(0)
    grown = log.path.read_bytes()
    log.path.write_bytes(whole + grown[len(whole) : len(whole) + 40])
    run = Run(tmp_path / "run.glens")
    torn = run.main.op_count, run.main.gaps
    log.path.write_bytes(grown)
    deltas = run.refresh()

    assert torn == (0, [])
    assert (run.main.op_count, run.main.gaps) == (1, [])
    assert [delta.rows for delta in deltas] == [(0, 1)]


def test_a_log_that_is_cut_off_says_so(tmp_path: Path) -> None:
    """When nobody writes any more, half a frame is a loss."""
    log = new_run(tmp_path / "run.glens", state="finished").declare(*seen(ran(0))).ran(0)
    whole = log.path.read_bytes()
    log.ran(0)
    log.path.write_bytes(log.path.read_bytes()[: len(whole) + 20])
    process = Run(tmp_path / "run.glens").main

    assert process.op_count == 1
    assert ["cut off" in gap.what for gap in process.gaps] == [True]


def test_a_writer_may_give_up_a_tail_and_go_on_in_a_new_segment(tmp_path: Path) -> None:
    """After a full disk the sink cannot always take its torn frame back."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.ran(0)
    log.path.write_bytes(log.path.read_bytes() + wire.frame(wire.Kind.ROWS, bytes(900), 1, 3)[:500])
    log.segment, log.seq = 1, 5
    log.ran(0, 0)
    PageWriter(log, rows=[OpRow(0)]).write(log.directory / "pages")
    process = Run(tmp_path / "run.glens").main

    assert process.rows(0, 10).seq.tolist() == [0, 5, 6, 7]
    assert [gap.kind for gap in process.gaps] == ["unreadable"]


@pytest.mark.parametrize("gone", [0, 1])
def test_a_segment_that_is_missing_is_said(tmp_path: Path, gone: int) -> None:
    """Somebody made room."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    for segment in range(3):
        log.segment = segment
        log.ran(0, 0)
    log.segment = 999_999_999
    log.ran(0)
    (log.directory / f"{log.stem}.{gone:03}.log").unlink()
    process = Run(log.directory).main

    assert process.rows(0, 99).seq.tolist() == ([] if gone == 0 else [0, 1, 4, 5, 6])
    assert any("it is missing" in gap.what for gap in process.gaps)


def test_a_gap_is_told_although_the_declarations_are_not_in_the_log(tmp_path: Path) -> None:
    """The disk is full: what waits in the process is not seen, and that is said."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.declared += 5
    page = PageWriter(log, rows=[OpRow(0)])
    page.events = [(wire.Kind.FACTS, Gap("dropped", "rows that could not be written", Seq(0), 9))]
    page.write(log.directory / "pages")
    run = Run(log.directory)
    before = run.main.op_count, [gap.kind for gap in run.main.gaps]
    log.facts(*(event for _, event in page.events), LogFinished(9))
    run.refresh()

    assert before == (0, ["dropped"])
    assert sorted(gap.kind for gap in run.main.gaps) == ["dropped", "unreadable"]
    assert (run.main.dropped, run.main.finished) == (9, True)


def test_a_call_that_was_open_at_a_hole_does_not_reach_beyond_it(tmp_path: Path) -> None:
    """Its end may have been in the hole: what follows belongs to nobody we know."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(0)
    log.path.write_bytes(log.path.read_bytes() + b"GLNS" + bytes(70))
    log.segment, log.seq = 1, 2
    log.ran(0)
    process = Run(tmp_path / "run.glens").main

    assert process.rows(0, 10).call.tolist() == [0, -1]
    assert process.calls()[0].last == 0


@pytest.mark.parametrize("length", [0xFFFFFFFF, wire.LONGEST + 1, wire.LONGEST])
def test_a_header_with_a_huge_length_costs_nothing(tmp_path: Path, length: int) -> None:
    """A 32-byte file must not make us reserve 4 GiB."""
    log = new_run(tmp_path / "run.glens")
    header = wire.HEADER.pack(wire.MAGIC, wire.VERSION, 2, 0, length, 0, 0, 0)
    log.path.write_bytes(log.path.read_bytes() + header * 3)
    began = time.process_time()
    run = Run(tmp_path / "run.glens")

    assert time.process_time() - began < 0.2
    assert run.main.op_count == 0


def rows_of(row: int, t0: int, seq: int) -> bytes:
    """One row, in a block that says these things."""
    return wire.ROWS_HEADER.pack(1, 1, 0, 0) + wire.BLOCK.pack(row, 0, t0, seq) + bytes(6)


def ranges_of(node: int, rows: int, slot: int) -> bytes:
    """One slot, and a block that says these things."""
    return wire.RANGES_HEADER.pack(1, 1) + wire.RANGE_BLOCK.pack(0, node, rows, slot) + bytes(8)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (wire.Kind.ROWS, wire.ROWS_HEADER.pack(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)),
        (wire.Kind.ROWS, rows_of(5, 0, 0)),
        (wire.Kind.ROWS, rows_of(0, 0, (1 << 64) - 1)),
        (wire.Kind.ROWS, rows_of(0, (1 << 64) - 1, 9)),
        (wire.Kind.ROWS, b"\0"),
        (wire.Kind.RANGES, wire.RANGES_HEADER.pack(0xFFFFFFFF, 0xFFFFFFFF)),
        (wire.Kind.RANGES, ranges_of(0, 0xFFFFFFFF, 0)),
        (wire.Kind.RANGES, ranges_of(0, 2, 0)),
        (wire.Kind.RANGES, ranges_of(77, 1, 0)),
        (wire.Kind.RANGES, ranges_of(0, 1, 0xFFFFFFFF)),
    ],
)
def test_a_frame_that_contradicts_itself_is_left_out(tmp_path: Path, kind: wire.Kind, body: bytes) -> None:
    """Its checksum is right, so somebody made it on purpose, or we have a bug: say so, read on."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.put(kind, body)
    log.ran(0)
    process = Run(tmp_path / "run.glens").main
    process.bad_rows()

    assert process.rows(0, 1 << 60).seq.tolist()[-1:] == [0]
    assert [gap.kind for gap in process.gaps] == ["unreadable"]


def test_a_million_ops_open_in_half_a_second_of_cpu(tmp_path: Path) -> None:
    """With every checksum; a generous multiple of what it takes (0.1 s)."""
    path = write_run(tmp_path / "big.glens", nodes=1000, steps=1000)
    began = time.process_time()
    process = Run(path).main
    rows = process.rows(process.end - 60, process.end)

    assert time.process_time() - began < 1.5
    assert len(rows.seq) == 60


def test_an_empty_log_is_a_process_without_ops(tmp_path: Path) -> None:
    """It was killed before its first page was full, and its page is gone."""
    path = tmp_path / "run.glens"
    LogWriter(path).directory.mkdir()
    new_run(path).path.write_bytes(b"")

    assert Run(path).main.op_count == 0
