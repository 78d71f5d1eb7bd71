"""Events, graphs and whole run directories for tests, saying only what the test is about.

Everything goes through `graphlens_tracers.wire`, never through the reader: what is written here is
what a traced process would have written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphlens_tracers import wire
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    Event,
    GraphId,
    GraphSeen,
    LeafSeen,
    LogFinished,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    RunStarted,
    Seq,
    SiteId,
    SiteSeen,
    Spec,
    ValueId,
)
from graphlens_tracers.eventtext import plain
from graphlens_tracers.wire import Kind

Ranged = Literal["", "f2", "b2", "f4", "f8"]
WIDTHS: dict[str, int] = {"": 0, "f2": 1, "b2": 1, "f4": 1, "f8": 2}
EMPTY = (np.inf, -np.inf)
"""The range of an output that was not read."""


# ── one event ────────────────────────────────────────────────────────────────────────────────


def spec(*shape: int, dtype: str = "float32") -> Spec:
    """A contiguous CPU tensor; `spec()` is a scalar."""
    return Spec(shape, dtype)


def out(value: int, *shape: int, ranged: Ranged = "f4", alias: int | None = None, dtype: str = "") -> Output:
    """An output with the dtype that goes with its range."""
    kind = {"": "int64", "f2": "float16", "b2": "bfloat16", "f4": "float32", "f8": "float64"}[ranged]
    return Output(ValueId(value), Spec(shape, dtype or kind), alias, ranged)


def ran(
    node: int,
    *,
    inputs: Sequence[int | None] = (),
    outputs: Sequence[Output] | None = None,
    op: str = "aten.add.Tensor",
    phase: Phase = Phase.FORWARD,
    **more: Any,  # Any: the other fields of NodeSeen, ids as plain numbers
) -> NodeSeen:
    """A node; without `outputs` it makes one float32 scalar whose value id is the node's id."""
    made = (out(node),) if outputs is None else tuple(outputs)
    more.setdefault("key", f"{phase}/{op}/{node}")
    more.setdefault("form", json.dumps([f"${k}" for k in range(len(inputs))]))
    return NodeSeen(
        NodeId(node),
        op=op,
        phase=phase,
        inputs=tuple(None if value is None else ValueId(value) for value in inputs),
        outputs=made,
        **more,
    )


def leaf(value: int, name: str = "", kind: Any = "parameter", *shape: int) -> LeafSeen:
    """A leaf: `kind` as in `LeafSeen`, float32."""
    return LeafSeen(ValueId(value), kind, name or f"leaf{value}", Spec(shape, "float32"))


def graph(*nodes: int | NodeSeen, graph: int = 0, **more: Any) -> GraphSeen:
    """A step graph of these nodes."""
    ids = tuple(NodeId(node if isinstance(node, int) else node.node) for node in nodes)
    more.setdefault("kind", "step")
    more.setdefault("name", f"{more['kind']} {graph}")
    more.setdefault("parent", None)
    more.setdefault("order", "ran")
    return GraphSeen(GraphId(graph), nodes=ids, **more)


def seen(*nodes: NodeSeen, leaves: Iterable[LeafSeen] = (), **more: Any) -> list[Event]:
    """The declarations of one graph of these nodes, in the order a tracer says them.

    Input values that no node makes become parameters.
    """
    events: list[Event] = list(leaves)
    known = {one.value for one in leaves} | {o.value for node in nodes for o in node.outputs}
    for value in [v for node in nodes for v in node.inputs if v is not None]:
        if value not in known:
            known.add(value)
            events.append(leaf(value))
    return [*events, *nodes, graph(*nodes, **more)]


def site(site: int, line: int, file: str = "train.py", outer: int | None = None, **more: Any) -> SiteSeen:
    """A place in a source file."""
    more = {"column": 4, "end_line": line, "end": 20, "function": "main", **more}
    return SiteSeen(SiteId(site), None if outer is None else SiteId(outer), file, line, **more)


def encode(events: Iterable[Event]) -> bytes:
    """The body of a frame of events."""
    return json.dumps(
        [[type(event).__name__, plain(event)] for event in events], default=plain, separators=(",", ":")
    ).encode()


# ── rows and ranges ──────────────────────────────────────────────────────────────────────────


@dataclass
class OpRow:
    """One op that ran. `ranges`: (low, high) for each output with a range; missing ones are empty."""

    node: int
    ranges: Sequence[tuple[float, float]] = ()
    began: int = 0
    took: int = 1000


def pack_range(ranged: str, low: float, high: float) -> bytes:
    """The slots of one output."""
    if ranged == "f8":
        return np.array([low, high], "<f8").tobytes()
    if ranged == "f4":
        return np.array([low, high], "<f4").tobytes()
    if ranged == "f2":
        return np.array([low, 0, high, 0], "<f2").tobytes()
    assert ranged == "b2"
    bits = (np.array([low, high], "<f4").view("<u4") >> 16).astype("<u2")
    return np.array([bits[0], 0, bits[1], 0], "<u2").tobytes()


def blocks_of(nodes: Sequence[int], seqs: Sequence[int]) -> list[tuple[int, int]]:
    """(first, stop) of the runs in which node and sequence number count up together."""
    cuts = [0]
    for k in range(1, len(nodes)):
        if nodes[k] != nodes[k - 1] + 1 or seqs[k] != seqs[k - 1] + 1:
            cuts.append(k)
    return list(zip(cuts, [*cuts[1:], len(nodes)], strict=True)) if nodes else []


def rows_body(rows: Sequence[OpRow], seqs: Sequence[int], strand: int = 0) -> bytes:
    """The body of a ROWS frame."""
    parts = blocks_of([row.node for row in rows], seqs)
    blocks = b"".join(
        wire.BLOCK.pack(first, rows[first].node, rows[first].began, seqs[first]) for first, _ in parts
    )
    took = b"".join(wire.TOOK.pack(row.took) for row in rows)
    gaps = b"".join(wire.GAP.pack(gap) for first, stop in parts for gap in gaps_of(rows[first:stop]))
    return wire.ROWS_HEADER.pack(len(rows), len(parts), 0, strand) + blocks + took + gaps


def gaps_of(rows: Sequence[OpRow]) -> list[int]:
    """The GAP column of the rows of one block."""
    gaps, clock = [], rows[0].began
    for row in rows:
        pause = max(row.began - clock, 0)
        long = pause // wire.TICK >= wire.LONG_PAUSE
        unit = wire.LONG_TICK if long else wire.TICK
        gaps.append(pause // unit | (wire.LONG_PAUSE if long else 0))
        clock += pause // unit * unit + row.took
    return gaps


def ranges_body(rows: Sequence[OpRow], seqs: Sequence[int], nodes: dict[int, NodeSeen]) -> bytes:
    """The body of a RANGES frame; empty when no output has a range."""
    blocks, slots = b"", b""
    parts = blocks_of([row.node for row in rows], seqs)
    for first, stop in parts:
        blocks += wire.RANGE_BLOCK.pack(seqs[first], rows[first].node, stop - first, len(slots) // 8)
        for row in rows[first:stop]:
            ranged = [o.ranged for o in nodes[row.node].outputs if o.ranged]
            given = [*row.ranges, *[EMPTY] * len(ranged)]
            slots += b"".join(pack_range(kind, *given[k]) for k, kind in enumerate(ranged))
    return wire.RANGES_HEADER.pack(len(parts), len(slots) // 8) + blocks + slots if slots else b""


# ── a log, a page, a run ─────────────────────────────────────────────────────────────────────


@dataclass
class LogWriter:
    """Writes one process's log into a run directory, a frame a call."""

    directory: Path
    pid: int = 4242
    nonce: str = "0badcafe"
    segment: int = 0
    declared: int = 0
    seq: int = 0
    nodes: dict[int, NodeSeen] = field(default_factory=dict)
    longest: int = wire.SEGMENT

    @property
    def stem(self) -> str:
        """The name of the process's files: "p-PID-NONCE"."""
        return f"p-{self.pid}-{self.nonce}"

    @property
    def path(self) -> Path:
        """The current segment."""
        return self.directory / f"{self.stem}.{self.segment:03}.log"

    def raw(self, data: bytes) -> None:
        """Append whole frames, in the next segment when this one is full."""
        if self.path.exists() and self.path.stat().st_size + len(data) > self.longest:
            self.segment += 1
        with open(self.path, "ab") as file:
            file.write(data)

    def put(self, kind: Kind, body: bytes, base: int | None = None) -> None:
        """One frame with this body."""
        self.raw(wire.frame(kind, body, self.seq if base is None else base, self.declared))

    def started(self, argv: Sequence[str] = ("train.py",), rank: int = 0) -> LogWriter:
        """The first event of every log."""
        return self.declare(RunStarted(tuple(argv), self.pid, rank, python="3.11.7"))

    def declare(self, *events: Event) -> LogWriter:
        """One frame of declarations."""
        self.nodes.update({event.node: event for event in events if isinstance(event, NodeSeen)})
        self.put(Kind.DECLARATIONS, encode(events))
        self.declared += len(events)
        return self

    def calls(self, *events: Event) -> LogWriter:
        """One frame of calls."""
        self.put(Kind.CALLS, encode(events))
        return self

    def facts(self, *events: Event) -> LogWriter:
        """One frame of facts."""
        self.put(Kind.FACTS, encode(events))
        return self

    def ran(self, *rows: OpRow | int, strand: int = 0, seqs: Sequence[int] | None = None) -> LogWriter:
        """A frame of rows and one of ranges; a number is a row of that node with empty ranges."""
        full = [row if isinstance(row, OpRow) else OpRow(row) for row in rows]
        where = list(range(self.seq, self.seq + len(full))) if seqs is None else list(seqs)
        self.put(Kind.ROWS, rows_body(full, where, strand), where[0])
        body = ranges_body(full, where, self.nodes)
        if body:
            self.put(Kind.RANGES, body, where[0])
        self.seq = max(self.seq, where[-1] + 1)
        return self

    def finish(self, dropped: int = 0) -> LogWriter:
        """The last event of a log that ended by itself."""
        return self.facts(LogFinished(dropped))


@dataclass
class PageWriter:
    """A thread's shared page, as bytes that a test can put into the pages directory."""

    log: LogWriter
    strand: int = 0
    generation: int = 2
    rows: list[OpRow] = field(default_factory=list)
    events: list[tuple[Kind, Event]] = field(default_factory=list)
    running: tuple[int, int | None, str] | None = None

    def data(self) -> bytes:
        """64 KiB as the traced thread would leave them."""
        at, log = wire.At, self.log
        page = bytearray(wire.PAGE)

        def put(where: int, value: int) -> None:
            page[where : where + 8] = value.to_bytes(8, "little")

        seqs = list(range(log.seq, log.seq + len(self.rows)))
        parts = blocks_of([row.node for row in self.rows], seqs)
        slots = b""
        nodes = log.nodes | {e.node: e for _, e in self.events if isinstance(e, NodeSeen)}
        for k, (first, stop) in enumerate(parts):
            row = self.rows[first]
            wire.PAGE_BLOCK.pack_into(
                page,
                wire.AT_BLOCKS + k * wire.PAGE_BLOCK.size,
                *(first, row.node, row.began, seqs[first], len(slots) // 8),
            )
            body = ranges_body(self.rows[first:stop], seqs[first:stop], nodes)
            slots += body[wire.RANGES_HEADER.size + wire.RANGE_BLOCK.size :]
            for j, gap in zip(range(first, stop), gaps_of(self.rows[first:stop]), strict=True):
                put(wire.AT_ROWS + j * 8, self.rows[j].took | gap << 32)
        page[wire.AT_SLOTS : wire.AT_SLOTS + len(slots)] = slots
        text = b""
        for kind, event in self.events:
            one = encode([event])[1:-1]
            text += wire.TEXT_RECORD.pack(len(one), kind) + one + bytes(-len(one) % 4)
        page[wire.AT_TEXT : wire.AT_TEXT + len(text)] = text
        for where, value in {
            at.MAGIC: wire.PAGE_MAGIC,
            at.GENERATION: self.generation,
            at.PID: log.pid,
            at.STRAND: self.strand,
            at.FRAMES: log.declared,
            at.ROWS: len(self.rows),
            at.BLOCKS: len(parts),
            at.SLOTS: len(slots) // 8,
            at.TEXT: len(text),
            at.BASE: log.seq,
            at.SEGMENT: log.segment,
        }.items():
            put(where, value)
        if self.running is not None:
            seq, node, name = self.running
            put(at.RUNNING, (seq - log.seq) | (wire.NO_NODE if node is None else node + 1) << 32)
            raw = name.encode()[:255]
            page[at.RUNNING_NAME : at.RUNNING_NAME + len(raw)] = raw
        return bytes(page)

    def write(self, pages: Path) -> Path:
        """Put the page where a reader looks for it."""
        path = pages / f"{self.log.stem}.{self.strand}.page"
        path.write_bytes(self.data())
        return path


def run_json(path: Path, **more: Any) -> None:
    """Write `run.json` of a finished run; `more` replaces fields."""
    info = {
        "format": 1,
        "name": path.name.removesuffix(".glens"),
        "argv": ["train.py"],
        "module": False,
        "script": "/home/ada/train.py",
        "cwd": "/home/ada",
        "python": "3.11.7",
        "executable": "/usr/bin/python3",
        "graphlens": "0.1.0",
        "host": "laptop",
        "started": 1_700_000_000.0,
        "level": "health",
        "pages": str(path / "pages"),
        "pid": 4242,
        "state": "finished",
        "exit_code": 0,
        "signal": None,
        "ended": 1_700_000_060.0,
        "pty": False,
        "control": None,
        **more,
    }
    (path / "run.json").write_text(json.dumps(info))


def new_run(path: Path, **info: Any) -> LogWriter:
    """An empty run directory and the log of its only process, `RunStarted` said."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    (path / "pages").mkdir(mode=0o700, exist_ok=True)
    run_json(path, **info)
    return LogWriter(path).started()


def small_run(path: Path, *nodes: NodeSeen, steps: int = 2, **info: Any) -> LogWriter:
    """A run of one step graph of these nodes, taken `steps` times; the log is not finished."""
    log = new_run(path, **info)
    log.declare(*seen(*nodes))
    for step in range(steps):
        first = log.seq
        log.calls(CallBegan(CallId(step), GraphId(0), Seq(first), step, "train"))
        log.ran(*[int(node.node) for node in nodes])
        log.calls(
            CallEnded(CallId(step), Seq(log.seq - 1)),
        )
    return log


# ── a run of any size ────────────────────────────────────────────────────────────────────────


def write_run(
    path: Path,
    *,
    nodes: int = 1000,
    steps: int = 10,
    nan_from: int | None = None,
    **info: Any,
) -> Path:
    """A finished run of a transformer, with sources: `steps` steps of about `nodes` ops each.

    A million ops (`steps=1000`) take about a second. From step `nan_from` on, an op in the middle
    of the forward pass gives NaN, and all that follow do.
    """
    from synthetic import write_transformer  # it is built from this file

    return write_transformer(path, nodes, steps, nan_from, info)


def write_function_run(path: Path) -> Path:
    """Two steps; in each, operation 2 runs a function whose first operation is the first of the step."""
    log = new_run(path)
    log.declare(*seen(ran(0), ran(1, inputs=[0]), name="double", kind="function"))
    log.declare(*seen(ran(2, calls=GraphId(0)), ran(3, inputs=[2]), graph=1))
    for step in (0, 1):
        first, call = 4 * step, 2 * step
        log.calls(
            CallBegan(CallId(call), GraphId(1), Seq(first), step, "train"),
            CallBegan(
                CallId(call + 1), GraphId(0), Seq(first), step, "train", parent=CallId(call), at=NodeId(2)
            ),
        )
        log.ran(0, 1)
        log.calls(CallEnded(CallId(call + 1), Seq(first + 1)))
        log.ran(2, 3)
        log.calls(CallEnded(CallId(call), Seq(first + 3)))
    return path
