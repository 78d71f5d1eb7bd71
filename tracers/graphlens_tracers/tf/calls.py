"""Calls of functions that have run: rows, ranges, and who called whom.

TensorFlow tells no times and no order of what it runs in a function: the rows of a call are those of
its nodes in their topological order, and before a node those of the calls that it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from graphlens_tracers import page as at
from graphlens_tracers.events import CallBegan, CallEnded, CallId, NodeId, Seq
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf.concrete import Function, Functions
from graphlens_tracers.tf.watched import Body, Floats, Tensor, Watched
from graphlens_tracers.wire import (
    AT_BLOCKS,
    AT_ROWS,
    AT_SLOTS,
    MAX_BLOCKS,
    MAX_ROWS,
    MAX_SLOTS,
    PAGE_BLOCK,
)

Role = Literal["setup", "train", "eval", "other"]
_NO_TIMES = bytes(8 * MAX_ROWS)
_BLANK = (float("inf"), float("-inf"))


@dataclass(eq=False)
class Ran:
    """One body that has run.

    Attributes:
        iteration: Of a loop; None outside of loops.
        narrow, wide: Its minima and maxima in turn; None when it told none.
    """

    body: Body
    iteration: int | None
    narrow: Floats | None
    wide: Floats | None
    inside: list[Ran] = field(default_factory=list)


class Layout:
    """Where in the page's slots the ranges of one body go.

    Attributes:
        starts: First slot of each row, and their number.
        rows: By operation.
    """

    def __init__(self, function: Function, body: Body | None) -> None:
        self.starts = [0]
        narrow: list[tuple[int, int]] = []  # (slot in the page, pair in the vector)
        wide: list[tuple[int, int]] = []
        fixed: list[tuple[int, bool, tuple[float, float]]] = []
        slot = 0
        for name, ranged in zip(function.live, function.ranged, strict=True):
            for output, how in ranged:
                tensor, is_wide = Tensor(name, output), how == "f8"
                found = body.ranges.get(tensor) if body is not None else None
                if found is not None and found.wide == is_wide:
                    (wide if is_wide else narrow).append((slot, found.pair))
                else:
                    known = body.fixed.get(tensor, _BLANK) if body is not None else _BLANK
                    fixed.append((slot, is_wide, known))
                slot += 2 if is_wide else 1
            self.starts.append(slot)
        self.rows = {name: row for row, name in enumerate(function.live)}
        self._blank = np.zeros(slot, np.uint64)
        for one, is_wide, (low, high) in fixed:
            if is_wide:
                self._blank[one : one + 2] = np.array([low, high], np.float64).view(np.uint64)
            else:
                self._blank[one : one + 1] = np.array([low, high], np.float32).view(np.uint64)
        self._narrow = np.array(narrow, np.int64).reshape(-1, 2)
        self._wide = np.array(wide, np.int64).reshape(-1, 2)

    def slots(self, ran: Ran) -> bytes:
        """The slots of all rows, as the page has them."""
        slots = self._blank.copy()
        if ran.narrow is not None and len(self._narrow):
            slots[self._narrow[:, 0]] = np.ascontiguousarray(ran.narrow, np.float32).view(np.uint64)[
                self._narrow[:, 1]
            ]
        if ran.wide is not None and len(self._wide):
            ends = np.ascontiguousarray(ran.wide, np.float64).view(np.uint64).reshape(-1, 2)[self._wide[:, 1]]
            slots[self._wide[:, 0]] = ends[:, 0]
            slots[self._wide[:, 0] + 1] = ends[:, 1]
        return slots.tobytes()


class Calls:
    """Writes calls into the log, and counts training steps.

    Attributes:
        steps: How many have run.
    """

    def __init__(self, sink: LogSink, functions: Functions) -> None:
        self._sink = sink
        self._functions = functions
        self._layouts: dict[tuple[str, int], Layout] = {}
        self._calls = 0
        self._last_slots = 0  # of the row that was written last
        self.steps = 0

    def forget(self, watched: Watched) -> None:
        """It will not run any more."""
        for body in watched.bodies:
            self._layouts.pop((body.function, body.number), None)

    def tree(self, watched: Watched, vectors: dict[bool, Floats], reports: Sequence[tuple[Any, ...]]) -> Ran:
        """What ran in one execution of a watched function, by what its bodies reported.

        Args:
            vectors: What its outermost body gave out, by whether it is the wide one.
            reports: Each as its body's arguments, in the order in which they came: a body reports
                after those inside of it.
        """
        waiting: dict[Body, list[Ran]] = {}
        for report in reports:
            body = watched.bodies[int(report[0]) - watched.first]
            rest = list(report[1:])
            iteration = int(rest.pop(0)) if body.counts else None
            told = {one.dtype == np.float64: one for one in rest}
            inside = _inside(body, waiting)
            waiting.setdefault(body, []).append(Ran(body, iteration, told.get(False), told.get(True), inside))
        root = watched.bodies[0]
        return Ran(root, None, vectors.get(False), vectors.get(True), _inside(root, waiting))

    def called(self, ran: Ran) -> None:
        """Add what surely ran where bodies report nothing: functions that are called outside of branches."""
        body = ran.body
        function = self._functions.declare(body.function)
        live = set(function.live) if function is not None else ()
        for operation, attribute, name in function.inner if function is not None else ():
            if attribute == "f" and operation in live and name in self._functions.known:
                inner = Body(body.number, name, body, operation, attribute)
                ran.inside.append(Ran(inner, None, None, None))
                self.called(ran.inside[-1])

    def write(self, ran: Ran, began: int, took: int, error: str | None = None) -> None:
        """Write an execution: its rows, and those of what it called.

        Args:
            began: When, in ns of `perf_counter_ns`; `took`: for how many.
            error: What ended it.
        """
        self._write(ran, None, None, began, None, error)
        if error is None and self._sink.rows:
            self._ends(began + took)

    def skip(self, ran: Ran) -> int:
        """Count the training steps in an execution, and write nothing of it."""
        function = self._functions.declare(ran.body.function)
        count = 1 if function is not None and function.trains else sum(map(self.skip, ran.inside))
        if function is not None and function.trains:
            self.steps += 1
        return count

    def _trains(self, ran: Ran) -> bool:
        function = self._functions.declare(ran.body.function)
        return (function is not None and function.trains) or any(map(self._trains, ran.inside))

    def _write(
        self,
        ran: Ran,
        parent: CallId | None,
        node: NodeId | None,
        began: int,
        step: int | None,
        error: str | None,
    ) -> None:
        function = self._functions.declare(ran.body.function)
        if function is None or function.graph is None:
            self._sink.gap("untraced", "calls of functions that were there before recording began")
            return
        shown = step
        if step is None and function.trains:
            shown = step = self.steps
            self.steps += 1
        elif step is None and self._trains(ran):
            shown = self.steps  # the first of those that are in it
        role: Role = "eval" if self.steps else "setup"
        if shown is not None:
            role = "train"
        elif self.steps:
            shown = self.steps - 1
        call, sink = CallId(self._calls), self._sink
        self._calls += 1
        sink.declare(
            CallBegan(
                call, function.graph, Seq(sink.seq), shown, role,
                parent=parent, at=node, iteration=ran.iteration,
            )
        )  # fmt: skip
        if error is None:
            self._rows(ran, function, call, began, step)
        sink.declare(CallEnded(call, Seq(sink.seq - 1), error=error))

    def _rows(self, ran: Ran, function: Function, call: CallId, began: int, step: int | None) -> None:
        key = ran.body.function, ran.body.number
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = Layout(function, ran.body)
        slots = layout.slots(ran)
        inside: dict[int, list[Ran]] = {}
        for inner in ran.inside:
            inside.setdefault(layout.rows[inner.body.node], []).append(inner)
        done = 0
        for at_row in sorted(inside):
            # What a node entered is over before the node is.
            self._block(function, layout, slots, done, at_row, began)
            done = at_row
            for inner in _in_order(inside[at_row]):
                self._write(inner, call, function.nodes.get(inner.body.node), began, step, None)
        self._block(function, layout, slots, done, len(function.live), began)

    def _block(
        self, function: Function, layout: Layout, slots: bytes, start: int, stop: int, began: int
    ) -> None:
        """Rows of the nodes from `start` up to `stop`."""
        sink = self._sink
        while start < stop:
            if sink.rows >= MAX_ROWS or sink.blocks >= MAX_BLOCKS:
                sink.flush()
            first_slot = layout.starts[start]
            end = min(stop, start + MAX_ROWS - sink.rows)
            while end > start and layout.starts[end] - first_slot > MAX_SLOTS - sink.slots:
                end = max(start, end - 1 - (layout.starts[end] - first_slot - MAX_SLOTS + sink.slots) // 4)
            if end == start:
                if not sink.rows:
                    sink.gap("dropped", "operations with more outputs than a page holds ranges")
                    return
                sink.flush()
                continue
            page, count = sink.page, end - start
            PAGE_BLOCK.pack_into(
                page.bytes, AT_BLOCKS + sink.blocks * PAGE_BLOCK.size,
                sink.rows, function.first + start, began, sink.seq, sink.slots,
            )  # fmt: skip
            there = AT_ROWS + 8 * sink.rows
            page.bytes[there : there + 8 * count] = _NO_TIMES[: 8 * count]
            size = layout.starts[end] - first_slot
            there = AT_SLOTS + 8 * sink.slots
            page.bytes[there : there + 8 * size] = slots[8 * first_slot : 8 * (first_slot + size)]
            sink.blocks += 1
            page.u64[at.BLOCKS] = sink.blocks
            sink.slots += size
            page.u64[at.SLOTS] = sink.slots
            sink.rows += count
            page.u64[at.ROWS] = sink.rows
            self._last_slots = layout.starts[end] - layout.starts[end - 1]
            start = end

    def _ends(self, ended: int) -> None:
        """The row that was written last ends the call: it begins when everything is over."""
        sink = self._sink
        there = AT_BLOCKS + (sink.blocks - 1) * PAGE_BLOCK.size
        first, node, _, _, slot = PAGE_BLOCK.unpack_from(sink.page.bytes, there)
        row = sink.rows - 1
        if row > first:
            if sink.blocks >= MAX_BLOCKS:
                return  # then it ends with the beginning of what comes next
            there, slot = there + PAGE_BLOCK.size, sink.slots - self._last_slots
            sink.blocks += 1
        PAGE_BLOCK.pack_into(sink.page.bytes, there, row, node + row - first, ended, sink.seq - 1, slot)
        sink.page.u64[at.BLOCKS] = sink.blocks


def _inside(body: Body, waiting: dict[Body, list[Ran]]) -> list[Ran]:
    """What ran inside of a body that has just ended."""
    found: list[Ran] = []
    for inner in body.inside:
        there = waiting.pop(inner, [])
        if inner.attribute == "cond" and not inner.reports:
            loop = next(one for one in body.inside if one.node == inner.node and one is not inner)
            there = [Ran(inner, k, None, None) for k in range(len(waiting.get(loop, ())) + 1)]
        found += there
    return found


def _in_order(ran: list[Ran]) -> list[Ran]:
    """Iterations in turn: they may report in another order than they began."""
    if any(one.iteration is None for one in ran):
        return ran
    return sorted(ran, key=lambda one: (one.iteration, one.body.attribute != "cond"))
