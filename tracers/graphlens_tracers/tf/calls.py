"""Calls of functions that have run: rows, ranges, and who called whom.

TensorFlow tells no times and no order of what it runs in a function: the rows of a call are those of
its nodes in their topological order, and before a node those of the calls that it made.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from graphlens_tracers import page as at
from graphlens_tracers.events import CallBegan, CallEnded, CallId, CallsRan, Seq
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf.bodies import Body, Ran, Tensor
from graphlens_tracers.tf.concrete import Function, Functions
from graphlens_tracers.tf.shapes import Shapes
from graphlens_tracers.tf.watched import Watched
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
MOST_CALLS = 220
"""Calls that are said at once: they must fit into the page's text."""
_NO_TIMES = bytes(8 * MAX_ROWS)
_BLANK = (float("inf"), float("-inf"))


class Layout:
    """Where in the page's slots the ranges of one body go.

    Attributes:
        starts: First slot of each row, and their number.
        rows: By operation, as the FunctionDef names it.
    """

    def __init__(self, function: Function, body: Body) -> None:
        # Operations can have other names in the FunctionDef; their order is the same.
        theirs = dict(zip(function.names, body.names, strict=True)) if body.names else {}
        self.rows = {theirs.get(name, name): row for row, name in enumerate(function.live)}
        self.starts = [0]
        narrow: list[tuple[int, int]] = []  # (slot in the page, pair in the vector)
        wide: list[tuple[int, int]] = []
        fixed: list[tuple[int, bool, tuple[float, float]]] = []
        slot = 0
        for name, ranged in zip(function.live, function.ranged, strict=True):
            for output, how in ranged:
                tensor, is_wide = Tensor(theirs.get(name, name), output), how == "f8"
                found = body.ranges.get(tensor)
                if found is not None and found.wide == is_wide:
                    (wide if is_wide else narrow).append((slot, found.pair))
                else:
                    fixed.append((slot, is_wide, body.fixed.get(tensor, _BLANK)))
                slot += 2 if is_wide else 1
            self.starts.append(slot)
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
        self._ran: list[
            tuple[int, int, int, int, int, int, int]
        ] = []  # of the execution that is being written
        self._shapes_ran: list[int] = []  # the same
        self._shapes = Shapes(sink)
        self._last_slots = 0  # of the row that was written last
        self.steps = 0

    def forget(self, watched: Watched) -> None:
        """It will not run any more."""
        for body in watched.bodies:
            self._layouts.pop((body.function, body.number), None)

    def called(self, ran: Ran) -> None:
        """Add what surely ran where bodies report nothing: functions that are called outside of branches."""
        body = ran.body
        function = self._functions.declare(body.function)
        live = set(function.live) if function is not None else ()
        for operation, attribute, name in function.inner if function is not None else ():
            if attribute == "f" and operation in live and name in self._functions.known:
                ran.inside.append(Ran(Body(body.number, name, body, operation, attribute)))
                self.called(ran.inside[-1])

    def write(self, ran: Ran, began: int, took: int, error: str | None = None) -> None:
        """Write an execution: its rows, and those of what it called.

        Args:
            began: When, in ns of `perf_counter_ns`; `took`: for how many.
            error: What ended it.
        """
        function, sink = self._functions.declare(ran.body.function), self._sink
        if function is None or function.graph is None:
            sink.gap("untraced", "calls of functions whose definition cannot be read")
            return
        role: Role = "train" if self._trains(ran) else "eval" if self.steps else "setup"
        first = CallId(self._calls)
        if error is not None:
            self._calls += 1
            step = self._step(ran, -1, -1)
            sink.declare(CallBegan(first, function.graph, Seq(sink.seq), None if step < 0 else step, role))
            sink.declare(CallEnded(first, Seq(sink.seq - 1), error=error))
            return
        self._ran.clear()
        self._shapes_ran.clear()
        self._write(ran, function, (-1, -1, -1), began, -1)
        if sink.rows:
            self._ends(began + took)
        for at_call in range(0, len(self._ran), MOST_CALLS):
            calls = tuple(self._ran[at_call : at_call + MOST_CALLS])
            shapes = tuple(self._shapes_ran[at_call : at_call + MOST_CALLS])
            sink.declare(CallsRan(CallId(first + at_call), role, calls, shapes=shapes if any(shapes) else ()))

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

    def _step(self, ran: Ran, step: int, around: int) -> int:
        """Which training step an execution is in, or after; -1 before the first.

        Args:
            step: The one that it is a part of, or -1; `around`: that of what called it.
        """
        if step < 0 and not self._trains(ran):
            return max(around, self.steps - 1)
        return self.steps if step < 0 else step

    def _write(
        self, ran: Ran, function: Function, caller: tuple[int, int, int], began: int, step: int
    ) -> None:
        """Rows of one body.

        Args:
            caller: The call and the node that entered it, and its step; -1 for none.
            step: The training step that it is a part of, or -1.
        """
        parent, node, around = caller
        shown = self._step(ran, step, around)
        if step < 0 and function.trains:
            step = self.steps
            self.steps += 1
        call, place, first = self._calls, len(self._ran), self._sink.seq
        self._calls += 1
        assert function.graph is not None
        self._ran.append((0, 0, 0, 0, 0, 0, 0))  # what is inside comes after it
        self._shapes_ran.append(self._shapes.of(function, ran))
        key = ran.body.function, ran.body.number
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = Layout(function, ran.body)
        slots = layout.slots(ran)
        inside: dict[int, list[tuple[Ran, Function]]] = {}
        for inner in ran.inside:
            entered = self._functions.declare(inner.body.function)
            if entered is None:
                self._sink.gap("untraced", "calls of functions whose definition cannot be read")
            else:
                inside.setdefault(layout.rows[inner.body.node], []).append((inner, entered))
        done = 0
        for row in sorted(inside):
            # What a node entered is over before the node is.
            self._block(function, layout, slots, done, row, began)
            done = row
            for inner, entered in inside[row]:
                self._write(inner, entered, (call, function.first + row, shown), began, step)
        self._block(function, layout, slots, done, len(function.live), began)
        iteration = -1 if ran.iteration is None else ran.iteration
        last = self._sink.seq - 1
        self._ran[place] = (
            function.graph, first, last, shown, parent, node, iteration
        )  # fmt: skip

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
