"""Calls of functions that have run: rows, ranges, and who called whom.

TensorFlow tells no times and no order of what it runs in a function: the rows of a call are those of
its nodes in their topological order, and before a node those of the calls that it made.
"""

from __future__ import annotations

from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from graphlens_tracers import page as at
from graphlens_tracers.events import CallBegan, CallEnded, CallId, CallsRan, Kept, Seq, Unusual
from graphlens_tracers.eventtext import text_of
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf.births import Born
from graphlens_tracers.tf.bodies import Body, Ran
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.elements import keep_array
from graphlens_tracers.tf.numerics import numerics_of
from graphlens_tracers.tf.plans import MOST_CALLS, Indices, Layout, Plan, Planner
from graphlens_tracers.tf.shapes import Shapes
from graphlens_tracers.wire import (
    AT_BLOCKS,
    AT_ROWS,
    AT_SLOTS,
    MAX_BLOCKS,
    MAX_ROWS,
    MAX_SLOTS,
    PAGE_BLOCK,
    Kind,
)

Role = Literal["setup", "train", "eval", "other"]
Steps = tuple[int, int | None]


class Caller(NamedTuple):
    """What enters a function: the call and its role, the node, and the training step; -1 for none.

    `epoch`: where no call enters it.
    """

    call: int
    node: int
    step: int
    role: Role
    epoch: int | None = None


_NO_TIMES = bytes(8 * MAX_ROWS)
_GAP = CallId(-1)
"""Where the first id of some calls will stand."""
MOST_TEXTS = 100
"""Of calls that are said alike."""


class Calls:
    """Writes calls into the log, and counts training steps.

    Attributes:
        steps: How many have run.
        keeping: What its log keeps.
    """

    def __init__(self, sink: LogSink, functions: Functions, keeping: Keeping) -> None:
        self._sink = sink
        self.keeping = keeping
        self._functions = functions
        self._layouts: WeakKeyDictionary[Body, Layout] = WeakKeyDictionary()
        self._plans: WeakKeyDictionary[Ran, Plan] = WeakKeyDictionary()
        self._shapes = Shapes(sink, functions.new_shapes)
        self._texts: dict[tuple[Role, tuple[int, ...], int | None], str] = {}
        self._calls = 0
        self.steps = 0

    def called(self, ran: Ran) -> None:
        """Add what surely ran where bodies report nothing: functions that are called outside of branches."""
        body = ran.body
        function = self._functions.declare(body.function)
        names = function.live if function is not None else ()
        live = {name for row, name in enumerate(names) if row not in ran.left_out}
        for operation, attribute, name in function.inner if function is not None else ():
            if attribute == "f" and operation in live and name in self._functions.known:
                ran.inside.append(Ran(Body(body.number, name, body, operation, attribute)))
                self.called(ran.inside[-1])

    def new_call(self) -> CallId:
        """An id for a call."""
        self._calls += 1
        return CallId(self._calls - 1)

    def is_wanted(self, steps: Steps) -> bool:
        """Whether what runs now is in one of these training steps: from the first up to the second."""
        first, stop = steps
        return first <= self.steps and (stop is None or self.steps < stop)

    def over(
        self, ran: Ran, steps: Steps, began: int, took: int, error: str | None = None,
        epoch: int | None = None,
    ) -> None:  # fmt: skip
        """Write an execution that nothing has called; only count it where its step is not wanted."""
        caller = Caller(-1, -1, -1, "eval" if self.steps else "setup", epoch)
        if not self.is_wanted(steps):
            if skipped := self.skip(ran):
                first, stop = steps
                words = f"training steps outside of {first}:{'' if stop is None else stop}"
                self._sink.gap("untraced", words, skipped)
        elif error is not None:
            self.raised(ran, error, caller)
        else:
            self.write(ran, began, took, caller)

    def write(self, ran: Ran, began: int, took: int, caller: Caller) -> None:
        """Write an execution: its rows, and those of what it called.

        Args:
            began: When, in ns of `perf_counter_ns`; `took`: for how many.
        """
        plan, sink = self._plan(ran), self._sink
        if plan is None:
            sink.gap("untraced", "calls of functions whose definition cannot be read")
            return
        role, first = self._role(plan, caller), CallId(self._calls)
        if plan.unreadable:
            sink.gap("untraced", "calls of functions whose definition cannot be read", plan.unreadable)
        if plan.too_large:
            sink.gap("dropped", "operations with more outputs than a page holds ranges", plan.too_large)
        shapes = self._shapes_of(plan, ran)
        seq = sink.seq
        self._rows(plan, plan.slots(ran.told), began, began + took)
        for at_call, calls in enumerate(plan.calls(first, seq, self.steps, caller[:3])):
            said = tuple(shapes[at_call * MOST_CALLS : (at_call + 1) * MOST_CALLS])
            without = self._said(role, said if any(said) else (), caller.epoch)
            sink.put(Kind.CALLS, without % (first + at_call * MOST_CALLS, calls))
        self._calls += len(plan.changing)
        self.steps += plan.steps
        for row, born in plan.births.items():
            self._born(Seq(seq + row), born)

    def _born(self, seq: Seq, born: Born) -> None:
        """Say what an operation has read and made, where what is not finite was born in it, and keep it."""
        made, asked = numerics_of(born.made), born.asked
        read = [numerics_of(born.read[k]) if k in born.read else None for k in range(asked.inputs)]
        kept: tuple[Kept, ...] = ()
        if self.keeping.born(asked.number, made, read):
            kept = keep_array(self.keeping, born.made)
            for k, array in born.read.items():
                kept += keep_array(self.keeping, array, k)
        self._sink.declare(Unusual(seq, 0, made, inputs=tuple(read), kept=kept))

    def _said(self, role: Role, shapes: tuple[int, ...], epoch: int | None) -> str:
        """A `CallsRan` in JSON, without its first id and its calls."""
        key = role, shapes, epoch
        text = self._texts.get(key)
        if text is None:
            empty = text_of(CallsRan(_GAP, role, (), 0, shapes, epoch))
            text = empty.replace(str(_GAP), "%d", 1).replace("[]", "[%s]", 1)
            if len(self._texts) < MOST_TEXTS:
                self._texts[key] = text
        return text

    def _shapes_of(self, plan: Plan, ran: Ran) -> list[int]:
        """Of each call, which shapes it has."""
        if not plan.open:
            return []
        shapes = [0] * len(plan.changing)
        for call, (one, function) in plan.open.items():
            if ran.told is not None and one.at >= 0:
                places = one.body.sizes
                sizes = ran.told[one.at + places.start : one.at + places.stop].tobytes()
                shapes[call] = self._shapes.of(function, one.body, sizes)
        return shapes

    def raised(self, ran: Ran, error: str, caller: Caller) -> None:
        """Write an execution that an error has ended: nobody knows what of it has run."""
        plan, sink = self._plan(ran), self._sink
        if plan is None:
            return
        call, step = self.new_call(), max(self.steps + plan.step, caller.step)
        sink.declare(
            CallBegan(
                call, plan.graph, Seq(sink.seq), None if step < 0 else step, self._role(plan, caller),
                parent=None if caller.call < 0 else CallId(caller.call), epoch=caller.epoch,
            )
        )  # fmt: skip
        sink.declare(CallEnded(call, Seq(sink.seq - 1), error=error))

    def _role(self, plan: Plan, caller: Caller) -> Role:
        return "train" if plan.trains else caller.role

    def does(self, ran: Ran) -> tuple[bool, bool]:
        """Whether it trains (computes gradients, or changes what is trained), and whether it has layers."""
        plan = self._plan(ran)
        return (False, False) if plan is None else (plan.trains, plan.layered)

    def skip(self, ran: Ran) -> int:
        """Count the training steps in an execution, and write nothing of it."""
        plan = self._plan(ran)
        count = 0 if plan is None else plan.steps
        self.steps += count
        return count

    def _plan(self, ran: Ran) -> Plan | None:
        """What such an execution writes; None where its definition cannot be read."""
        plan = self._plans.get(ran)
        function = None if plan is not None else self._functions.declare(ran.body.function)
        if function is not None and function.graph is not None:
            plan = self._plans[ran] = Planner(self._functions, self._layouts).plan(ran, function)
        return plan

    def _rows(self, plan: Plan, slots: npt.NDArray[np.uint64], began: int, ended: int) -> None:
        """Rows and ranges; the last row ends the call: it begins when everything is over."""
        sink, row = self._sink, 0
        while row < plan.rows:
            stop = plan.until(row, MAX_ROWS - sink.rows, MAX_SLOTS - sink.slots, MAX_BLOCKS - sink.blocks)
            if stop == row:
                sink.flush()
                continue
            first, last = int(plan.starts[row]), int(plan.starts[stop])
            moved = sink.rows - row, began, sink.seq - row, sink.slots - first
            blocks = np.add(plan.blocks_of(row, stop), moved)
            if stop == plan.rows:
                blocks[-1, 1] = ended
            self._put(blocks, stop - row, slots[first:last])
            row = stop

    def _put(self, blocks: Indices, rows: int, slots: npt.NDArray[np.uint64]) -> None:
        """All of it onto the page, where there is place for it."""
        sink, page = self._sink, self._sink.page
        for start, data in (
            (AT_BLOCKS + sink.blocks * PAGE_BLOCK.size, blocks.tobytes()),
            (AT_ROWS + 8 * sink.rows, _NO_TIMES[: 8 * rows]),
            (AT_SLOTS + 8 * sink.slots, slots.tobytes()),
        ):
            page.bytes[start : start + len(data)] = data
        sink.blocks += len(blocks)
        page.u64[at.BLOCKS] = sink.blocks
        sink.slots += len(slots)
        page.u64[at.SLOTS] = sink.slots
        sink.rows += rows
        page.u64[at.ROWS] = sink.rows  # last: a reader never sees half a row
