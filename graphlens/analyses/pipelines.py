"""What functions of tf.data may have done to numbers: they run where nobody sees."""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.analyses.births import Bad, short
from graphlens.store import Process
from graphlens_tracers.events import NodeSeen

_OUT_OF_ONE = ("IteratorGetNext", "OptionalGetValue", "IteratorGetNextAsOptional", "IteratorGetNextSync")
"""What takes an element out of a dataset."""
_FUNCTION = "Dataset_"
"""How the names of their functions begin."""
_MAKERS = (
    "log", "log1p", "div", "reciprocal", "rsqrt", "sqrt", "pow", "exp", "expm1", "acos",
    "asin", "atanh", "acosh", "erfinv", "ndtri", "lgamma", "digamma", "stringtonumber", "decodecsv",
    "decoderaw", "parseexamplev2", "parsesingleexample", "pyfunc", "eagerpyfunc",
)  # fmt: skip
"""Operations that make NaN or infinities of what is finite, or bring in numbers of their own."""
_SAFE = ("DivNoNan", "Xdivy")
"""Divisions that do not."""
MOST = 3
"""Places that are named, at most."""


def unseen_makers(process: Process, bad: Bad) -> list[NodeSeen]:
    """Operations in functions of tf.data that may have made what came out of a dataset, one a line.

    Empty where it did not come out of one.
    """
    if bad.birth != "outside" or bad.node.op not in _OUT_OF_ONE:
        return []
    found: dict[object, NodeSeen] = {}
    for node in _computed_unseen(process):
        if short(node.op) in _MAKERS and node.op not in _SAFE:
            found.setdefault((node.op, node.site), node)
    return list(found.values())[:MOST]


def _computed_unseen(process: Process) -> Iterator[NodeSeen]:
    """The operations of functions of tf.data, and of all that those call."""
    graphs = {graph.graph: graph for graph in process.graphs()}
    for graph in graphs.values():
        top = graph
        while top.parent is not None and top.parent in graphs:
            top = graphs[top.parent]
        if top.kind == "function" and top.name.startswith(_FUNCTION):
            yield from (process.nodes[node] for node in process.order(graph.graph))
