"""Rows into the page: one an operation, readable by everybody as soon as the count is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from graphlens_tracers import page as at
from graphlens_tracers.events import NodeId
from graphlens_tracers.sink import LogSink
from graphlens_tracers.wire import (
    AT_BLOCKS,
    AT_ROWS,
    AT_SLOTS,
    LONG_PAUSE,
    LONG_TICK,
    LONGEST_PAUSE,
    MAX_BLOCKS,
    PAGE_BLOCK,
    TICK,
)

ROWS_U64 = AT_ROWS // 8
_TOP = 1 << 31
_NO_LINE = 1 << 62
"""No block is open."""
assert TICK == 1 << 6


class Written(Protocol):
    """A node as rows need it: its id, and how many slots its ranges take."""

    id: NodeId
    slots: int


class Rows:
    """Writes the rows of one thread.

    Attributes:
        line: Row in the page less node of the block that is open: the same all along a block.
        clock: When the last row ended.
        later: What is to be said when the row is written: saying it may empty the page.
    """

    def __init__(self, sink: LogSink) -> None:
        self.sink = sink
        self.line = _NO_LINE
        self.clock = 0
        self._lost = 0  # of long pauses in this block, by rounding
        self.later: list[Callable[[], object]] = []
        sink.emptied = self.emptied

    def write(
        self, node: Written, began: int, took: int, beside: Callable[[int], object] | None = None
    ) -> None:
        """Write the row: it is there for every reader as soon as the count of rows is raised.

        Args:
            beside: Writes what else belongs to the row, by its place in the page.
        """
        sink = self.sink
        gap = (began - self.clock) >> 6
        if sink.rows - node.id != self.line or gap >> 15:
            gap = self.goes_on(node, began)
        row = sink.rows
        self.clock = began + took
        if took >> 31:
            took = long(took)
        u64 = sink.page.u64
        u64[ROWS_U64 + row] = gap << 32 | took
        if beside is not None:
            beside(row)
        u64[at.SLOTS] = sink.slots
        u64[at.ROWS] = row + 1
        sink.rows = row + 1
        if self.later:
            self.say_later()

    def goes_on(self, node: Written, began: int) -> int:
        """GAP of a row that is not simply the next one: after a long pause, or a block begins with it."""
        pause = began - self.clock + self._lost
        if self.sink.rows - node.id != self.line or not 0 <= pause < LONGEST_PAUSE:
            self.block(node, began)
            return 0
        units, self._lost = divmod(pause, LONG_TICK)
        return LONG_PAUSE | units

    def block(self, node: Written, began: int) -> None:
        """A row that does not continue the one before begins a block."""
        sink = self.sink
        if sink.blocks >= MAX_BLOCKS:
            # The ranges of this row are already in the page: it must take them along.
            slots = sink.page.bytes[
                AT_SLOTS + (sink.slots - node.slots) * 8 : AT_SLOTS + sink.slots * 8
            ].tobytes()
            self.sink.flush()
            sink.page.bytes[AT_SLOTS : AT_SLOTS + len(slots)] = slots
            sink.slots = node.slots
        first_slot = sink.slots - node.slots
        PAGE_BLOCK.pack_into(
            sink.page.bytes,
            AT_BLOCKS + sink.blocks * PAGE_BLOCK.size,
            sink.rows,
            node.id,
            began,
            sink.seq,
            first_slot,
        )
        sink.blocks += 1
        sink.page.u64[at.BLOCKS] = sink.blocks
        self.line = sink.rows - node.id
        self._lost = 0

    def emptied(self) -> None:
        """The page is empty, or others have written into it: the next row begins a block."""
        self.line = _NO_LINE

    def say_later(self) -> None:
        """What was found while a row was being made: saying it may empty the page."""
        later, self.later = self.later, []
        for say in later:
            say()


def long(took: int) -> int:
    """An operation of more than two seconds: in microseconds, marked by the top bit."""
    return _TOP | min(took // 1000, _TOP - 1)
