"""Looks at the numbers of what ran eagerly: ranges into the page, and facts of what is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isnan
from typing import Any

from graphlens_tracers.events import Kept, NodeId, Numerics, Seq, Unusual
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.rows import Rows
from graphlens_tracers.sink import LogSink, words_of
from graphlens_tracers.tf.elements import keep, readable
from graphlens_tracers.tf.nodes import Node
from graphlens_tracers.tf.numerics import INF, NOTHING, glance, how_of, numerics, range_of
from graphlens_tracers.wire import AT_SLOTS, MAX_ROWS, MAX_SLOTS

_FIRST_F32, _FIRST_F64 = AT_SLOTS // 4, AT_SLOTS // 8
MOST_INPUTS = 64
"""Inputs that are looked at again at most."""
MOST_FACTS = 8
"""Outputs of one call that get exact counts, of those that were not finite in an earlier call already."""
MOST_NEW = 32
"""And of those that are so for the first time. As many with NaN: masks of minus infinity in every layer must
not hide what comes after them. Of the others only the range is kept."""


class Looks:
    """Writes the rows of one thread with the ranges that it finds."""

    def __init__(self, sink: LogSink, health: bool, keeping: Keeping) -> None:
        self._sink = sink
        self._keeping = keeping
        self._there: set[int] = set()  # tensors of this call that are kept
        self._health = health
        self._rows = Rows(sink)
        self._ranges: dict[int, tuple[float, float]] = {}  # by tensor, of this call
        self._facts: dict[tuple[NodeId, int], Numerics] = {}
        self._bad: dict[int, tuple[int, int]] = {}  # by tensor, of this call: which output of which operation
        self._inside = False
        self._left: dict[tuple[bool, bool], int] = {}  # by: with NaN, for the first time

    def begin(self, step: int | None) -> None:
        """A call begins; `step`: None before the first one."""
        self._ranges.clear()
        self._bad.clear()
        self._there.clear()
        self._keeping.begin(step)
        self._left = {
            (nan, new): MOST_NEW if new else MOST_FACTS for nan in (False, True) for new in (False, True)
        }

    def interrupted(self) -> None:
        """Others have written rows."""
        self._rows.emptied()

    def write(
        self,
        node: Node,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        began: int,
        took: int,
        alike: Any = None,
        inside: bool = False,
    ) -> None:
        """Write the row of an operation.

        Args:
            alike: The tensor that has just the numbers of its first output.
            inside: Whether what it made was born inside of it, where that is told.
        """
        sink = self._sink
        self._inside = inside
        if sink.rows >= MAX_ROWS or sink.slots + node.slots > MAX_SLOTS:
            sink.flush()
        slot, page = sink.slots, sink.page
        for output, how in node.ranged:
            tensor = outputs[output]
            found = None if alike is None else self._ranges.get(alike._id)
            low, high = self._look(node, output, tensor, inputs) if found is None else found
            self._ranges[tensor._id] = low, high
            if not (-INF < low and high < INF):
                self._bad[tensor._id] = sink.seq, output
            if how == "f4":
                at = _FIRST_F32 + 2 * slot
                page.f32[at], page.f32[at + 1] = low, high
                slot += 1
            else:
                at = _FIRST_F64 + slot
                page.f64[at], page.f64[at + 1] = low, high
                slot += 2
        sink.slots = slot
        if node.writes and self._health and node.place[0].startswith("Assign"):
            for nth, (at, _) in enumerate(node.writes):
                self._look_at_written(node, len(node.outputs) + nth, inputs, at)
        if self._health and "Dataset" in node.place[0]:
            self._look_at_given(inputs)
        if self._keeping.everything:
            self._keep_all(inputs, outputs)
        self._rows.write(node, began, took)

    def printed(self, tensor: Any) -> None:
        """The script has written a tensor as text: say so, where it is not finite."""
        made = self._bad.pop(tensor._id, None)
        if made is not None:
            self._sink.declare(Unusual(Seq(made[0]), made[1], printed=True))

    def _birth(
        self, node: Node, made: Any, found: Numerics, inputs: Sequence[Any], seen: Sequence[Numerics | None]
    ) -> tuple[Kept, ...]:
        """Keep what an operation made and read, where what is not finite was born in it."""
        if not inputs or self._inside or self._keeping.everything:
            return ()  # a constant, or told inside, or kept anyhow
        if not self._keeping.born(node.id, found, seen):
            return ()
        place = found.where[0] if found.where else ()
        kept = self._keep(made, None, place)
        for k, tensor in enumerate(inputs[:MOST_INPUTS]):
            alike = tensor._shape_tuple() == made._shape_tuple()
            kept += self._keep(tensor, k, place if alike else ())
        return kept

    def _keep_all(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Keep all that an operation made, and what it read of what no operation of this call has made."""
        facts = [
            (0, self._keep(one, k)) for k, one in enumerate(inputs) if outputs and one._id not in self._there
        ]
        facts += [(output, self._keep(one)) for output, one in enumerate(outputs)]
        self._there.update(one._id for one in (*inputs, *outputs))
        for output, kept in facts:
            if kept:
                fact = Unusual(Seq(self._sink.seq), output, kept=kept)
                self._rows.later.append(partial(self._sink.declare, fact))

    def _keep(self, tensor: Any, given: int | None = None, place: tuple[int, ...] = ()) -> tuple[Kept, ...]:
        try:
            return keep(self._keeping, tensor, given, place) if readable(tensor) else ()
        except Exception as error:
            words = f"elements were not kept: {words_of(error)}"[:200]
            self._rows.later.append(partial(self._sink.gap, "unkept", words))
            return ()

    def _look_at_written(self, node: Node, slot: int, inputs: Sequence[Any], handle: int) -> None:
        """Say what a variable is given, where that is not finite and no operation has made it."""
        for k, tensor in enumerate(inputs):
            if k == handle or not how_of(tensor) or tensor._id in self._ranges:
                continue
            low, high = range_of(tensor)
            if not (-INF < low and high < INF) and (low, high) != NOTHING:
                fact = Unusual(Seq(self._sink.seq), slot, numerics(tensor), inputs=_looked_at(inputs))
                self._rows.later.append(partial(self._sink.declare, fact))

    def _look_at_given(self, inputs: Sequence[Any]) -> None:
        """Say what a dataset is made of: what its functions make of it is seen nowhere."""
        try:
            given = tuple([glance(tensor) for tensor in inputs])
        except Exception as error:
            words = f"what datasets are made of: {words_of(error)}"[:200]
            self._rows.later.append(partial(self._sink.gap, "unreadable", words))
            return
        if any(one is not None for one in given):
            fact = Unusual(Seq(self._sink.seq), 0, inputs=given)
            self._rows.later.append(partial(self._sink.declare, fact))

    def _look(self, node: Node, output: int, tensor: Any, inputs: Sequence[Any]) -> tuple[float, float]:
        try:
            low, high = range_of(tensor)
        except Exception as error:
            words = f"tensors that run eagerly: {words_of(error)}"[:200]
            self._rows.later.append(partial(self._sink.gap, "unreadable", words))
            return NOTHING
        kind = isnan(low) or isnan(high), (node.id, output) not in self._facts
        if not (-INF < low and high < INF) and (low, high) != NOTHING and self._left.get(kind, 0) > 0:
            self._left[kind] -= 1
            found = numerics(tensor)
            if self._facts.get((node.id, output)) != found:
                self._facts[node.id, output] = found
                seen = _looked_at(inputs)
                kept = self._birth(node, tensor, found, inputs, seen)
                fact = Unusual(Seq(self._sink.seq), output, found, inputs=seen, kept=kept)
                self._rows.later.append(partial(self._sink.declare, fact))
        return low, high


def _looked_at(inputs: Sequence[Any]) -> tuple[Numerics | None, ...]:
    """How the inputs look; nothing where they are too many."""
    if len(inputs) > MOST_INPUTS:
        return ()
    return tuple([numerics(tensor) if how_of(tensor) else None for tensor in inputs])
