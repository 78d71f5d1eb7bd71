"""What the numbers of the operations on the screen were: read a few hundred at a time, and kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphlens.ops import output_seen
from graphlens.session import INF, NAN, OutputSeen, Process
from graphlens_tracers.events import NodeSeen, Spec, Unusual

AT_ONCE = 256
KEPT = 64
"""Pieces of AT_ONCE operations that are kept."""


@dataclass(slots=True)
class Numbers:
    """One operation.

    Attributes:
        ranges: Minimum and maximum of each output that has a range, by its slot.
        facts: What is unusual, by slot; -1 for an exception.
    """

    node: int
    flags: int
    took_ns: int
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    facts: dict[int, Unusual] = field(default_factory=dict)

    def output(self, node: NodeSeen, slot: int, spec: Spec) -> OutputSeen:
        """What is known of one output."""
        return output_seen(node, slot, spec, self.ranges.get(slot), self.facts.get(slot))

    def telling(self, node: NodeSeen, specs: tuple[Spec, ...]) -> OutputSeen | None:
        """The output that says most: the worst one, else the first with numbers, else the first."""
        if not specs:
            return None
        if self.flags & (NAN | INF):
            outputs = [self.output(node, slot, spec) for slot, spec in enumerate(specs)]
            return min(outputs, key=lambda one: one.finite is not False)
        slot = next(iter(self.ranges), 0)
        return self.output(node, slot, specs[slot]) if slot < len(specs) else None


class Decoded:
    """Reads numbers where somebody looks."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pieces: OrderedDict[int, dict[int, Numbers]] = OrderedDict()

    def at(self, seq: int) -> Numbers | None:
        """One operation; None when it has no row."""
        number = seq // AT_ONCE
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = self._read(number * AT_ONCE)
            if len(self._pieces) > KEPT:
                self._pieces.popitem(last=False)
        return piece.get(seq)

    def forget(self, start: int) -> None:
        """What is known of operations from `start` on may have changed."""
        for number in [number for number in self._pieces if (number + 1) * AT_ONCE > start]:
            del self._pieces[number]

    def _read(self, start: int) -> dict[int, Numbers]:
        with self._process.lock:
            rows = self._process.rows(start, start + AT_ONCE)
            ranges = self._process.ranges(start, start + AT_ONCE)
            facts = self._process.unusual(start, start + AT_ONCE)
        columns = zip(
            rows.seq.tolist(), rows.node.tolist(), rows.flags.tolist(), rows.took.tolist(), strict=True
        )
        found = {seq: Numbers(node, flags, took) for seq, node, flags, took in columns}
        seqs = np.repeat(rows.seq, np.diff(ranges.offsets)).tolist()
        outputs = zip(seqs, ranges.slot.tolist(), ranges.low.tolist(), ranges.high.tolist(), strict=True)
        for seq, slot, low, high in outputs:
            found[seq].ranges[slot] = low, high
        for fact in facts:
            if fact.seq in found:
                found[fact.seq].facts[fact.slot] = fact
        return found


@dataclass(frozen=True)
class Ill:
    """Which operations made something that is not finite, as far as that is worked out.

    Attributes:
        seqs: All of them, sorted.
        nan, inf: Those with a NaN; those with an infinity and no NaN.
        known: False until somebody has looked.
    """

    seqs: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    nan: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    inf: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    known: bool = False

    @classmethod
    def of(cls, process: Process) -> Ill:
        """Look at every range of a process: a tenth of a second for a million operations."""
        seqs, flags = process.bad_flags()
        nan = flags & NAN != 0
        return cls(seqs, seqs[nan], seqs[~nan], known=True)

    def between(self, start: int, stop: int) -> tuple[int, int]:
        """How many operations from `start` up to `stop` have a NaN, and an infinity and no NaN."""
        a, b = np.searchsorted(self.nan, (start, stop))
        c, d = np.searchsorted(self.inf, (start, stop))
        return int(b - a), int(d - c)

    def after(self, seq: int) -> int | None:
        """The next one after an operation."""
        at = int(np.searchsorted(self.seqs, seq, "right"))
        return int(self.seqs[at]) if at < len(self.seqs) else None

    def before(self, seq: int) -> int | None:
        """The last one before an operation."""
        at = int(np.searchsorted(self.seqs, seq)) - 1
        return int(self.seqs[at]) if at >= 0 else None
