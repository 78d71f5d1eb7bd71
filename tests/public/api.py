"""The public names, used as a stranger would use them. Checked by mypy and pyright, never run.

A change that breaks this file breaks other people's notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

import graphlens
from graphlens.ir import Graph, ValueUse
from graphlens.store import Call, Op, Process, Run
from graphlens_tracers.events import GraphSeen, NodeId, NodeSeen, Seq

run = graphlens.load("last")
assert_type(run, Run)
assert_type(graphlens.load(Path("digits.glens")), Run)
assert_type(graphlens.__version__, str)

process = run.main
assert_type(process, Process)
assert_type(process.graphs(), Sequence[GraphSeen])

graph = process.graph(process.graphs()[0].graph)
assert_type(graph, Graph)
for node in graph.order:
    assert_type(node, NodeId)
    assert_type(graph.node(node), NodeSeen)
    assert_type(graph.inputs(node), list[ValueUse])

for call in process.calls(graph.seen.graph):
    assert_type(call, Call)
    assert_type(call.step, int | None)

op = process.op(Seq(0))
assert_type(op, Op)
for output in op.outputs:
    assert_type(output.low, float | None)
