"""Rows and ranges of a million operations as numpy columns, decoded only where somebody looks.

The index keeps a line a block (consecutive nodes, consecutive sequence numbers), never a row;
what a frame holds is read again from its file when it is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.events import NodeSeen
from graphlens_tracers.wire import (
    BLOCK,
    GAP,
    LONG_PAUSE,
    LONG_TICK,
    RANGE_BLOCK,
    RANGES_HEADER,
    ROWS_HEADER,
    SCALAR,
    TICK,
    TOOK,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NAN, INF, RAISED = 1, 2, 4
"""Bits of `Rows.flags`: an output holds NaN, an output holds infinity, the operation raised."""

MOST_ROWS = 1 << 20
"""Rows that one frame of ranges may speak of; more is damage."""
_LATEST = 1 << 62
"""No sequence number and no time is larger."""

_BLOCK = np.dtype([("row", "<u4"), ("node", "<u4"), ("t0", "<u8"), ("seq", "<u8")])
_RANGE_BLOCK = np.dtype([("seq", "<u8"), ("node", "<u4"), ("rows", "<u4"), ("slot", "<u4"), ("pad", "<u4")])
_SCALAR = np.dtype([("row", "<u2"), ("argument", "<u2"), ("value", "<f8")])
assert (_BLOCK.itemsize, _SCALAR.itemsize) == (BLOCK.size, SCALAR.size)
assert _RANGE_BLOCK.itemsize == RANGE_BLOCK.size

KINDS = {"f2": 0, "b2": 1, "f4": 2, "f8": 3}


class Rows(NamedTuple):
    """What ran, an element an operation, in order of `seq`.

    Attributes:
        seq: int64.
        node: uint32.
        call: int32; -1 where no call is known.
        began: int64, ns on the machine's monotonic clock.
        took: int64, ns; exact up to 2 s, in whole microseconds above.
        flags: uint8: NAN, INF and RAISED bits.
    """

    seq: Ints
    node: npt.NDArray[np.uint32]
    call: npt.NDArray[np.int32]
    began: Ints
    took: Ints
    flags: npt.NDArray[np.uint8]


class Ranges(NamedTuple):
    """Minimum and maximum of outputs, an element an output.

    Attributes:
        offsets: int64[rows + 1]: the outputs of the k-th row are offsets[k]:offsets[k + 1].
        slot: int16, the output's index in its node.
        low, high: float64; (+inf, -inf) when the output was empty or could not be read. NaN in
            either means that it holds NaN.
    """

    offsets: Ints
    slot: npt.NDArray[np.int16]
    low: Floats
    high: Floats


class Outputs(NamedTuple):
    """Ranges of one or more frames before they are put beside rows: sorted by `seq`."""

    seq: Ints
    slot: npt.NDArray[np.int16]
    low: Floats
    high: Floats

    def pick(self, where: slice | Ints) -> Outputs:
        """Some of them."""
        return Outputs(self.seq[where], self.slot[where], self.low[where], self.high[where])


NO_OUTPUTS = Outputs(np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0), np.empty(0))


class Damaged(ValueError):
    """A frame's body contradicts itself, though its checksum is right."""


# ── what a node's ranges look like ───────────────────────────────────────────────────────────


class NodeTable:
    """For each node the outputs that have a range, as arrays that a whole frame can be looked up in."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}
        self._ranged: list[list[tuple[int, int]]] = []
        self._built = -1
        self._ids = np.empty(0, np.int64)
        self._where = np.empty(0, np.int64)
        self.counts = np.zeros(1, np.int64)
        self.starts = np.zeros(1, np.int64)
        self.slots = np.empty(0, np.int16)
        self.kinds = np.empty(0, np.int8)

    def add(self, node: NodeSeen) -> None:
        """Learn a node; one that is known stays as it is."""
        if node.node in self._place or not 0 <= node.node < 1 << 32:
            return
        self._place[node.node] = len(self._ranged)
        self._ranged.append(
            [(slot, KINDS[out.ranged]) for slot, out in enumerate(node.outputs) if out.ranged]
        )

    def __contains__(self, node: int) -> bool:
        return node in self._place

    def places(self, nodes: Ints) -> Ints:
        """Where each node is in `counts` and `starts`; -1 for one that was not declared."""
        self._build()
        if not len(self._ids):
            return np.full(len(nodes), -1)
        if len(self._where):
            inside = nodes < len(self._where)
            return np.where(inside, self._where[np.where(inside, nodes, 0)], -1)
        at = np.searchsorted(self._ids, nodes)
        at[at == len(self._ids)] = 0
        return np.where(self._ids[at] == nodes, self._order[at], -1)

    def _build(self) -> None:
        if self._built == len(self._ranged):
            return
        self._built = len(self._ranged)
        ids = np.fromiter(self._place, np.int64, len(self._place))
        self._order = np.argsort(ids, kind="stable")
        self._ids = ids[self._order]
        # Ids count up from 0, so a plain table does; a run that says otherwise gets a search.
        dense = int(self._ids[-1]) < 4 * len(ids) + 1024
        self._where = np.full(int(self._ids[-1]) + 1 if dense else 0, -1, np.int64)
        if dense:
            self._where[ids] = np.arange(len(ids))
        self.counts = np.array([len(ranged) for ranged in self._ranged], np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        flat = [one for ranged in self._ranged for one in ranged]
        self.slots = np.array([slot for slot, _ in flat], np.int16)
        self.kinds = np.array([kind for _, kind in flat], np.int8)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────


class RowBlocks(NamedTuple):
    """The blocks of a ROWS frame: `row` is each one's first row, `rows` how many it has."""

    strand: int
    total: int
    row: Ints
    rows: Ints
    node: Ints
    t0: Ints
    seq: Ints


def row_blocks(body: memoryview) -> RowBlocks:
    """The blocks of a ROWS frame, checked.

    Raises:
        Damaged: Sizes do not add up, or rows are out of order.
    """
    if len(body) < ROWS_HEADER.size:
        raise Damaged("no header")
    rows, blocks, scalars, strand = ROWS_HEADER.unpack_from(body)
    columns = rows * (TOOK.size + GAP.size) + scalars * SCALAR.size
    if ROWS_HEADER.size + blocks * BLOCK.size + columns != len(body):
        raise Damaged("sizes do not add up")
    table = np.frombuffer(body, _BLOCK, blocks, ROWS_HEADER.size)
    row, seq, t0 = (table[name].astype(np.int64) for name in ("row", "seq", "t0"))
    if rows and (not blocks or row[0] != 0):
        raise Damaged("rows without a block")
    count = np.diff(row, append=rows)
    if blocks and (count.min() <= 0 or min(seq.min(), t0.min()) < 0 or max(seq.max(), t0.max()) > _LATEST):
        raise Damaged("blocks out of order")
    if np.any(seq[:-1] + count[:-1] > seq[1:]):
        raise Damaged("sequence numbers out of order")
    return RowBlocks(strand, rows, row, count, table["node"].astype(np.int64), t0, seq)


def row_columns(body: bytes, blocks: int, rows: int) -> tuple[Ints, Ints]:
    """The columns `began` (ns after the block's t0) and `took` (ns) of a ROWS frame."""
    at = ROWS_HEADER.size
    first = np.frombuffer(body, _BLOCK, blocks, at)["row"].astype(np.int64)
    at += blocks * BLOCK.size
    took = np.frombuffer(body, "<u4", rows, at).astype(np.int64)
    units = np.frombuffer(body, "<u2", rows, at + rows * TOOK.size).astype(np.int64)
    gap = np.where(units & LONG_PAUSE, (units & ~LONG_PAUSE) * LONG_TICK, units * TICK)
    long = took >= 1 << 31
    if long.any():
        took[long] = (took[long] - (1 << 31)) * 1000
    began = np.cumsum(gap + took) - took
    before = np.zeros(rows, np.int64)  # of each row, the end of the row before its block
    if blocks:
        ends = np.concatenate([[0], (began + took)[first[1:] - 1]])
        before = np.repeat(ends, np.diff(first, append=rows))
    return began - before, took


class Scalars(NamedTuple):
    """The scalars that a ROWS frame says, in order: row by row."""

    seq: Ints
    node: Ints
    argument: Ints
    value: Floats


def scalars_of(body: memoryview) -> Scalars:
    """What a ROWS frame says of arguments that are not as in the form."""
    found = row_blocks(body)
    start = ROWS_HEADER.size + len(found.row) * BLOCK.size + found.total * (TOOK.size + GAP.size)
    table = np.frombuffer(body, _SCALAR, -1, start)
    table = table[table["row"] < found.total]
    rows = table["row"].astype(np.int64)
    block = np.searchsorted(found.row, rows, "right") - 1
    within = rows - found.row[block]
    return Scalars(
        found.seq[block] + within,
        found.node[block] + within,
        table["argument"].astype(np.int64),
        table["value"].astype(np.float64),
    )


class RangeBlocks(NamedTuple):
    """The blocks of a RANGES frame."""

    seq: Ints
    node: Ints
    rows: Ints
    slot: Ints
    slots: int


def range_blocks(body: memoryview | bytes) -> RangeBlocks:
    """The blocks of a RANGES frame, checked.

    Raises:
        Damaged: Sizes do not add up, or blocks are out of order.
    """
    if len(body) < RANGES_HEADER.size:
        raise Damaged("no header")
    blocks, slots = RANGES_HEADER.unpack_from(body)
    if RANGES_HEADER.size + blocks * RANGE_BLOCK.size + slots * 8 != len(body):
        raise Damaged("sizes do not add up")
    table = np.frombuffer(body, _RANGE_BLOCK, blocks, RANGES_HEADER.size)
    seq, node, rows, slot = (table[name].astype(np.int64) for name in ("seq", "node", "rows", "slot"))
    if blocks and (seq.min() < 0 or seq.max() > _LATEST or rows.sum() > MOST_ROWS):
        raise Damaged("too many rows")
    if np.any(seq[:-1] + rows[:-1] > seq[1:]) or np.any(np.diff(slot) < 0):
        raise Damaged("blocks out of order")
    return RangeBlocks(seq, node, rows, slot, slots)


def outputs_of(body: memoryview | bytes, nodes: NodeTable) -> Outputs:
    """Every range of a RANGES frame.

    Raises:
        Damaged: It speaks of a node that was not declared, or of slots that it does not have.
    """
    blocks = range_blocks(body)
    block = np.repeat(np.arange(len(blocks.rows)), blocks.rows)
    total = len(block)
    within = np.arange(total) - np.repeat(np.cumsum(blocks.rows) - blocks.rows, blocks.rows)
    place = nodes.places(blocks.node[block] + within)
    if total and place.min() < 0:
        raise Damaged("a node that was not declared")
    count = nodes.counts[place]
    row = np.repeat(np.arange(total), count)
    entry = np.arange(len(row)) + np.repeat(nodes.starts[place] - (np.cumsum(count) - count), count)
    kind = nodes.kinds[entry]
    if not len(kind):
        return NO_OUTPUTS
    width = np.where(kind == KINDS["f8"], 2, 1)
    before = np.cumsum(width) - width
    # Slots of a block stand one after another from its first one on.
    firsts = np.searchsorted(block[row], np.arange(len(blocks.rows)))
    firsts = np.minimum(firsts, len(before) - 1)
    at = before + (blocks.slot - before[firsts])[block[row]]
    if int((at + width).max()) > blocks.slots or int(at.min()) < 0:
        raise Damaged("more ranges than slots")
    data = np.frombuffer(body, "<u8", blocks.slots, len(body) - blocks.slots * 8)
    low, high = _numbers(data, at, kind)
    return Outputs((blocks.seq[block] + within)[row], nodes.slots[entry], low, high)


def _numbers(data: npt.NDArray[np.uint64], at: Ints, kind: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Minimum and maximum as float64; float64 represents every narrower one exactly."""
    pairs = data.view("<f4").reshape(-1, 2)
    if bool((kind == KINDS["f4"]).all()):
        found = pairs[at].astype(np.float64)
        return found[:, 0], found[:, 1]
    low, high = np.empty(len(at)), np.empty(len(at))
    for name, code in KINDS.items():
        chosen = kind == code
        where = at[chosen]
        if not len(where):
            continue
        if name == "f8":
            wide = data.view("<f8")
            low[chosen], high[chosen] = wide[where], wide[where + 1]
        elif name == "f4":
            low[chosen], high[chosen] = pairs[where, 0], pairs[where, 1]
        elif name == "f2":
            halves = data.view("<f2").reshape(-1, 4)
            low[chosen], high[chosen] = halves[where, 0], halves[where, 2]
        else:  # bfloat16 is the upper half of a float32
            bits = data.view("<u2").reshape(-1, 4)[where].astype(np.uint32) << 16
            low[chosen], high[chosen] = bits[:, 0].view(np.float32), bits[:, 2].view(np.float32)
    return low, high


def bad_flags(low: Floats, high: Floats) -> npt.NDArray[np.uint8]:
    """NAN and INF bits of ranges; none for an empty range."""
    nan = np.isnan(low) | np.isnan(high)
    empty = (low == np.inf) & (high == -np.inf)
    inf = (np.isinf(low) | np.isinf(high)) & ~empty
    flags: npt.NDArray[np.uint8] = nan.astype(np.uint8) * NAN + inf.astype(np.uint8) * INF
    return flags


# ── the index ────────────────────────────────────────────────────────────────────────────────


class Table:
    """Columns of int64 that grow at the end and can be cut back."""

    def __init__(self, columns: int) -> None:
        self._data = np.empty((columns, 64), np.int64)
        self.length = 0

    def append(self, *columns: Ints) -> None:
        """Add rows; all columns have the same length."""
        stop = self.length + len(columns[0])
        if stop > self._data.shape[1]:
            grown = np.empty((len(self._data), max(stop, 2 * self._data.shape[1])), np.int64)
            grown[:, : self.length] = self._data[:, : self.length]
            self._data = grown
        for k, column in enumerate(columns):
            self._data[k, self.length : stop] = column
        self.length = stop

    def cut(self, length: int) -> None:
        """Forget all rows from `length` on."""
        self.length = length

    def column(self, k: int) -> Ints:
        """One column; a view, valid until the next `append`."""
        return self._data[k, : self.length]


def distinct(numbers: Ints) -> Ints:
    """As `numpy.unique`, which imports all of `numpy.ma` at its first call."""
    ordered: Ints = np.sort(numbers)
    found: Ints = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def spread(starts: Ints, counts: Ints) -> Ints:
    """starts[0], starts[0] + 1, … counts[0] of them, then the same for the next one."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    spread: Ints = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)
    return spread
