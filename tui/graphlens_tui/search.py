"""Finding operations: the words of a query against what a node is, the rest against columns of what ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphlens.session import Process
from graphlens_tracers.events import NodeId
from graphlens_tui.decoded import Ill
from graphlens_tui.query import Fitting, Query, Steps
from graphlens_tui.sieve import Sieve

Ints = npt.NDArray[np.int64]


@dataclass
class Search:
    """One query on one timeline; what has been looked at is looked at once.

    Attributes:
        nodes: Those that all of its words fit; without words all of them.
    """

    query: Query
    process: Process
    timeline: Sieve
    ill: Callable[[], Ill]
    nodes: frozenset[NodeId] = frozenset()
    _fitting: Fitting = field(init=False)
    _known: int = 0
    _rows: list[Ints] = field(default_factory=list)
    _count: int = 0
    _end: int = 0

    def __post_init__(self) -> None:
        self._fitting = Fitting(self.query, self.process)

    @property
    def marked(self) -> frozenset[NodeId]:
        """The nodes whose names are to stand out: those that words were looked for in."""
        return self.nodes if self.query.words else frozenset()

    def next(self, seq: int, *, forward: bool = True) -> int | None:
        """The next operation after `seq` that fits, or the last one before it."""
        hits = self.hits()
        at = int(np.searchsorted(hits, seq, "right" if forward else "left")) - (0 if forward else 1)
        return int(hits[at]) if 0 <= at < len(hits) else None

    def count(self) -> int:
        """How many operations fit."""
        return len(self.hits())

    def hits(self) -> Ints:
        """All operations that fit and have a line, sorted."""
        with self.process.lock:
            self._look()
        if len(self._rows) > 1:
            self._rows = [np.concatenate(self._rows)]
        hits = self._rows[0] if self._rows else np.empty(0, np.int64)
        hits = hits[: int(np.searchsorted(hits, self.timeline.end))]
        return self._in_steps(self._not_finite(hits))

    # ── nodes and their rows ─────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        """Take in what came since the last time."""
        nodes = list(self.process.nodes.values())
        fits = self._fitting.fits
        new = [node.node for node in nodes[self._known :] if fits(node)]
        self._known = len(nodes)
        if new:
            self.nodes |= frozenset(new)
        end = int(self.process.end)
        if end != self._end or self._count != self.process.op_count:
            self._read(self._end, end)
            if self._count != self.process.op_count:  # another thread's rows came late, from before
                self._rows, self._count = [], 0
                self._read(0, end)
            self._end = end

    def _read(self, start: int, stop: int) -> None:
        seqs, nodes = self.process.nodes_of(start, stop)
        self._count += len(seqs)
        wanted = np.ones(len(seqs), np.bool_)
        if self.query.words:
            wanted &= np.isin(nodes, np.array(list(self.nodes), np.int64))
        if self.query.sizes:
            wanted &= self._of_size(start, stop, len(seqs))
        self._rows.append(seqs[wanted].astype(np.int64))

    def _of_size(self, start: int, stop: int, count: int) -> npt.NDArray[np.bool_]:
        """Whether sizes of outputs are as they are to be, for each operation that ran."""
        ranges = self.process.ranges(start, stop)
        row = np.repeat(np.arange(count), np.diff(ranges.offsets))
        found = np.ones(count, np.bool_)
        with np.errstate(invalid="ignore"):
            there = ranges.low <= ranges.high  # neither empty nor NaN
            size = np.maximum(np.abs(ranges.low), np.abs(ranges.high))
            for bound in self.query.sizes:
                hit = there & ((size > bound.limit) if bound.above else (size < bound.limit))
                some = np.zeros(count, np.bool_)
                some[row[hit]] = True
                found &= some != bound.without
        return found

    # ── what may become known later ──────────────────────────────────────────────────────────

    def _not_finite(self, hits: Ints) -> Ints:
        query = self.query
        if query.nan is None and query.inf is None:
            return hits
        ill = self.ill()
        if query.nan and query.inf:
            return np.intersect1d(hits, ill.seqs, assume_unique=True)
        for wish, seqs in ((query.nan, ill.nan), (query.inf, ill.inf)):
            if wish is not None:
                hits = hits[np.isin(hits, seqs, assume_unique=True) == wish]
        return hits

    def _in_steps(self, hits: Ints) -> Ints:
        if not self.query.steps or not len(hits):
            return hits
        steps = self.timeline.steps_at(hits)
        for wish in self.query.steps:
            inside = _inside(steps, wish)
            hits, steps = hits[inside], steps[inside]
        return hits


def _inside(steps: Ints, wish: Steps) -> npt.NDArray[np.bool_]:
    """Which of these steps are wanted; -1 is none."""
    inside: npt.NDArray[np.bool_] = steps >= wish.first
    if wish.stop is not None:
        inside &= steps < wish.stop
    found: npt.NDArray[np.bool_] = inside != wish.without
    return found
