"""What differs between two runs: the operations of a step, and where numbers first part."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphlens.rows import Ints
from graphlens.store import Call, Process
from graphlens_tracers.events import GraphId, NodeId, NodeSeen, Seq, Spec

Kind = Literal["same", "changed", "mine", "other"]
"""In both runs alike; in both, not alike; in one alone."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """An operation of one run beside that of the other.

    Attributes:
        mine, other: Their numbers; None where the run has none.
        what: For what is changed: what of it.
    """

    kind: Kind
    mine: Seq | None
    other: Seq | None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Parted:
    """The first output that has another range.

    Attributes:
        count: Outputs with another range in its step, of how many that were compared.
    """

    step: int | None
    mine: Seq
    other: Seq
    slot: int
    mine_range: tuple[float, float]
    other_range: tuple[float, float]
    count: int
    compared: int


@dataclass(frozen=True, slots=True)
class Differences:
    """How two runs differ.

    Attributes:
        step: The first step of both whose operations are not the same, else the first of both; None
            before the first step, or where they have no call in common.
        aligned: All operations of that step.
        parted: None when no number that was compared is another.
        steps: Calls that were compared; `alone`: those that only one run has.
    """

    step: int | None
    aligned: tuple[Aligned, ...]
    parted: Parted | None
    steps: int
    alone: int


def differences(mine: Process, other: Process, tolerance: float = 0.0) -> Differences:
    """How one run's process differs from another's.

    Args:
        tolerance: Ranges that differ by less, relative to the larger end, are the same.
    """
    return _Comparison(mine, other, tolerance).made()


class _Comparison:
    def __init__(self, mine: Process, other: Process, tolerance: float) -> None:
        self._mine, self._other, self._tolerance = mine, other, tolerance
        self._lines = _Lines(mine, other)
        self._known: dict[tuple[bytes, bytes], list[tuple[int, int]]] = {}

    def made(self) -> Differences:
        its, others = _calls(self._mine), _calls(self._other)
        both = [key for key in its if key in others]
        parted = next((at for key in both if (at := self._parted(its[key], others[key]))), None)
        step, shown = self._shown([(its[key], others[key]) for key in both])
        alone = len(its) + len(others) - 2 * len(both)
        return Differences(step, tuple(shown), parted, len(both), alone)

    def _shown(self, both: Sequence[tuple[Call, Call]]) -> tuple[int | None, list[Aligned]]:
        """The first step whose operations differ, else the first; what is before all steps comes last."""
        found: tuple[int | None, list[Aligned]] | None = None
        seen: set[tuple[GraphId, int, GraphId, int]] = set()
        for one, two in sorted(both, key=lambda calls: calls[0].step is None):
            ways = one.graph, one.shapes, two.graph, two.shapes
            if ways in seen:
                continue
            seen.add(ways)
            aligned = list(self._aligned(one, two))
            if any(part.kind != "same" for part in aligned):
                return one.step, aligned
            found = found or (one.step, aligned)
        return found or (None, [])

    def _pairs(self, one: Call, two: Call) -> list[tuple[int, int]]:
        """Which operations of two calls belong together, by their places in them."""
        a, b = _nodes(self._mine, one), _nodes(self._other, two)
        key = a.tobytes(), b.tobytes()
        if key not in self._known:
            first = _numbered(self._lines.signatures(self._mine, a))
            second = _numbered(self._lines.signatures(self._other, b))
            found: list[tuple[int, int]] = []
            matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
            for tag, i, i_end, j, j_end in matcher.get_opcodes():
                if tag == "equal":
                    found += zip(range(i, i_end), range(j, j_end), strict=True)
                elif tag == "replace":
                    found += self._alike_in(a[i:i_end], b[j:j_end], i, j)
            self._known[key] = found
        return self._known[key]

    def _alike_in(self, a: Ints, b: Ints, i: int, j: int) -> Iterator[tuple[int, int]]:
        """In a part that was written anew, operations of the same name belong together."""
        was, is_ = (
            _numbered([node.op for node in _seen(process, nodes)])
            for process, nodes in ((self._mine, a), (self._other, b))
        )
        for block in difflib.SequenceMatcher(None, was, is_, autojunk=False).get_matching_blocks():
            for k in range(block.size):
                yield i + block.a + k, j + block.b + k

    def _aligned(self, one: Call, two: Call) -> Iterator[Aligned]:
        i = j = 0
        a, b = self._ran(self._mine, one), self._ran(self._other, two)
        for p, q in [*self._pairs(one, two), (len(a), len(b))]:
            yield from (Aligned("mine", a[k][0], None) for k in range(i, p))
            yield from (Aligned("other", None, b[k][0]) for k in range(j, q))
            if p < len(a) and q < len(b):
                what = self._changed(one, a[p][1], two, b[q][1])
                yield Aligned("changed" if what else "same", a[p][0], b[q][0], what)
            i, j = p + 1, q + 1

    def _ran(self, process: Process, call: Call) -> list[tuple[Seq, NodeSeen]]:
        seqs, nodes = process.nodes_of(call.first, call.last + 1)
        return [
            (Seq(seq), process.nodes[NodeId(node)])
            for seq, node in zip(seqs.tolist(), nodes.tolist(), strict=True)
        ]

    def _changed(self, one: Call, a: NodeSeen, two: Call, b: NodeSeen) -> str:
        """What of an operation is not as in the other run, in words; "" when nothing is."""
        found = []
        if self._mine.scope_path(a) != self._other.scope_path(b):
            found.append(f"module {self._mine.scope_path(a)} became {self._other.scope_path(b)}")
        was, is_ = (
            [_shape(spec) for spec in process.specs(call, node.node)]
            for process, call, node in ((self._mine, one, a), (self._other, two, b))
        )
        if was != is_:
            found.append(f"{', '.join(was)} became {', '.join(is_)}")
        if a.form != b.form:
            found.append(f"arguments {a.form} became {b.form}")
        if a.phase is not b.phase:
            found.append(f"{a.phase} became {b.phase}")
        return "; ".join(found)

    def _parted(self, one: Call, two: Call) -> Parted | None:
        pairs = self._pairs(one, two)
        if not pairs:
            return None
        a, b = (
            process.ranges(call.first, call.last + 1)
            for process, call in ((self._mine, one), (self._other, two))
        )
        rows = np.array(pairs, np.int64)
        counts = np.diff(a.offsets)[rows[:, 0]]
        fits = counts == np.diff(b.offsets)[rows[:, 1]]
        rows, counts = rows[fits], counts[fits]
        inner = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        at, bt = (np.repeat(ranges.offsets[rows[:, k]], counts) + inner for k, ranges in ((0, a), (1, b)))
        differ = ~(
            _near(a.low[at], b.low[bt], self._tolerance) & _near(a.high[at], b.high[bt], self._tolerance)
        )
        if not differ.any():
            return None
        first = int(np.flatnonzero(differ)[0])
        row = rows[int(np.searchsorted(np.cumsum(counts), first, "right"))]
        k, j = int(at[first]), int(bt[first])
        return Parted(
            one.step, Seq(int(_seqs(self._mine, one)[row[0]])), Seq(int(_seqs(self._other, two)[row[1]])),
            int(a.slot[k]), (float(a.low[k]), float(a.high[k])), (float(b.low[j]), float(b.high[j])),
            int(differ.sum()), len(differ),
        )  # fmt: skip


class _Lines:
    """Which line of one run's files is which of the other's, though lines were added above it."""

    def __init__(self, mine: Process, other: Process) -> None:
        self._mine, self._other = mine, other
        self._files: dict[str, dict[int, int]] = {}
        self._by_name = {os.path.basename(file): file for file in mine.sources}

    def signatures(self, process: Process, nodes: Ints) -> list[str]:
        """What operations are recognised by: one for each, the same in both runs."""
        known = {node: self._signature(process, process.nodes[NodeId(node)]) for node in set(nodes.tolist())}
        return [known[node] for node in nodes.tolist()]

    def _signature(self, process: Process, node: NodeSeen) -> str:
        site = process.site_of(node)
        line = None if site is None else site.line
        file = "" if site is None else os.path.basename(site.file)
        if site is not None and process is self._other:
            line = self._mapped(site.file).get(site.line, -site.line)
        return f"{node.op}|{node.phase}|{process.scope_path(node)}|{file}:{line}|{node.formula}"

    def _mapped(self, file: str) -> dict[int, int]:
        if file not in self._files:
            twin = file if file in self._mine.sources else self._by_name.get(os.path.basename(file))
            was = (self._mine.source(twin) or "").splitlines() if twin is not None else []
            is_ = (self._other.source(file) or "").splitlines()
            blocks = difflib.SequenceMatcher(None, was, is_, autojunk=False).get_matching_blocks()
            self._files[file] = {
                block.b + k + 1: block.a + k + 1 for block in blocks for k in range(block.size)
            }
        return self._files[file]


def _calls(process: Process) -> dict[tuple[int | None, str, int], Call]:
    """The outermost calls that have operations, by step, role, and how many such there were before."""
    seen: Counter[tuple[int | None, str]] = Counter()
    found: dict[tuple[int | None, str, int], Call] = {}
    for call in process.calls():
        if call.parent is None and call.last >= call.first:
            key = call.step, call.role
            found[(*key, seen[key])] = call
            seen[key] += 1
    return found


def _seqs(process: Process, call: Call) -> Ints:
    return process.nodes_of(call.first, call.last + 1)[0]


def _nodes(process: Process, call: Call) -> Ints:
    return process.nodes_of(call.first, call.last + 1)[1]


def _seen(process: Process, nodes: Ints) -> list[NodeSeen]:
    return [process.nodes[NodeId(node)] for node in nodes.tolist()]


def _numbered(words: Sequence[str]) -> list[tuple[str, int]]:
    """Each with how many such there were before it: no two are the same."""
    seen: Counter[str] = Counter()
    found = []
    for word in words:
        found.append((word, seen[word]))
        seen[word] += 1
    return found


def _near(
    one: npt.NDArray[np.float64], two: npt.NDArray[np.float64], tolerance: float
) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(one - two) <= tolerance * np.maximum(np.abs(one), np.abs(two))
    same: npt.NDArray[np.bool_] = (one == two) | (np.isnan(one) & np.isnan(two))
    return same | (close & np.isfinite(one) & np.isfinite(two))


def _shape(spec: Spec) -> str:
    shape = "…" if spec.shape is None else ", ".join("?" if n is None else str(n) for n in spec.shape)
    return f"{spec.dtype}[{shape}]"
