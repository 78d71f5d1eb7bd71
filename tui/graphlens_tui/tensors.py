"""A kept tensor as the Tensor mode shows it: read and measured off the UI's thread, once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlens.analyses.examples import aligned
from graphlens.categories import Category, category
from graphlens.elements import Array, Elements
from graphlens.expressions import evaluate
from graphlens.session import Op, Process
from graphlens.statistics import (
    Bad,
    Difference,
    Histogram,
    Statistics,
    bad,
    difference,
    histogram,
    statistics,
)
from graphlens_tracers.errors import GraphlensError
from graphlens_tracers.events import Kept, Seq, Spec, ValueId
from graphlens_tui.elsewhere import same_ops

Key = tuple[int | None, int | None]
"""(None, slot) is an output of an operation, (position, None) an input."""
BINS = 240
"""Parts of a histogram; drawn coarser."""
MOST_READ = 6
"""Inputs that are shown beside an output."""
MOST_FACTS = 4000
"""Facts of a call that are searched for who read a leaf first."""
AT_ONCE = 1 << 20
"""Elements that are searched together."""
ALIKE = frozenset(
    (Category.ELEMENTWISE, Category.ACTIVATION, Category.NORM, Category.CAST, Category.OPTIMIZER)
)
"""Families in which an element of the output belongs to the inputs' elements at its place."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the elements of a tensor are.

    Attributes:
        maker: The operation that they were kept with, when that is another one.
    """

    kept: Kept
    maker: Seq | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown.

    Attributes:
        expression: Over `x`, the tensor; "" for the tensor itself.
        other: An operation and what it is called: it is held against the same output or input of that.
            None: against the nearest time before that it was kept, else after.
    """

    seq: Seq
    key: Key
    expression: str = ""
    other: tuple[Seq, str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """An input of the operation.

    Attributes:
        elements: None when it was not kept.
        why: Why no element of it belongs to one of the output; "" when one does.
        statistics: None until they are known.
        scale: How many times as large it is as the same input of the other operation.
    """

    position: int
    spec: Spec | None
    maker: Seq | None
    elements: Elements | None = None
    why: str = ""
    statistics: Statistics | None = None
    scale: float | None = None

    def at(self, whole: Sequence[int], place: Sequence[int]) -> tuple[int, ...] | None:
        """Its place that belongs to one of the output, of which `whole` is the shape."""
        if self.elements is None or self.why:
            return None
        return aligned(sizes(self.elements.spec), whole, place)


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Elements, and what is said of them once they were measured.

    Attributes:
        view: Those that are seen: the tensor's own, or what the expression makes of them.
        spec: Of the tensor itself.
        kept_with: The operation that read or made it, with which it was kept; None: its own.
        statistics, histogram, bad: None until they are known; a histogram also where nothing is finite.
        other_name: What it is held against; "" when that was not kept anywhere.
        other: The statistics of that; `other_histogram`: over the same range as `histogram` then.
        difference: To that; None when it is of another shape, or cannot be read.
        trouble: Why there is no difference.
    """

    wanted: Wanted
    view: Elements
    spec: Spec
    kept_with: Seq | None = None
    reads: tuple[Read, ...] = ()
    statistics: Statistics | None = None
    histogram: Histogram | None = None
    bad: Bad | None = None
    other_name: str = ""
    other: Statistics | None = None
    other_histogram: Histogram | None = None
    difference: Difference | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The tensor was not kept.

    Attributes:
        here: What is kept of the operation.
        elsewhere: The first of the other operations of which the same is kept.
    """

    wanted: Wanted
    here: tuple[Key, ...]
    elsewhere: tuple[Seq, str] | None


def sizes(spec: Spec) -> tuple[int, ...]:
    """A shape without unknowns: that of a kept tensor."""
    return tuple(size or 0 for size in spec.shape or ())


def value_at(elements: Elements, place: Sequence[int]) -> Any:  # Any: a number of the array's type, or None
    """The element at a place of the whole tensor; None when it is in a part that was not kept."""
    shape = sizes(elements.spec)
    at = (int(np.ravel_multi_index(tuple(place), shape)) if shape else 0) - elements.start
    flat = elements.array.reshape(-1)
    return flat[at] if 0 <= at < flat.size else None


def find(process: Process, op: Op, key: Key, *, far: bool = True) -> Found | None:
    """Where the elements of an output or input are: an input's with itself, or what made or first read it.

    Args:
        far: Look among all that its call has kept, too: for who read it.
    """
    direct = process.kept(op.seq).get(key)
    if direct is not None:
        return Found(direct)
    position, slot = key
    if position is None:
        value = op.outputs[slot].value if slot is not None and slot < len(op.outputs) else None
        last = op.call.last + 1 if op.call is not None else op.seq
        return _read_by(process, value, op.seq + 1, last) if far and value is not None else None
    if position >= len(op.inputs) or position in process.through(op.graph, op.node.node):
        return None  # what was written through a view is not kept as a whole
    value, made = op.inputs[position]
    maker = None if value is None else process.maker(value)
    if made is not None and maker is not None:
        kept = process.kept(made).get((None, maker[1]))
        if kept is not None:
            return Found(kept, made)
    if value is None or op.call is None or not far:
        return None
    return _read_by(process, value, op.call.first, op.call.last + 1)


def _read_by(process: Process, value: ValueId, first: int, stop: int) -> Found | None:
    """A value as an operation of a call has read it."""
    for fact in process.unusual(first, stop)[:MOST_FACTS]:
        for kept in fact.kept:
            if kept.input is None:
                continue
            reader = process.op(fact.seq)
            whole = kept.input not in process.through(reader.graph, reader.node.node)
            if whole and reader.inputs[kept.input][0] == value:
                return Found(kept, fact.seq)
    return None


def spec_of(process: Process, op: Op, key: Key) -> Spec | None:
    """What is known of an output or input without its elements."""
    position, slot = key
    if slot is not None:
        return op.outputs[slot].spec if slot < len(op.outputs) else None
    value = process.through(op.graph, op.node.node).get(position or 0, op.inputs[position or 0][0])
    if value is None:
        return None
    maker, leaf = process.maker(value), process.leaves.get(value)
    if maker is not None:
        return process.nodes[maker[0]].outputs[maker[1]].spec
    return None if leaf is None else leaf.spec


def look(process: Process, wanted: Wanted) -> Iterator[Tensor | Absent]:
    """The tensor: at first with its elements alone, then with all that is said of it.

    Raises:
        GraphlensError: It cannot be read, or the expression cannot be computed.
    """
    op = process.op(wanted.seq)
    found = find(process, op, wanted.key)
    if found is None:
        yield Absent(wanted, tuple(process.kept(op.seq)), kept_elsewhere(process, wanted))
        return
    whole = process.elements(found.kept)
    view = seen(whole, wanted.expression)
    reads = tuple(_reads(process, op, whole, wanted)) if wanted.key[0] is None else ()
    tensor = Tensor(wanted, view, whole.spec, found.maker, reads)
    yield tensor
    measured = (
        one if one.elements is None else replace(one, statistics=statistics(one.elements.array))
        for one in reads
    )
    tensor = replace(
        tensor, statistics=statistics(view.array), histogram=histogram(view.array, BINS), bad=bad(view),
        reads=tuple(measured),
    )  # fmt: skip
    other = kept_elsewhere(process, wanted)
    if other is None:
        yield tensor
        return
    tensor = replace(tensor, other_name=other[1])
    try:
        yield _against(process, tensor, other[0])
    except GraphlensError as error:
        yield replace(tensor, trouble=str(error))


def kept_elsewhere(process: Process, wanted: Wanted) -> tuple[Seq, str] | None:
    """Another operation of which the same is kept, and what that is called."""
    if wanted.other is not None:
        return wanted.other
    for forward in (False, True):
        for seq, name in same_ops(process, wanted.seq, forward=forward):
            if find(process, process.op(seq), wanted.key, far=False) is not None:
                return seq, name
    return None


def seen(whole: Elements, expression: str) -> Elements:
    """What an expression makes of elements; they themselves without one."""
    if not expression:
        return whole
    array = evaluate(expression, whole.array)
    return Elements(Spec(tuple(array.shape), array.dtype.name), array)


def _reads(process: Process, op: Op, whole: Elements, wanted: Wanted) -> Iterator[Read]:
    for position, (value, made) in enumerate(op.inputs[:MOST_READ]):
        if value is None:
            continue
        spec = spec_of(process, op, (position, None))
        found = find(process, op, (position, None))
        if found is None:
            through = position in process.through(op.graph, op.node.node)
            why = "was written through a view, and not kept as a whole" if through else ""
            yield Read(position, spec, made, None, why)
            continue
        try:
            elements = process.elements(found.kept)
        except GraphlensError as error:
            yield Read(position, spec, made, None, str(error))
            continue
        yield Read(position, elements.spec, made, elements, _why_not(op, elements, whole, wanted))


def _why_not(op: Op, given: Elements, whole: Elements, wanted: Wanted) -> str:
    """Why no cursor of an input goes with the output's; "" when it does."""
    if wanted.expression:
        return "an expression is seen"
    family = category(op.node.op)
    if family not in ALIKE:
        return f"{family} is not element by element"
    shape, over = sizes(given.spec), sizes(whole.spec)
    if math.prod(over) and aligned(shape, over, [0] * len(over)) is None:
        return f"{list(shape)} does not broadcast to {list(over)}"
    return ""


def _against(process: Process, tensor: Tensor, seq: Seq) -> Tensor:
    op = process.op(seq)
    found = find(process, op, tensor.wanted.key)
    if found is None:
        return replace(tensor, trouble="it was not kept there")
    other = seen(process.elements(found.kept), tensor.wanted.expression)
    reads = tuple(_scaled(process, op, read) for read in tensor.reads)
    same = tensor.view.start == other.start
    apart = difference(tensor.view.array, other.array) if same else None
    trouble = "" if apart is not None else f"it has the shape {list(sizes(other.spec))} there"
    if not same:
        trouble = "another part of it was kept there"
    one, two = _histograms(tensor.view.array, other.array)
    return replace(
        tensor, reads=reads, other=statistics(other.array), difference=apart, trouble=trouble,
        histogram=one, other_histogram=two,
    )  # fmt: skip


def _histograms(one: Array, other: Array) -> tuple[Histogram | None, Histogram | None]:
    """Of two arrays over the range of both."""
    both = histogram(one, BINS), histogram(other, BINS)
    if both[0] is None or both[1] is None:
        return both
    low, high = min(found.low for found in both if found), max(found.high for found in both if found)
    return _over(one, low, high), _over(other, low, high)


def _over(array: Array, low: float, high: float) -> Histogram:
    """A histogram over a range that is wider than the array's."""
    flat = array.reshape(-1)
    numbers = np.abs(flat) if flat.dtype.kind == "c" else flat
    found = histogram(np.append(numbers.astype(np.float64), (low, high)), BINS)
    assert found is not None, "the ends are finite"
    counts = list(found.counts)
    if low == high:
        counts[BINS // 2] -= 2
    else:
        counts[0], counts[-1] = counts[0] - 1, counts[-1] - 1
    return Histogram(low, high, tuple(counts))


def _scaled(process: Process, op: Op, read: Read) -> Read:
    """An input with how many times as large it is as that of another operation."""
    if read.elements is None or read.position >= len(op.inputs):
        return read
    found = find(process, op, (read.position, None))
    before = None if found is None else process.elements(found.kept)
    apart = None if before is None else difference(read.elements.array, before.array)
    return replace(read, scale=None if apart is None else apart.scale)


def next_bad(elements: Elements, at: int, *, forward: bool) -> int | None:
    """The next element in order that is not finite, before or after one; None without one."""
    flat = elements.array.reshape(-1)
    if flat.dtype.kind not in "fc":
        return None
    if forward:
        for first in range(at + 1, flat.size, AT_ONCE):
            found = np.flatnonzero(~np.isfinite(flat[first : first + AT_ONCE]))
            if len(found):
                return first + int(found[0])
        return None
    for stop in range(at, 0, -AT_ONCE):
        first = max(0, stop - AT_ONCE)
        found = np.flatnonzero(~np.isfinite(flat[first:stop]))
        if len(found):
            return first + int(found[-1])
    return None
