"""Looks at the numbers of what an operation made: ranges into the page, and facts of what is not finite."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import Any

import torch

from graphlens_tracers.events import Kept, Numerics, Seq, Unusual, ValueId
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.pytorch import elements
from graphlens_tracers.pytorch import numerics as numbers
from graphlens_tracers.pytorch.arguments import Tensors, collect
from graphlens_tracers.pytorch.numerics import (
    INF,
    WIDTH,
    Ranged,
    Ranges,
    Slots,
    TooLarge,
    numerics,
    ranged_as,
)
from graphlens_tracers.pytorch.plan import Node
from graphlens_tracers.rows import Rows
from graphlens_tracers.sink import LogSink
from graphlens_tracers.wire import AT_SLOTS

_SLOTS_F32 = AT_SLOTS // 4
MOST_INPUTS = 64
"""Inputs that are looked at again at most."""
MOST_FACTS = 8
"""Outputs of one call that get exact counts, of those that were not finite in an earlier call already."""
MOST_NEW = 32
"""And of those that are so for the first time. As many with NaN: masks of minus infinity in every layer must
not hide what comes after them. Of the others only the range is kept."""


class Looks:
    """Looks for one thread."""

    def __init__(self, sink: LogSink, rows: Rows, keeping: Keeping) -> None:
        self._sink = sink
        self._rows = rows
        self.keeping = keeping
        self._there: set[ValueId | None] = set()  # values of this call that are kept
        self.slots = Slots(sink.page)
        self._facts: dict[tuple[int, int], Any] = {}
        self._left: dict[tuple[bool, bool], int] = {}  # by: with NaN, for the first time

    def mark(self) -> tuple[int, int]:
        """What `undo` goes back to: how many slots are in use, and how much is to be said."""
        return self._sink.slots, len(self._rows.later)

    def begin(self, step: int | None) -> None:
        """A call begins; `step`: None before the first one."""
        self._left = {
            (nan, new): MOST_NEW if new else MOST_FACTS for nan in (False, True) for new in (False, True)
        }
        self._there.clear()
        self.keeping.begin(step)

    def look(
        self,
        node: Node,
        results: Sequence[torch.Tensor],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        ranged: Ranges | None = None,
    ) -> None:
        """Ranges of the outputs into the page, and facts where they are not finite.

        Args:
            args, kwargs: What the operation was given.
            ranged: Of its outputs, the ones to look at; the node's by default.
        """
        slots, sink = self.slots, self._sink
        slot = sink.slots
        page_f32 = sink.page.f32
        for output, how in node.ranged if ranged is None else ranged:
            tensor = results[output]
            try:
                if how == "f4" and not tensor.is_neg():
                    views = slots.f4
                    low = 2 * slot
                    numbers.aminmax(tensor, out=(views[low], views[low + 1]))
                    good = -INF < page_f32[_SLOTS_F32 + low] and page_f32[_SLOTS_F32 + low + 1] < INF
                    slot += 1
                else:
                    good = slots.look(tensor, how, slot)
                    slot += 2 if how == "f8" else 1
            except Exception as error:
                good = self.unlooked(node, tensor, how, slot, error)
                slot += 2 if how == "f8" else 1
            if not good:
                self.fact(node, output, tensor, how, slot - WIDTH[how], args, kwargs)
        sink.slots = slot

    def undo(self, node: Node, mark: tuple[int, int]) -> None:
        """The operation raised after some of its outputs were looked at: it has none."""
        self._sink.slots, said = mark
        del self._rows.later[said:]
        for output, _ in node.ranged:
            self._facts.pop((node.id, output), None)

    def unlooked(self, node: Node, tensor: torch.Tensor, how: Any, slot: int, error: Exception) -> bool:
        """`aminmax` refused: an empty or complex tensor is looked at otherwise, any other is a gap."""
        if isinstance(error, TooLarge):
            self.slots.blank(how, slot)
            self._rows.later.append(partial(self._sink.gap, "sampled", str(error)))
            return True
        try:
            return self.slots.look(tensor, how, slot)
        except Exception:
            self.slots.blank(how, slot)
            self._unreadable(node, error)
            return True

    def fact(
        self, node: Node, output: int, tensor: torch.Tensor, how: Ranged, slot: int, args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> None:  # fmt: skip
        """Exact counts of an output that is not finite; said when they are not those of the last time.

        Then the inputs are looked at again: somebody may have written to them past PyTorch.

        Args:
            how, slot: Where its range is.
        """
        kind = self.slots.nan(how, slot), (node.id, output) not in self._facts
        if self._left.get(kind, 0) <= 0:
            return
        self._left[kind] -= 1
        try:
            found = numerics(tensor)
        except Exception as error:
            self._unreadable(node, error)
            return
        if self._facts.get((node.id, output)) != found:
            self._facts[node.id, output] = found
            given = _given(args, kwargs)
            inputs = _inputs(node, given)
            kept = self._birth(node, tensor, found, given, inputs)
            fact = Unusual(Seq(self._sink.seq), output, found, inputs=inputs, kept=kept)
            self._rows.later.append(partial(self._sink.declare, fact))

    def _birth(
        self, node: Node, made: torch.Tensor, found: Numerics, given: Tensors, seen: Sequence[Numerics | None]
    ) -> tuple[Kept, ...]:
        """Keep what an operation made and read, where what is not finite was born in it."""
        if not given or self.keeping.everything or not all(map(isfinite, node.scalars)):
            return ()  # a constant, or kept anyhow
        if not self.keeping.born(node.id, found, seen):
            return ()
        place = found.where[0] if found.where else ()
        kept = self._keep(made, None, place)
        overwritten = _overwritten(node)
        for k, tensor in enumerate(given[:MOST_INPUTS]):
            if k not in overwritten and elements.readable(tensor):
                kept += self._keep(tensor, k, place if tensor.shape == made.shape else ())
        return kept

    def keep(
        self, node: Node, results: Sequence[torch.Tensor], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        """Keep all that an operation made, and what it read of what no operation of this call has made."""
        facts: list[tuple[int, tuple[Kept, ...]]] = []
        overwritten = _overwritten(node)
        for k, (value, tensor) in enumerate(zip(node.inputs, _given(args, kwargs), strict=False)):
            if value not in self._there and k not in overwritten:
                self._there.add(value)
                facts.append((0, self._keep(tensor, k)))
        for output, tensor in enumerate(results):
            self._there.add(node.outputs[output].value)
            facts.append((output, self._keep(tensor)))
        for output, kept in facts:
            if kept:
                fact = Unusual(Seq(self._sink.seq), output, kept=kept)
                self._rows.later.append(partial(self._sink.declare, fact))

    def _keep(
        self, tensor: torch.Tensor, given: int | None = None, place: tuple[int, ...] = ()
    ) -> tuple[Kept, ...]:
        if not elements.readable(tensor):
            what = f"elements of {tensor.dtype} in {type(tensor).__name__}, {tensor.layout}, were not kept"
            self._rows.later.append(partial(self._sink.gap, "unkept", what))
            return ()
        try:
            return elements.keep(self.keeping, tensor, given, place)
        except Exception as error:
            words = f"elements were not kept: {type(error).__name__}: {error}"[:200]
            self._rows.later.append(partial(self._sink.gap, "unkept", words))
            return ()

    def _unreadable(self, node: Node, error: Exception) -> None:
        words = f"{node.info.name}: {type(error).__name__}: {error}"[:200]
        self._rows.later.append(partial(self._sink.gap, "unreadable", words))


def _given(args: Sequence[Any], kwargs: dict[str, Any]) -> Tensors:
    """The tensors that an operation was given, in order."""
    given: Tensors = []
    collect([args, kwargs], given)
    return given


def _overwritten(node: Node) -> set[int]:
    return {read for read, _ in node.writes}


def _inputs(node: Node, given: Tensors) -> tuple[Numerics | None, ...]:
    """How the inputs look; nothing where they are too many."""
    if len(given) > MOST_INPUTS:
        return ()
    overwritten = _overwritten(node)
    found: list[Numerics | None] = []
    for k, tensor in enumerate(given):
        looked = None
        if ranged_as(tensor) and k not in overwritten and k != node.info.scratch[1]:
            with contextlib.suppress(Exception):  # what cannot be looked at says so itself
                looked = numerics(tensor)
        found.append(looked)
    return tuple(found)
