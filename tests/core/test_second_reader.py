"""A second reader, made from docs/format.md alone: if it disagrees with ours, one of the three is wrong.

It knows nothing of our code: `struct`, `json` and a dictionary. It is slow, and does not care.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from factories import LogWriter, OpRow, PageWriter, leaf, new_run, out, ran, seen, write_run
from graphlens.store import Run
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    CallTurned,
    GraphGrew,
    GraphId,
    GraphSeen,
    NodeId,
    Numerics,
    Seq,
    Unusual,
    ValueId,
    WiringId,
    WiringSeen,
)
from graphlens_tracers.wire import Kind, frames, page_frames


class Second:
    """One process, as docs/format.md describes it."""

    def __init__(self, directory: Path, name: str) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.ranges: dict[tuple[int, int], tuple[float, float]] = {}
        self.reached: dict[int, int] = {}
        self.declared = 0
        self.bodies: list[tuple[int, bytes]] = []
        for segment in sorted(directory.glob(f"{name}.*.log")):
            self.segment(segment.read_bytes())
        for kind, body in self.bodies:
            if kind in (1, 4, 5):
                self.fold(json.loads(body))
        self.nodes = {event["node"]: event for event in self.events.get("NodeSeen", [])}
        for kind, body in self.bodies:
            if kind == 2:
                self.read_rows(body)
            elif kind == 3:
                self.read_ranges(body)

    def segment(self, data: bytes) -> None:
        at = 0
        while at + 32 <= len(data):
            magic, version, kind, _, length, crc, _, presupposed = struct.unpack_from("<4sBBHIIQI", data, at)
            body = data[at + 32 : at + 32 + length]
            if magic != b"GLNS" or version != 1 or len(body) < length or zlib.crc32(body) != crc:
                return
            assert presupposed <= self.declared
            if kind == 1:
                self.declared += len(json.loads(body))
            self.bodies.append((kind, body))
            at += 32 + length

    def fold(self, events: list[Any]) -> None:
        for name, fields in events:
            known = self.events.setdefault(name, [])
            if fields not in known:
                known.append(fields)

    def read_rows(self, body: bytes) -> None:
        rows, blocks, scalars, strand = struct.unpack_from("<IIII", body)
        at = 16
        heads = [struct.unpack_from("<IIQQ", body, at + 24 * k) for k in range(blocks)]
        at += 24 * blocks
        took = struct.unpack_from(f"<{rows}I", body, at)
        at += 4 * rows
        gap = struct.unpack_from(f"<{rows}H", body, at)
        at += 2 * rows
        assert len(body) == at + 12 * scalars
        for k, (first, node, clock, seq) in enumerate(heads):
            stop = heads[k + 1][0] if k + 1 < blocks else rows
            for j in range(first, stop):
                ns = took[j] if took[j] < 1 << 31 else (took[j] & 0x7FFFFFFF) * 1000
                began = clock + (64 * gap[j] if gap[j] < 1 << 15 else 8192 * (gap[j] & 0x7FFF))
                clock = began + ns
                number = seq + j - first
                if number < self.reached.get(strand, 0):
                    continue
                self.reached[strand] = number + 1
                self.rows[number] = {
                    "node": node + j - first, "began": began, "took": ns, "strand": strand,
                }  # fmt: skip

    def read_ranges(self, body: bytes) -> None:
        blocks, slots = struct.unpack_from("<II", body)
        assert len(body) == 8 + 24 * blocks + 8 * slots
        start = 8 + 24 * blocks
        for k in range(blocks):
            seq, node, rows, slot = struct.unpack_from("<QIII", body, 8 + 24 * k)
            for j in range(rows):
                for index, output in enumerate(self.nodes[node + j]["outputs"]):
                    ranged = output.get("ranged", "")
                    at = start + 8 * slot
                    if ranged == "f8":
                        self.ranges[seq + j, index] = struct.unpack_from("<dd", body, at)
                        slot += 2
                    elif ranged:
                        self.ranges[seq + j, index] = one_slot(ranged, body[at : at + 8])
                        slot += 1

    def graph(self, graph: int) -> list[int]:
        (seen,) = [event for event in self.events["GraphSeen"] if event["graph"] == graph]
        order = [] if seen.get("base") is None else self.graph(seen["base"])[: seen["keep"]]
        more = [event for event in self.events.get("GraphGrew", []) if event["graph"] == graph]
        return list(dict.fromkeys(order + [node for part in [seen, *more] for node in part.get("nodes", [])]))

    def call_of(self, seq: int) -> int:
        """The last call on the row's strand that began at or before it, and has not ended before it."""
        ends = {event["call"]: event["last"] for event in self.events.get("CallEnded", [])}
        strand = self.rows[seq]["strand"]
        open_calls: list[int] = []
        calls = [call for call in self.events.get("CallBegan", []) if call.get("strand", 0) == strand]
        for call in sorted(calls, key=lambda call: (call["first"], call["call"])):
            if call["first"] > seq:
                break
            while open_calls and open_calls[-1] != call.get("parent"):
                open_calls.pop()
            open_calls.append(call["call"])
        while open_calls and ends.get(open_calls[-1], math.inf) < seq:
            open_calls.pop()
        return open_calls[-1] if open_calls else -1


def one_slot(ranged: str, raw: bytes) -> tuple[float, float]:
    """The minimum and maximum in one slot."""
    if ranged == "f4":
        return struct.unpack("<ff", raw)
    if ranged == "f2":
        return struct.unpack("<e2xe2x", raw)
    low, high = raw[0:2], raw[4:6]
    return struct.unpack("<f", b"\0\0" + low)[0], struct.unpack("<f", b"\0\0" + high)[0]


def same(one: float, other: float) -> bool:
    """Equal, NaN included."""
    return one == other or (math.isnan(one) and math.isnan(other))


def assert_agree(path: Path) -> None:
    """Everything that both readers know of a run is the same."""
    for process in Run(path).processes():
        second = Second(path, process.stem)
        rows, ranges = process.rows(0, process.end), process.ranges(0, process.end)
        assert rows.seq.tolist() == sorted(second.rows)
        columns = [column.tolist() for column in rows]
        for k, (seq, node, call, began, took, _) in enumerate(zip(*columns, strict=True)):
            theirs = second.rows[seq]
            assert (node, began, took) == (theirs["node"], theirs["began"], theirs["took"])
            assert call == second.call_of(seq)
            for j in range(ranges.offsets[k], ranges.offsets[k + 1]):
                low, high = second.ranges[seq, int(ranges.slot[j])]
                assert same(low, float(ranges.low[j]))
                assert same(high, float(ranges.high[j]))
        assert len(ranges.low) == len(second.ranges)
        assert set(process.nodes) == set(second.nodes)
        for graph in process.graphs():
            assert process.order(graph.graph) == second.graph(graph.graph)
        assert process.finished == ("LogFinished" in second.events)


PAUSE = 1000 * 8192  # longer than can be said in units of 64 ns


def varied(path: Path) -> LogWriter:
    """Every kind of frame and every width of a range."""
    log = new_run(path)
    nodes = [
        ran(0, inputs=[100], outputs=[out(0, ranged="f2"), out(50, ranged=""), out(51, ranged="f8")]),
        ran(1, inputs=[0, 100], outputs=[out(1, ranged="b2")]),
        ran(2, inputs=[1, None, 1]),
    ]
    log.declare(*seen(*nodes))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), None, "setup"))
    nan, inf = math.nan, math.inf
    log.ran(OpRow(0, [(-1.5, 2), (nan, nan)], 1000, 300), OpRow(1, [(-inf, 3)], 1300 + PAUSE, (1 << 31) + 9))
    log.calls(CallBegan(CallId(1), GraphId(0), Seq(1), 0, "train"))
    log.declare(leaf(101), ran(3, inputs=[101]))
    log.declare(
        GraphSeen(GraphId(1), None, "other", "step", "ran", GraphId(0), 2),
        WiringSeen(WiringId(0), NodeId(3), (ValueId(1),)),
        GraphGrew(GraphId(1), (NodeId(3),), (WiringId(0),)),
    )
    log.calls(CallTurned(CallId(1), GraphId(1)))
    log.ran(OpRow(3, [(1e-40, 1)]), OpRow(0, [(inf, -inf), (1e300, -0.0)]))
    log.facts(Unusual(Seq(1), 0, Numerics(4, 0, 0, 1)))
    log.calls(CallEnded(CallId(1), Seq(3), step=7))
    return log


def test_both_readers_agree_on_every_kind_of_frame(tmp_path: Path) -> None:
    """Half and bfloat16, a hole in the calls, a spliced graph, a long pause before a long operation."""
    varied(tmp_path / "run.glens").finish()

    assert_agree(tmp_path / "run.glens")
    rows = Run(tmp_path / "run.glens").main.rows(0, 2)
    assert rows.began.tolist() == [1000, 1300 + PAUSE]
    assert rows.took.tolist() == [300, 9000]


def test_both_readers_agree_on_a_torn_log(tmp_path: Path) -> None:
    """Wherever it is cut."""
    log = varied(tmp_path / "run.glens")
    data = log.path.read_bytes()
    for stop in range(len(data), 40, -37):
        log.path.write_bytes(data[:stop])
        assert_agree(tmp_path / "run.glens")


def test_both_readers_agree_on_a_training_run(tmp_path: Path) -> None:
    """A larger one, in which NaN comes up, over several segments."""
    path = write_run(tmp_path / "run.glens", nodes=90, steps=12, nan_from=6)

    assert_agree(path)


def frames_of_page(page: bytes) -> list[tuple[int, bytes]]:
    """(kind, body) of the frames that a page becomes, by the tables of the document."""

    def u64(at: int) -> int:
        return int(struct.unpack_from("<Q", page, at)[0])

    assert page[0:8] == b"GLPAGE01"
    assert u64(8) % 2 == 0
    rows, blocks, slots, scalars = u64(80), u64(88), u64(96), u64(112)
    texts: dict[int, list[bytes]] = {1: [], 4: [], 5: []}
    at = 49_152
    while at < 49_152 + u64(120):
        length, kind = struct.unpack_from("<II", page, at)
        texts[kind].append(page[at + 8 : at + 8 + length])
        at += 8 + (length + 3) // 4 * 4
    heads = [struct.unpack_from("<IIQQI", page, 512 + 32 * k) for k in range(blocks)]
    heads = [head for head in heads if head[0] < rows]
    ends = [*(head[0] for head in heads[1:]), rows]
    body = struct.pack("<IIII", rows, len(heads), scalars, u64(32))
    body += b"".join(struct.pack("<IIQQ", *head[:4]) for head in heads)
    cells = [page[at : at + 6] for at in range(11_264, 11_264 + 8 * rows, 8)]
    body += b"".join(cell[:4] for cell in cells) + b"".join(cell[4:] for cell in cells)
    body += page[7_168 : 7_168 + 12 * scalars]
    ranges = struct.pack("<II", len(heads), slots)
    for (row, node, _, seq, slot), end in zip(heads, ends, strict=True):
        ranges += struct.pack("<QIIII", seq, node, end - row, slot, 0)
    ranges += page[27_648 : 27_648 + 8 * slots]
    found = [(kind, b"[" + b",".join(texts[kind]) + b"]") for kind in (1, 5, 4) if texts[kind]]
    found[1 if texts[1] else 0 : 1 if texts[1] else 0] = [(2, body), (3, ranges)]
    return found


def test_the_page_becomes_the_frames_that_the_page_section_says(tmp_path: Path) -> None:
    """What the host appends is what our reader saw in the page."""
    log = varied(tmp_path / "run.glens")
    page = PageWriter(log, rows=[OpRow(2, [(1, 2)], 64), OpRow(0, [(3, 4)], 128)])
    page.events = [
        (Kind.CALLS, CallEnded(CallId(0), Seq(0))),
        (Kind.DECLARATIONS, leaf(300)),
        (Kind.FACTS, Unusual(Seq(1), 0, error="x")),
    ]
    written = page.write(tmp_path / "run.glens" / "pages")
    before = Run(tmp_path / "run.glens").main.rows(0, 99)
    written.unlink()
    whole = b"".join(page_frames(page.data()))
    log.raw(whole)
    bodies = [(int(frame.kind), frame.body) for frame in frames(whole)]

    assert frames_of_page(page.data()) == bodies

    assert_agree(tmp_path / "run.glens")
    assert before.seq.tolist() == Run(tmp_path / "run.glens").main.rows(0, 99).seq.tolist()


def test_the_second_reader_would_notice_a_difference(tmp_path: Path) -> None:
    """A guard that cannot fail guards nothing."""
    log = varied(tmp_path / "run.glens")
    log.ran(OpRow(2, [(5, 6)]))
    second = Second(tmp_path / "run.glens", log.stem)
    second.rows[4]["node"] = 9

    assert second.rows[4]["node"] != Run(tmp_path / "run.glens").main.rows(4, 5).node[0]
    with pytest.raises(KeyError):
        _ = second.ranges[4, 7]
