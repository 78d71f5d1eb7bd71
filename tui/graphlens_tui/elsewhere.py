"""The same place of the script in other calls: the step before, the next round of a loop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphlens.session import Call, Process
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import Seq

MOST = 64
"""Times that an operation ran before, or after, which are looked at."""
MOST_OPS = 1 << 20
"""Operations before, or after, among which they are looked for."""
AT_ONCE = 1 << 14


def same_ops(process: Process, seq: Seq, *, forward: bool) -> Iterator[tuple[Seq, str]]:
    """(operation, what its call is named) for each time that a place ran after, or before; the nearest first.

    Reads rows: not for the UI's thread.
    """
    node, own = process.op(seq).node.node, process.call_at(seq)
    found = 0
    for first, stop in _pieces(seq, process.end, forward):
        seqs, nodes = process.nodes_of(first, stop)
        same = seqs[np.asarray(nodes) == node].tolist()
        for other in same if forward else reversed(same):
            yield Seq(other), call_name(process.call_at(Seq(other)), own, other)
            found += 1
            if found == MOST:
                return


def _pieces(seq: int, end: int, forward: bool) -> Iterator[tuple[int, int]]:
    if forward:
        for first in range(seq + 1, min(end, seq + 1 + MOST_OPS), AT_ONCE):
            yield first, min(first + AT_ONCE, end)
    else:
        for stop in range(seq, max(0, seq - MOST_OPS), -AT_ONCE):
            yield max(0, stop - AT_ONCE), stop


def op_in_step(process: Process, seq: Seq, step: int) -> Seq:
    """The same operation in a step: the first time that it ran there.

    Raises:
        UnknownOp: It did not.
    """
    node = process.op(seq).node.node
    for call in process.calls():
        if call.step != step:
            continue
        seqs, nodes = process.nodes_of(call.first, call.last + 1)
        same = seqs[np.asarray(nodes) == node]
        if len(same):
            return Seq(int(same[0]))
    raise UnknownOp(f"it did not run in step {step}")


def call_name(call: Call | None, own: Call | None, seq: int) -> str:
    """What a call is named beside one's own."""
    if call is None or own is None:
        return f"op {seq}"
    if call.step is None or call.step == own.step:
        return f"op {seq}" if call.iteration is None else f"round {call.iteration}"
    return f"step {call.step}"
