"""What executions write that go the same way through a watched function: made once, then copied.

Which rows there are, where their ranges are found in what was told, and who called whom depends only
on which bodies ran. Whatever begins anew with each execution is counted from its beginning here.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphlens_tracers.events import GraphId
from graphlens_tracers.tf.births import Born
from graphlens_tracers.tf.bodies import Body, Ran, Tensor, Vector
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.function import Function
from graphlens_tracers.wire import MAX_SLOTS, PAGE_BLOCK

Call = tuple[int, int, int, int, int, int, int]
"""As `CallsRan` has it, but that rows, steps and calls are counted from the beginning of this execution."""
MOST_CALLS = 220
"""Calls that are said at once: they must fit into the page's text."""
Indices = npt.NDArray[np.int64]
BLOCK_WORDS = 4
"""A PAGE_BLOCK as whole numbers of 64 bits: row and node (above it), t0, sequence number, slot. None of
them overflows when the differences of a page are added."""
assert 8 * BLOCK_WORDS == PAGE_BLOCK.size
_BLANK = (float("inf"), float("-inf"))


class Layout:
    """Where the ranges of one body go: in slots from its first one, and in halves of slots.

    Attributes:
        starts: First slot of each row, and their number.
        rows: By operation, as the FunctionDef names it.
        blank: What is there in the beginning, in halves.
        to: Halves that are told; `of`: where, in the body's record.
        elsewhere: Halves of what is told elsewhere: (the first, whether they are of float64, the tensor).
        too_large: Rows with more slots than a page has.
    """

    def __init__(self, function: Function, body: Body) -> None:
        # Operations can have other names in the FunctionDef; their order is the same.
        theirs = dict(zip(function.names, body.names, strict=True)) if body.names else {}
        self.rows = {theirs.get(name, name): row for row, name in enumerate(function.live)}
        self.elsewhere: list[tuple[int, bool, Tensor]] = []
        starts: list[int] = [0]
        to: list[int] = []
        of: list[int] = []
        blank: list[int] = []
        for name, ranged in zip(function.live, function.ranged, strict=True):
            for output, how in ranged:
                tensor, wide = Tensor(theirs.get(name, name), output), how == "f8"
                found = body.ranges.get(tensor)
                if found is not None and found.wide == wide:
                    halves = body.halves(found)
                    to += range(len(blank), len(blank) + len(halves))
                    of += halves
                elif tensor in body.alike or tensor in body.popped:
                    self.elsewhere.append((len(blank), wide, tensor))
                blank += _halves(body.fixed.get(tensor, _BLANK), wide).tolist()
            starts.append(len(blank) // 2)
        self.starts, self.to, self.of = (np.array(each, np.int64) for each in (starts, to, of))
        self.blank = np.array(blank, np.uint32)
        self.too_large = np.flatnonzero(np.diff(self.starts) > MAX_SLOTS).tolist()


@dataclass(eq=False)
class Plan:
    """All that is written of one way through a watched function.

    Attributes:
        graph: That of the outermost call; `step`: its training step, -1 where it is after the last one.
        trains: Whether a training step is in it; `steps`: how many. `layered`: whether layers are.
        starts: First slot of each row, and their number.
        blocks: Rows with consecutive nodes; the last row has one of its own. `begins`: their first rows.
        texts: Its calls as JSON, with gaps for what is `changing`: the first and last row, the step, and
            the call and the node that made it.
        blank: All slots as they are in the beginning, in halves.
        to: Halves that are told; `of`: where, in all that is told.
        too_large: How many rows are left out, since they have more slots than a page.
        unreadable: How many calls are left out, since nobody knows what they enter.
        open: By call, counted from the first: the execution, where a shape is only known when it runs.
        births: By row: what was born in it, which is not finite.
    """

    graph: GraphId
    step: int
    trains: bool
    steps: int
    layered: bool
    starts: Indices
    blocks: Indices
    begins: Indices
    texts: list[str]
    changing: Indices
    blank: npt.NDArray[np.uint32]
    to: Indices
    of: Indices
    too_large: int
    unreadable: int
    open: dict[int, tuple[Ran, Function]]
    births: dict[int, Born]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def slots(self, told: Vector | None) -> npt.NDArray[np.uint64]:
        """The slots of all rows, as the page has them."""
        if told is None:
            return self.blank.view(np.uint64)
        slots = self.blank.copy()
        slots[self.to] = told.view(np.uint32)[self.of]
        return slots.view(np.uint64)

    def calls(self, first: int, seq: int, steps: int, caller: tuple[int, int, int]) -> Iterator[str]:
        """Its calls, the outermost first, as `CallsRan` has them in JSON; at most MOST_CALLS at once.

        Args:
            first: The id of that one; `seq`: that of the first row; `steps`: training steps before it.
            caller: The call that has made it, the node, and the step of that call; -1 for none.
        """
        changing = np.add(self.changing, (seq, seq, steps, first, 0))
        changing[0, 3:] = caller[:2]
        np.maximum(changing[:, 2], caller[2], out=changing[:, 2])
        for at, text in enumerate(self.texts):
            yield text % tuple(changing[at * MOST_CALLS : (at + 1) * MOST_CALLS].ravel().tolist())

    def until(self, row: int, rows: int, slots: int, blocks: int) -> int:
        """Up to which row there is place from `row` on, in a page that has so many of each left."""
        if not row and self.rows <= rows and len(self.blocks) <= blocks and self.starts[-1] <= slots:
            return self.rows
        by_slots = int(np.searchsorted(self.starts, self.starts[row] + slots, "right")) - 1
        begun = int(np.searchsorted(self.begins, row, "right")) - 1 + blocks
        by_blocks = int(self.begins[begun]) if begun < len(self.blocks) else self.rows
        return max(row, min(row + rows, by_slots, by_blocks, self.rows))

    def blocks_of(self, row: int, stop: int) -> Indices:
        """The blocks of these rows; the first may begin in the middle of one."""
        if not row and stop == self.rows:
            return self.blocks
        first = int(np.searchsorted(self.begins, row, "right")) - 1
        found = self.blocks[first : int(np.searchsorted(self.begins, stop, "left"))].copy()
        past = row - int(self.begins[first])
        found[0] += ((past << 32) + past, 0, past, 0)
        found[0, 3] = self.starts[row]
        return found


class Planner:
    """Makes the plan of one way through a watched function."""

    def __init__(self, functions: Functions, layouts: MutableMapping[Body, Layout]) -> None:
        self._functions, self._layouts = functions, layouts
        self._steps = self._rows = self._slots = self._too_large = self._unreadable = 0
        self._layered = False
        self._open: dict[int, tuple[Ran, Function]] = {}
        self._births: dict[int, Born] = {}
        self._loops: dict[tuple[Ran, Body], list[Ran]] = {}
        self._calls: list[Call] = []
        self._blocks: list[tuple[int, int]] = []  # first row, its node
        self._starts: list[Indices] = []
        self._blank: list[npt.NDArray[np.uint32]] = [np.empty(0, np.uint32)]
        self._to: list[Indices] = [np.empty(0, np.int64)]
        self._of: list[Indices] = [np.empty(0, np.int64)]

    def plan(self, ran: Ran, function: Function) -> Plan:
        """What is written of an execution of a function, and of what it entered."""
        self._add(ran, function, (-1, -1, -1), -1)
        if self._rows and self._blocks[-1][0] < self._rows - 1:
            row, node = self._blocks[-1]
            self._blocks.append((self._rows - 1, node + self._rows - 1 - row))
        starts = np.concatenate([*self._starts, [self._slots]]).astype(np.int64)
        begins, nodes = np.array(self._blocks, np.int64).reshape(-1, 2).T
        blocks = np.stack([(nodes << 32) + begins, np.zeros_like(begins), begins, starts[begins]], axis=1)
        texts = [f"[{call[0]},%d,%d,%d,%d,%d,{call[-1]}]" for call in self._calls]
        changing = np.array([call[1:6] for call in self._calls], np.int64)
        return Plan(
            GraphId(self._calls[0][0]), self._calls[0][3], self._trains(ran), self._steps, self._layered,
            starts, blocks, begins,
            [",".join(texts[at : at + MOST_CALLS]) for at in range(0, len(texts), MOST_CALLS)], changing,
            np.concatenate(self._blank), np.concatenate(self._to), np.concatenate(self._of),
            self._too_large, self._unreadable, self._open, self._births,
        )  # fmt: skip

    def _trains(self, ran: Ran) -> bool:
        function = self._functions.declare(ran.body.function)
        return (function is not None and function.trains) or any(map(self._trains, ran.inside))

    def _add(self, ran: Ran, function: Function, caller: tuple[int, int, int], step: int) -> None:
        """Rows of one body, and before each those of what it entered.

        Args:
            caller: The call and the node that entered it, and its step; -1 for none.
            step: The training step that it is a part of, or -1.
        """
        parent, node, around = caller
        # Which step it is in, or after. Before the first one of all it is -1.
        shown = step if step >= 0 else self._steps if self._trains(ran) else max(around, self._steps - 1)
        if step < 0 and function.trains:
            step = self._steps
            self._steps += 1
        self._layered = self._layered or function.layered
        call, first = len(self._calls), self._rows
        self._calls.append((-1, -1, -1, -1, -1, -1, -1))  # what is inside comes after it
        if ran.body.open:
            self._open[call] = ran, function
        layout = self._layouts.get(ran.body)
        if layout is None:
            layout = self._layouts[ran.body] = Layout(function, ran.body)
        inside: dict[int, list[tuple[Ran, Function]]] = {}
        for inner in ran.inside:
            entered = self._functions.declare(inner.body.function)
            if entered is None:
                self._unreadable += 1
            else:
                inside.setdefault(layout.rows[inner.body.node], []).append((inner, entered))
        done = 0
        for row in sorted({*inside, *layout.too_large, *ran.left_out}):
            # What a node entered is over before the node is.
            self._piece(ran, function, layout, done, row)
            done = row
            for inner, entered in inside.get(row, ()):
                self._add(inner, entered, (call, function.first + row, shown), step)
            if row in ran.left_out:
                done += 1
            elif row in layout.too_large:
                done += 1
                self._too_large += 1
        self._piece(ran, function, layout, done, len(function.live))
        iteration = -1 if ran.iteration is None else ran.iteration
        assert function.graph is not None
        self._calls[call] = (
            function.graph, first, self._rows - 1, shown, parent, node, iteration
        )  # fmt: skip

    def _piece(self, ran: Ran, function: Function, layout: Layout, start: int, stop: int) -> None:
        """Rows of the nodes from `start` up to `stop`."""
        if start >= stop:
            return
        first, last = layout.starts[start], layout.starts[stop]
        node = function.first + start
        for born in ran.births:
            if start <= (row := layout.rows[born.asked.node]) < stop:
                self._births[self._rows + row - start] = born
        if not self._blocks or self._blocks[-1][1] + self._rows - self._blocks[-1][0] != node:
            self._blocks.append((self._rows, node))
        self._starts.append(layout.starts[start:stop] + (self._slots - first))
        self._blank.append(layout.blank[2 * first : 2 * last])
        if ran.at >= 0:
            begin, end = np.searchsorted(layout.to, (2 * first, 2 * last))
            self._to.append(layout.to[begin:end] + 2 * (self._slots - first))
            self._of.append(layout.of[begin:end] + ran.at)
            if layout.elsewhere:
                self._blank[-1] = self._blank[-1].copy()
                self._elsewhere(ran, layout, 2 * first, 2 * last)
        self._rows += stop - start
        self._slots += int(last - first)

    def _elsewhere(self, ran: Ran, layout: Layout, start: int, stop: int) -> None:
        """The halves from `start` up to `stop` of which others tell; they come last of all so far."""
        blank = self._blank[-1]
        to: list[int] = []
        of: list[int] = []
        for half, wide, tensor in layout.elsewhere:
            if start <= half < stop:
                teller, told = self._teller(ran, tensor)
                at = teller.body.ranges.get(told)
                if at is None:
                    ends = _halves(teller.body.fixed[told], wide)
                    blank[half - start : half - start + len(ends)] = ends
                else:
                    halves = teller.body.halves(at)
                    to += range(2 * self._slots + half - start, 2 * self._slots + half - start + len(halves))
                    of += range(teller.at + halves.start, teller.at + halves.stop)
        self._to.append(np.array(to, np.int64))
        self._of.append(np.array(of, np.int64))

    def _teller(self, ran: Ran, tensor: Tensor) -> tuple[Ran, Tensor]:
        """Which execution tells the range of a tensor, and of which tensor there."""
        while True:
            body, outer = ran.body, ran.outer
            tensor = body.alike.get(tensor, tensor)
            if tensor in body.ranges or tensor in body.fixed:
                return ran, tensor
            assert outer is not None, f"{tensor} of {body.function} is told by nobody"
            if tensor in body.popped:
                pushing, tensor = body.popped[tensor]
                ran = self._iterations(outer, pushing)[-1 - (ran.iteration or 0)]
                continue
            at = body.arguments.index(tensor)
            if ran.before is not None and body.gives[at] != tensor:
                ran, tensor = ran.before, body.gives[at]
            else:  # also where a loop hands it on as it is
                ran, tensor = outer, body.gets[at]

    def _iterations(self, ran: Ran, body: Body) -> list[Ran]:
        """The executions of a loop's body inside of another one."""
        found = self._loops.get((ran, body))
        if found is None:
            found = self._loops[ran, body] = [one for one in ran.inside if one.body is body]
        return found


def _halves(ends: tuple[float, float], wide: bool) -> npt.NDArray[np.uint32]:
    """A range as slots have it, in halves of slots."""
    return np.array(ends, np.float64 if wide else np.float32).view(np.uint32)
