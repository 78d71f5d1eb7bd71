"""Numbers that come from other ranks: what a collective wrote, which its own rank has not computed.

The n-th collective of a group in one rank's log is the n-th in every other's.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Seq

_COLLECTIVES = ("c10d.", "_c10d_functional.")
_WAITS = "_c10d_functional.wait_tensor"


def is_collective(node: NodeSeen) -> bool:
    """Whether other ranks have a say in what an operation wrote. Nobody looks at that while it is written."""
    return node.op.startswith(_COLLECTIVES) and not node.op.startswith(_WAITS)


def group_of(node: NodeSeen) -> str | None:
    """The name of a collective's group; None for what is no collective."""
    if not is_collective(node):
        return None
    arguments: list[Any] = json.loads(node.form)[0]  # Any: JSON
    named = [one["group"] for one in arguments if isinstance(one, dict) and "group" in one]
    words = [one for one in arguments if isinstance(one, str) and not one.startswith("$")]
    return next(iter(named + words[::-1]), None)  # the functional ones have its name as the last word


def counterpart(mine: Process, seq: Seq, other: Process) -> Seq | None:
    """When another rank ran the collective that this one ran at `seq`; None where it never did."""
    node = mine.op(seq).node
    group = group_of(node)
    if group is None:
        return None
    met, its = _met(mine, group), _met(other, group)
    place = met.index(seq)
    return its[place] if place < len(its) else None


def _met(process: Process, group: str) -> list[Seq]:
    nodes = [node.node for node in process.nodes.values() if group_of(node) == group]
    seqs, ran = process.nodes_of(0, process.end)
    return [Seq(seq) for seq in seqs[np.isin(ran, nodes)].tolist()]
