"""What the Runs mode says of a run beyond its run.json: read from its logs, off the UI's thread."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlens.categories import Category, category
from graphlens.health import Cell, Cells
from graphlens.plain import coverage, inside, shown_path
from graphlens.processes import gaps, how_seen, named
from graphlens.runs import Entry
from graphlens.session import INF, NAN, Process, Run, RunInfo
from graphlens.text import clean
from graphlens.verdict import verdict_answer
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import NodeId, Phase, Seq

STRIP = 120
"""Cells of the strip over a whole run."""
MOST_JUDGED = 200_000
"""Operations of a run that is judged only because the cursor is on it: half a second."""


@dataclass(frozen=True, slots=True)
class Place:
    """An operation, and where it stands.

    Attributes:
        kind: "nan" or "inf".
        where: "train.py:11"; "" without a line.
    """

    kind: str
    step: int | None
    seq: int
    op: str
    where: str
    module: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `graphlens why` says in a line.

    Attributes:
        status: "found", "clean" or "incomplete".
        origin: Where the first harm was born; None without harm.
        reached: What it reached: "loss", "gradient", "parameter".
    """

    status: str
    origin: Place | None = None
    reached: str = ""


@dataclass(frozen=True, eq=False)
class Summary:
    """A run in numbers, over all its processes.

    Attributes:
        stamp: What the run was like when it was read: see `stamp_of`.
        trouble: Why it could not be read; then all else is empty.
        frameworks: "pytorch 2.13.0", each.
        nan, inf: Operations with a NaN; those with an infinity and no NaN.
        cells: The worst of each part of the process that trains, in order.
        first: The first operation that is not finite.
        complete: All numbers were looked at.
        running: The operation in whose middle it ended, or that runs.
        gaps: What was not seen, and how often.
        verdict: None until it is judged; only small runs are.
    """

    stamp: object
    trouble: str = ""
    size_bytes: int = 0
    info: RunInfo | None = None
    frameworks: tuple[str, ...] = ()
    processes: int = 0
    steps: int = 0
    ops: int = 0
    nan: int = 0
    inf: int = 0
    phases: dict[Phase, int] = field(default_factory=dict)
    kinds: dict[Category, int] = field(default_factory=dict)
    cells: Cells = field(default_factory=lambda: np.empty(0, np.uint8))
    first: Place | None = None
    complete: bool = False
    running: str = ""
    gaps: tuple[tuple[str, int], ...] = ()
    verdict: Verdict | None = None

    @property
    def ill(self) -> int:
        """Operations that are not finite."""
        return self.nan + self.inf

    @property
    def framework(self) -> str:
        """In as few characters as a column has: "pytorch 2.13"; "" when none was used."""
        short = [re.sub(r"(\d+\.\d+)\S*", r"\1", one) for one in self.frameworks]
        return ", ".join(short)


def stamp_of(entry: Entry) -> object:
    """What changes when there is something new to read of a run that has ended."""
    return entry.state, entry.started, str(entry.record.get("ended"))


def unreadable(entry: Entry, trouble: str) -> Summary:
    """Of a run that cannot be read."""
    return Summary(stamp_of(entry), clean(trouble, 300), _size(entry))


def summed(run: Run, entry: Entry) -> Summary:
    """A whole run: a second for a million operations.

    Raises:
        BadRunFile: It is damaged in a way that a reader cannot pass over.
    """
    processes = run.processes()
    nodes = _Counted()
    bad = [_Ill(process) for process in processes]
    for process in processes:
        nodes.count(process)
    whos = named(run)
    missed: Counter[str] = Counter()
    for _, gap in gaps(run):
        missed[f"{how_seen(gap.kind)}: {gap.what}"] += gap.count
    was = next((found for one in processes if (found := one.running()) is not None), None)
    complete = bool(coverage(run, whos)["complete"])
    main = run.main if processes else None
    steps = {(one.id, call.step) for one in processes for call in one.calls() if call.step is not None}
    return Summary(
        stamp_of(entry),
        size_bytes=_size(entry),
        info=run.info,
        frameworks=tuple(dict.fromkeys(_frameworks(processes))),
        processes=len(processes),
        steps=len(steps),
        ops=sum(one.op_count for one in processes),
        nan=sum(len(one.nan) for one in bad),
        inf=sum(len(one.seqs) - len(one.nan) for one in bad),
        phases=nodes.phases,
        kinds=nodes.kinds,
        cells=next((one.cells(complete) for one in bad if one.process is main), np.empty(0, np.uint8)),
        first=_first(run, sorted(bad, key=lambda one: one.process is not main)),
        complete=complete,
        running="" if was is None else f"#{was.seq} {clean(was.name, 60)}",
        gaps=tuple(missed.items()),
    )


def judged(run: Run) -> Verdict:
    """Its verdict in a line."""
    answer = verdict_answer(run)
    origin = answer["origin"]
    if origin is None:
        return Verdict(answer["status"])
    return Verdict("found", _origin(origin), str(answer["reached"]["kind"]))


def _origin(origin: dict[str, Any]) -> Place:  # Any: what `verdict_answer` says of it
    where = f"{os.path.basename(origin['file'])}:{origin['line']}" if origin["file"] else ""
    return Place(origin["kind"], origin["step"], origin["seq"], origin["op"], where, origin["module"])


def _frameworks(processes: Sequence[Process]) -> list[str]:
    arrived = [tracer for process in processes for tracer in process.tracers]
    return [f"{clean(one.tracer, 20)} {clean(one.framework_version, 30)}" for one in arrived]


def _size(entry: Entry) -> int:
    try:
        return entry.size_bytes
    except OSError:
        return 0  # deleted in this moment: the next look at the list leaves it out


class _Counted:
    """Operations by what they are."""

    def __init__(self) -> None:
        self.phases: dict[Phase, int] = {}
        self.kinds: dict[Category, int] = {}

    def count(self, process: Process) -> None:
        """Add those of a process."""
        _, nodes = process.nodes_of(0, process.end)
        ids, counts = np.unique(nodes, return_counts=True)
        for node, count in zip(ids.tolist(), counts.tolist(), strict=True):
            seen = process.nodes.get(NodeId(node))
            if seen is None:
                continue
            kind = category(seen.op)
            self.phases[seen.phase] = self.phases.get(seen.phase, 0) + count
            self.kinds[kind] = self.kinds.get(kind, 0) + count


class _Ill:
    """Which operations of a process are not finite."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.seqs, self.flags = process.bad_flags()
        self.nan = self.seqs[self.flags & NAN != 0]

    def cells(self, complete: bool) -> Cells:
        """The strip: what nobody has looked at all of is not drawn as finite."""
        end = int(self.process.end)
        count = min(STRIP, end)
        cells = np.full(count, Cell.FINE if complete else Cell.NOTHING, np.uint8)
        if count:
            worst = np.where(self.flags & NAN != 0, Cell.NAN, Cell.INF).astype(np.uint8)
            np.maximum.at(cells, self.seqs * count // end, worst)
        return cells


def _first(run: Run, bad: list[_Ill]) -> Place | None:
    for one in bad:
        if not len(one.seqs):
            continue
        seq = Seq(int(one.seqs[0]))
        kind = "nan" if one.flags[0] & NAN else "inf" if one.flags[0] & INF else ""
        try:
            op = one.process.op(seq)
        except UnknownOp:
            return Place(kind, None, seq, "an operation whose row is lost", "")
        file = "" if op.site is None else os.path.basename(shown_path(op.site.file, run.info.cwd))
        step = None if op.call is None else op.call.step
        where = "" if op.site is None else f"{file}:{op.site.line}"
        return Place(kind, step, seq, op.node.op, where, inside(op.scope_path))
    return None
