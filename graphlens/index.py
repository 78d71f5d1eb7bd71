"""Where in a log a row or a range is: a line a block, from headers alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens.decode import plain_file
from graphlens.log import Log, read_body
from graphlens.rows import (
    NO_OUTPUTS,
    Damaged,
    Ints,
    NodeTable,
    Outputs,
    RowBlocks,
    Table,
    bad_flags,
    distinct,
    outputs_of,
    range_blocks,
    row_columns,
    scalars_of,
    spread,
)

_LOOSE = -1
"""Segment of a body that is in no file yet: it was read from a page."""


class Bodies:
    """The bodies of frames by number: read from their file when wanted, the last few kept."""

    KEPT = 64

    def __init__(self, log: Log) -> None:
        self._log = log
        self._places = Table(3)  # segment, offset, size
        self._loose: dict[int, bytes] = {}
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def __len__(self) -> int:
        return self._places.length

    def add(self, segment: int, offset: int, size: int) -> int:
        """Remember where a body is; its number."""
        self._places.append(np.array([segment]), np.array([offset]), np.array([size]))
        return len(self) - 1

    def add_loose(self, body: bytes) -> int:
        """Keep a body that is in no file; its number."""
        number = self.add(_LOOSE, 0, len(body))
        self._loose[number] = body
        return number

    def cut(self, length: int) -> None:
        """Forget the bodies from number `length` on."""
        for number in range(length, len(self)):
            self._loose.pop(number, None)
            self._kept.pop(number, None)
        self._places.cut(length)

    def get(self, numbers: Sequence[int]) -> list[bytes]:
        """Bodies by number; read segment by segment, so ask for them in order.

        Raises:
            BadRunFile: A file has been cut since it was indexed.
        """
        found = {n: self._loose.get(n) or self._kept.get(n) for n in numbers}
        missing = [n for n, body in found.items() if body is None]
        segments, offsets, sizes = (self._places.column(k) for k in range(3))
        for segment in dict.fromkeys(int(segments[n]) for n in missing):
            path = self._log.path(segment)
            with plain_file(path) as fd:
                for n in missing:
                    if segments[n] == segment:
                        found[n] = read_body(fd, int(offsets[n]), int(sizes[n]), path.name)
        if len(missing) <= self.KEPT:
            self._kept.update({n: body for n, body in found.items() if body is not None})
            while len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        return [body for body in found.values() if body is not None]


class Located(NamedTuple):
    """Rows as they stand in the log, in order of `seq`; `strand` is None when there is only one."""

    seq: Ints
    node: Ints
    began: Ints
    took: Ints
    strand: Ints | None


class RowIndex:
    """Every block of rows of one process.

    Attributes:
        next: For each strand, the sequence number after its last row in the log.
    """

    _SEQ, _ROWS, _NODE, _T0, _FRAME, _ROW, _STRAND = range(7)

    def __init__(self, log: Log) -> None:
        self.bodies = Bodies(log)
        self.next: dict[int, int] = {}
        self._blocks = Table(7)
        self._frames = Table(2)  # blocks, rows: what is needed to find the columns in a body
        self._settled = (0, 0)  # blocks and frames that came from the log
        self._sorted: tuple[Ints, ...] | None = None
        self._next_settled: dict[int, int] = {}

    def cut_tail(self) -> None:
        """Forget what came from pages."""
        blocks, frames = self._settled
        if self._frames.length > frames:
            self.bodies.cut(frames)
            self._blocks.cut(blocks)
            self._frames.cut(frames)
            self.next = dict(self._next_settled)
            self._sorted = None

    def settle(self) -> None:
        """Say that everything so far came from the log."""
        self._settled = self._blocks.length, self._frames.length
        self._next_settled = dict(self.next)

    def add(self, found: RowBlocks, frame: int) -> bool:
        """Add the blocks of a frame, without rows that are known already; whether any was new."""
        self._frames.append(np.array([len(found.row)]), np.array([found.total]))
        # A page that had been flushed when its process died is flushed again by the host.
        known = self.next.get(found.strand, 0)
        skip = np.clip(known - found.seq, 0, found.rows)
        fresh = found.rows > skip
        if not fresh.any():
            return False
        skip = skip[fresh]
        count = len(skip)
        self._blocks.append(
            found.seq[fresh] + skip,
            found.rows[fresh] - skip,
            found.node[fresh] + skip,
            found.t0[fresh],
            np.full(count, frame),
            found.row[fresh] + skip,
            np.full(count, found.strand),
        )
        self.next[found.strand] = int(found.seq[-1] + found.rows[-1])
        self._sorted = None
        return True

    def _view(self) -> tuple[Ints, ...]:
        """The columns of the blocks, sorted by `seq` and disjoint."""
        if self._sorted is None:
            columns = tuple(self._blocks.column(k).copy() for k in range(7))
            seq, rows = columns[self._SEQ], columns[self._ROWS]
            if np.any(seq[:-1] + rows[:-1] > seq[1:]):
                order = np.argsort(seq, kind="stable")
                ends = np.maximum.accumulate((seq + rows)[order])
                # Two threads that claim the same number: the first has it.
                alone = np.concatenate([[True], seq[order][1:] >= ends[:-1]])
                columns = tuple(column[order[alone]] for column in columns)
            self._sorted = columns
        return self._sorted

    @property
    def total(self) -> int:
        """How many rows there are."""
        return int(self._view()[self._ROWS].sum())

    @property
    def stop(self) -> int:
        """One more than the largest sequence number; 0 when there is no row."""
        view = self._view()
        return int(view[self._SEQ][-1] + view[self._ROWS][-1]) if len(view[self._SEQ]) else 0

    def last_of(self, strand: int) -> int:
        """The last sequence number of a strand; -1 when it has no row."""
        return self.next.get(strand, 0) - 1

    def strand_of(self, seq: int) -> int | None:
        """The strand that ran `seq`; None when no row says so."""
        view = self._view()
        k = int(np.searchsorted(view[self._SEQ], seq, "right")) - 1
        if k < 0 or seq >= view[self._SEQ][k] + view[self._ROWS][k]:
            return None
        return int(view[self._STRAND][k])

    def _overlapping(self, start: int, stop: int) -> list[Ints]:
        view = self._view()
        seq = view[self._SEQ]
        low = max(0, int(np.searchsorted(seq, start, "right")) - 1)
        high = int(np.searchsorted(seq, stop, "left"))
        return [column[low:high] for column in view]

    def nodes(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """(seq, node) of the rows from `start` to before `stop`; from the index alone."""
        seq, rows, node, *_ = self._overlapping(start, stop)
        seqs, nodes = spread(seq, rows), spread(node, rows)
        low, high = np.searchsorted(seqs, (start, stop))
        return seqs[low:high], nodes[low:high]

    def strands(self, start: int, stop: int) -> Ints:
        """The strand of each row from `start` to before `stop`; from the index alone."""
        seq, rows, *_, strand = self._overlapping(start, stop)
        low, high = np.searchsorted(spread(seq, rows), (start, stop))
        return np.repeat(strand, rows)[low:high]

    def rows(self, start: int, stop: int) -> Located:
        """The rows from `start` to before `stop`."""
        seq, rows, node, t0, frame, row, strand = self._overlapping(start, stop)
        frames = distinct(frame)
        sizes = [self._frames.column(k)[frames] for k in range(2)]
        bodies = self.bodies.get(frames.tolist())
        columns = [
            row_columns(body, int(blocks), int(total))
            for body, blocks, total in zip(bodies, *sizes, strict=True)
        ]
        empty: Ints = np.empty(0, np.int64)
        began = np.concatenate([empty, *(column[0] for column in columns)])
        took = np.concatenate([empty, *(column[1] for column in columns)])
        before = np.cumsum(sizes[1]) - sizes[1]
        where = spread(before[np.searchsorted(frames, frame)] + row, rows)
        seqs = spread(seq, rows)
        low, high = (int(k) for k in np.searchsorted(seqs, (start, stop)))
        part = slice(low, high)
        one = len(self.next) <= 1
        return Located(
            seqs[part],
            spread(node, rows)[part],
            (np.repeat(t0, rows) + began[where])[part],
            took[where][part],
            None if one else np.repeat(strand, rows)[part],
        )

    def scalars(self, start: int, stop: int) -> dict[int, dict[int, float]]:
        """For each row from `start` to before `stop`, the arguments that are not as in its node's form.

        A frame says an argument when it changes, and what it said last holds to its end.
        """
        seq, rows, node, _, frame, *_ = self._overlapping(start, stop)
        found: dict[int, dict[int, float]] = {}
        for number in np.unique(frame).tolist():
            said = scalars_of(memoryview(self.bodies.get([number])[0]))
            if not len(said.seq):
                continue
            here = frame == number
            seqs, nodes = spread(seq[here], rows[here]), spread(node[here], rows[here])
            asked = (seqs >= start) & (seqs < stop) & np.isin(nodes, said.node)
            for one, its in zip(seqs[asked].tolist(), nodes[asked].tolist(), strict=True):
                before = (said.node == its) & (said.seq <= one)
                now: dict[int, float] = {}
                for k, value in zip(said.argument[before].tolist(), said.value[before].tolist(), strict=True):
                    now.pop(k, None)  # what is said last comes last: a whole list covers what was said before
                    now[k] = value
                if now:
                    found[one] = now
        return found


class RangeIndex:
    """Every frame of ranges of one process, and which operations they say are not finite."""

    KEPT = 16
    AT_ONCE = 64
    """Frames that are decoded together when all are looked at."""

    def __init__(self, log: Log, nodes: NodeTable) -> None:
        self.bodies = Bodies(log)
        self.damaged: dict[int, str] = {}
        self._nodes = nodes
        self._frames = Table(2)  # first and last sequence number
        self._settled = 0
        self._kept: OrderedDict[int, Outputs] = OrderedDict()
        self._scanned = np.zeros(0, np.bool_)
        self._bad: dict[int, tuple[Ints, npt.NDArray[np.uint8]]] = {}
        self._all_bad: tuple[Ints, npt.NDArray[np.uint8]] | None = None

    def add(self, body: memoryview) -> bool:
        """Note a frame; its body must be added to `bodies` next if this is True.

        Raises:
            Damaged: Its header contradicts itself.
        """
        blocks = range_blocks(body)
        if not len(blocks.seq):
            return False
        last = blocks.seq[-1] + blocks.rows[-1] - 1
        self._frames.append(blocks.seq[:1], np.array([last]))
        return True

    def cut_tail(self) -> None:
        """Forget what came from pages."""
        if self._frames.length == self._settled:
            return
        for frame in range(self._settled, self._frames.length):
            self._kept.pop(frame, None)
            if self._bad.pop(frame, None) is not None:
                self._all_bad = None
        self.bodies.cut(self._settled)
        self._frames.cut(self._settled)
        self._scanned = self._scanned[: self._settled]

    def settle(self) -> None:
        """Say that everything so far came from the log."""
        self._settled = self._frames.length

    def _overlapping(self, start: int, stop: int) -> list[int]:
        first, last = self._frames.column(0), self._frames.column(1)
        frames: list[int] = np.flatnonzero((first < stop) & (last >= start)).tolist()
        return frames

    def _decode(self, frames: Sequence[int]) -> Iterable[tuple[int, Outputs]]:
        kept = {
            frame: self._kept[frame] for frame in frames if frame in self._kept
        }  # until then, some are dropped
        new = [frame for frame in frames if frame not in kept]
        bodies = dict(zip(new, self.bodies.get(new), strict=True))
        for frame in frames:
            found = kept.get(frame)
            if found is None:
                try:
                    found = outputs_of(bodies[frame], self._nodes)
                except Damaged as error:
                    self.damaged[frame] = str(error)
                    found = NO_OUTPUTS
                if len(new) <= self.KEPT:
                    self._kept[frame] = found
                    while len(self._kept) > self.KEPT:
                        self._kept.popitem(last=False)
            yield frame, found

    def outputs(self, start: int, stop: int) -> Outputs:
        """The ranges of operations from `start` to before `stop`, in order of `seq` and slot."""
        parts = [found for _, found in self._decode(self._overlapping(start, stop))]
        outputs = joined(parts)
        low, high = (int(k) for k in np.searchsorted(outputs.seq, (start, stop)))
        return outputs.pick(slice(low, high))

    def bad(self, start: int, stop: int) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """(seq, flags) of the operations in the range whose outputs are not finite, sorted.

        May know others outside it. Each frame is looked at once.
        """
        known = len(self._scanned)
        if self._frames.length > known:
            more = np.zeros(self._frames.length - known, np.bool_)
            self._scanned = np.concatenate([self._scanned, more])
        new = [frame for frame in self._overlapping(start, stop) if not self._scanned[frame]]
        for k in range(0, len(new), self.AT_ONCE):
            self._scan(new[k : k + self.AT_ONCE])
        if self._all_bad is None:
            parts = list(self._bad.values())
            seqs = np.concatenate([np.empty(0, np.int64), *(seq for seq, _ in parts)])
            flags = np.concatenate([np.empty(0, np.uint8), *(flag for _, flag in parts)])
            self._all_bad = merged(seqs, flags)
        return self._all_bad

    def _scan(self, frames: Sequence[int]) -> None:
        for frame, outputs in self._decode(frames):
            self._scanned[frame] = True
            flags = bad_flags(outputs.low, outputs.high)
            bad = flags != 0
            if bad.any():
                self._bad[frame] = merged(outputs.seq[bad], flags[bad])
                self._all_bad = None


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The ranges of several frames in order of `seq` and slot, each once."""
    if len(parts) == 1:
        return parts[0]
    parts = [NO_OUTPUTS, *parts]
    outputs = Outputs(
        np.concatenate([part.seq for part in parts]),
        np.concatenate([part.slot for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
    )
    # Threads take turns in the log, and a page may have been flushed twice.
    later = np.diff(outputs.seq)
    if np.any(later < 0) or np.any((later == 0) & (np.diff(outputs.slot) <= 0)):
        outputs = outputs.pick(np.lexsort((outputs.slot, outputs.seq)))
        same = (np.diff(outputs.seq) == 0) & (np.diff(outputs.slot) == 0)
        outputs = outputs.pick(np.flatnonzero(np.concatenate([[True], ~same])))
    return outputs


def merged(seqs: Ints, flags: npt.NDArray[np.uint8]) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Sorted sequence numbers, each once, with all its flags."""
    if not len(seqs):
        return seqs, flags
    if np.any(seqs[:-1] > seqs[1:]):
        order = np.argsort(seqs, kind="stable")
        seqs, flags = seqs[order], flags[order]
    starts = np.flatnonzero(np.concatenate([[True], seqs[1:] != seqs[:-1]]))
    if len(starts) == len(seqs):
        return seqs, flags
    return seqs[starts], np.bitwise_or.reduceat(flags, starts)
