"""One operation that ran, with all that is known of it put together."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphlens.calls import Call
from graphlens.rows import Ints, Rows
from graphlens_tracers.events import (
    GraphId,
    NodeId,
    NodeSeen,
    Numerics,
    Seq,
    SiteSeen,
    Spec,
    Unusual,
    ValueId,
)

if TYPE_CHECKING:  # it makes them; only their type is needed here
    from graphlens.process import Process


@dataclass(frozen=True, slots=True)
class OutputSeen:
    """One tensor that existed.

    Attributes:
        low, high: Smallest and largest element; NaN in both when it holds NaN, and the smallest and
            largest finite one where a fact says so in `numerics`. None when it was not looked at, or
            had no elements.
        nan, pos_inf, neg_inf: How many elements; None when nobody counted (an output that is not
            finite, beyond the first of its call, or as in the call before).
        where: Indices of the first few elements that are not finite.
        looked_at: Whether its numbers were read at all.
        alias: Index of the input whose memory it shares.
    """

    value: ValueId
    spec: Spec
    low: float | None = None
    high: float | None = None
    nan: int | None = None
    pos_inf: int | None = None
    neg_inf: int | None = None
    where: tuple[tuple[int, ...], ...] = ()
    looked_at: bool = False
    alias: int | None = None
    numerics: Numerics | None = None

    @property
    def finite(self) -> bool | None:
        """Whether all its elements are; None when it was not looked at."""
        if not self.looked_at:
            return None
        if self.nan or self.pos_inf or self.neg_inf:
            return False
        return self.low is None or self.high is None or (math.isfinite(self.low) and math.isfinite(self.high))


@dataclass(frozen=True, slots=True)
class Op:
    """One operation that ran.

    Attributes:
        call: None when it is not known which call it belongs to.
        graph: That of its call; without one, a graph that has its node; -1 when none has.
        inputs: (value, the operation that made it) for each argument; the operation is None for a
            leaf that nothing in this run is known to have made, the value None where there is none.
        began_ns: On the machine's monotonic clock.
        error: The exception that it raised.
        scope_path: The innermost module around it.
        site: The innermost frame in the user's source; for a backward operation that of its twin.
        by_hand: What a person has replaced while it was held: ("in" or "out", which, the expression).
    """

    seq: Seq
    node: NodeSeen
    call: Call | None
    graph: GraphId
    inputs: tuple[tuple[ValueId | None, Seq | None], ...]
    outputs: tuple[OutputSeen, ...]
    took_ns: int
    began_ns: int
    error: str | None
    scope_path: str
    site: SiteSeen | None
    by_hand: tuple[tuple[str, int, str], ...] = ()


def command_to_see(process: Process, op: Op) -> str:
    """How elements that were not kept are seen: "record --keep step:3:4"; "run --break train.py:7"
    inside of TensorFlow's functions and sessions, of which no step is kept as a whole."""
    whole = all(seen.order == "ran" for seen in process.graphs() if seen.graph == op.graph)
    if not whole and op.site is not None:
        return f"run --break {os.path.basename(op.site.file)}:{op.site.line}"
    step = None if op.call is None else op.call.step
    return "record --keep " + ("all" if step is None else f"step:{step}:{step + 1}")


def op_at(process: Process, seq: Seq, node: NodeId, row: Rows) -> Op:
    """Put together what `process` knows of the operation in `row`."""
    seen = process.nodes[node]
    call = process.call_at(seq)
    facts = {fact.slot: fact for fact in process.unusual(seq, seq + 1)}
    ranges = process.ranges(seq, seq + 1)
    numbers = {
        int(slot): (float(low), float(high))
        for slot, low, high in zip(ranges.slot, ranges.low, ranges.high, strict=True)
    }
    specs = process.specs(call, node)
    raised = facts.get(-1)
    return Op(
        seq,
        seen,
        call,
        _graph_of(process, call, node),
        _inputs(process, seq, seen, call),
        tuple(
            output_seen(seen, slot, specs[slot], numbers.get(slot), facts.get(slot))
            for slot in range(len(seen.outputs))
        ),
        int(row.took[0]),
        int(row.began[0]),
        None if raised is None else raised.error,
        process.scope_path(seen),
        process.site_of(seen),
        tuple(
            ("out", fact.slot, one.text) if one.input is None else ("in", one.input, one.text)
            for fact in facts.values()
            for one in fact.by_hand
        ),
    )


def output_seen(
    node: NodeSeen, slot: int, spec: Spec, numbers: tuple[float, float] | None, fact: Unusual | None
) -> OutputSeen:
    """One output: what its range says, and what a fact says more exactly."""
    output = node.outputs[slot]
    if fact is not None and fact.spec is not None:
        spec = fact.spec
    low, high = numbers or (None, None)
    empty = numbers == (math.inf, -math.inf)
    # (+inf, -inf) is an empty tensor, or one that could not be read: its shape tells which.
    looked_at = numbers is not None and (not empty or (spec.shape is not None and 0 in spec.shape))
    if empty:
        low = high = None
    known = fact.numerics if fact is not None else None
    if known is not None:
        counts: tuple[int | None, int | None, int | None] = known.nan, known.pos_inf, known.neg_inf
        looked_at = True
        if fact is not None and fact.by_hand:  # the range is of what was there before
            low, high = known.low, known.high
    elif looked_at and (low is None or high is None or (math.isfinite(low) and math.isfinite(high))):
        counts = 0, 0, 0
    else:
        counts = None, None, None
    where = known.where if known is not None else ()
    return OutputSeen(output.value, spec, low, high, *counts, where, looked_at, output.alias, known)


def _graph_of(process: Process, call: Call | None, node: NodeId) -> GraphId:
    if call is not None:
        return call.graph
    graphs = (seen.graph for seen in process.graphs())
    return next((graph for graph in graphs if node in process.order(graph)), GraphId(-1))


def _inputs(
    process: Process, seq: Seq, node: NodeSeen, call: Call | None
) -> tuple[tuple[ValueId | None, Seq | None], ...]:
    if call is None:
        return tuple((value, None) for value in node.inputs)
    values = process.inputs(call.graph, node.node)
    seqs, nodes = process.nodes_of(call.first, seq)
    found: list[tuple[ValueId | None, Seq | None]] = []
    for value in values:
        made = None if value is None else _made(process, value, call, seqs, nodes)
        found.append((value, made))
    return tuple(found)


def _made(process: Process, value: ValueId, call: Call, seqs: Ints, nodes: Ints) -> Seq | None:
    bound = process.bound(call.call, value)
    if bound is not None:
        return bound.producer
    maker = process.maker(value)
    if maker is None:
        return None
    at = np.flatnonzero(nodes == maker[0])
    return Seq(int(seqs[at[-1]])) if len(at) else None
