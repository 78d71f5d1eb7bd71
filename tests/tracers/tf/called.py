"""Functions among all that is recorded: beside them there are the steps of what runs eagerly."""

from __future__ import annotations

from graphlens.calls import Call
from graphlens.store import Process
from graphlens_tracers.events import GraphSeen


def functions(process: Process) -> list[GraphSeen]:
    """Their graphs, without those of what ran eagerly."""
    return [graph for graph in process.graphs() if graph.order == "topological"]


def called(process: Process) -> list[Call]:
    """Their calls by Python, not by each other."""
    inside = {graph.graph for graph in functions(process)}
    calls = {call.call: call for call in process.calls()}
    return [
        call
        for call in calls.values()
        if call.graph in inside and (call.parent is None or calls[call.parent].graph not in inside)
    ]
