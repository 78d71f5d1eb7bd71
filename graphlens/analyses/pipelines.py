"""What functions of tf.data may have done to numbers: they run where nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from graphlens.analyses.births import SOURCES, Bad, Birth, short
from graphlens.analyses.bounds import Bounds
from graphlens.store import Process
from graphlens_tracers.events import GraphId, NodeSeen, ValueId

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
_BRING_THEIR_OWN = (
    "CSVDataset", "ExperimentalCSVDataset", "LoadDataset", "DataServiceDataset", "SqlDataset", "Snapshot",
    "ExperimentalSqlDataset", "DatasetFromGraph", "WrapDatasetVariant",
)  # fmt: skip
"""Datasets with numbers in them that are none of their inputs."""
_COUNT = (
    "Batch",
    "PaddedBatch",
    "ParallelBatch",
    "Prefetch",
    "Repeat",
    "Shard",
    "Shuffle",
    "Skip",
    "Take",
    "Window",
)
"""Datasets of which whole numbers say how many, and are in no element."""
_NO_NUMBERS = ("variant", "resource", "string", "")
MOST = 3
"""Places that are named, at most."""


def deduced(process: Process, bad: Bad) -> Bad:
    """What came out of a dataset, blamed on the operation of its functions that must have made it.

    That is so where all that enters the datasets of a run is finite, and one operation alone can make NaN
    or infinities of numbers of that size. Otherwise it is as it was.
    """
    size = _entering(process) if _comes_out(bad) else None
    if size is None:
        return bad
    bounds = Bounds(process, size)
    for graph in _functions(process):
        bounds.look(graph)
    places = {(node.op, node.site): node for node in bounds.suspects}
    if len(places) != 1:
        return bad
    (node,) = places.values()
    why = (
        "deduced, for what functions of tf.data compute is not seen: all that enters them is finite, at most "
        f"{size:.4g} in size, and no other operation in them can make NaN or infinity of such numbers"
    )
    birth: Birth = "outside" if node.op in SOURCES else "born"
    return replace(bad, node=node, birth=birth, deduced=why)


def _entering(process: Process) -> float | None:
    """The largest size of all numbers that datasets are made of; None: not all are finite, or known."""
    nodes = {node.node: node for node in process.nodes.values() if "Dataset" in node.op}
    seqs, ran = process.nodes_of(0, process.end)
    made = [
        (seq, nodes[node]) for seq, node in zip(seqs.tolist(), ran.tolist(), strict=True) if node in nodes
    ]
    sizes = []
    for seq, node in made:
        kinds = [_kind(process, value) for value in node.inputs]
        given = next((fact.inputs for fact in process.unusual(seq, seq + 1) if fact.inputs), ())
        unseen = not given and any(kind not in _NO_NUMBERS for kind in kinds)
        if unseen or node.op.startswith(_BRING_THEIR_OWN):
            return None
        for kind, one in zip(kinds, given, strict=False):
            if one is None or (node.op.startswith(_COUNT) and "float" not in kind):
                continue
            if one.nan or one.pos_inf or one.neg_inf:
                return None
            sizes += [abs(end) for end in (one.low, one.high) if end is not None]
    return max(sizes, default=None)


def _kind(process: Process, value: ValueId | None) -> str:
    """The type of a value; "" where nobody knows."""
    made = None if value is None else process.maker(value)
    if made is not None:
        return process.nodes[made[0]].outputs[made[1]].spec.dtype
    leaf = None if value is None else process.leaves.get(value)
    return "" if leaf is None else leaf.spec.dtype


def unseen_makers(process: Process, bad: Bad) -> list[NodeSeen]:
    """Operations in functions of tf.data that may have made what came out of a dataset, one a line.

    Empty where it did not come out of one, or it is known which one it was.
    """
    if not _comes_out(bad):
        return []
    found: dict[object, NodeSeen] = {}
    for graph in _functions(process):
        for node in (process.nodes[number] for number in process.order(graph)):
            if short(node.op) in _MAKERS and node.op not in _SAFE:
                found.setdefault((node.op, node.site), node)
    return list(found.values())[:MOST]


def _comes_out(bad: Bad) -> bool:
    return bad.birth == "outside" and bad.node.op in _OUT_OF_ONE and not bad.deduced


def _functions(process: Process) -> Iterator[GraphId]:
    """The functions of tf.data, and all that those call, in the order in which they were made."""
    graphs = {graph.graph: graph for graph in process.graphs()}
    for graph in graphs.values():
        top = graph
        while top.parent is not None and top.parent in graphs:
            top = graphs[top.parent]
        if top.kind == "function" and top.name.startswith(_FUNCTION):
            yield graph.graph
