"""Which graph of a run a file is about, and how one call of it went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphlens.exporters import Options
from graphlens.processes import Who, find, who_is
from graphlens.text import clean
from graphlens.view.subject import Illness, Subject
from graphlens_tracers.errors import UnknownName
from graphlens_tracers.events import GraphSeen, NodeId, Phase, Seq, ValueId

if TYPE_CHECKING:
    from graphlens.store import Call, Process, Run

NAN, INF = 1, 2
"""Flags of a row."""
PARTS = ("body", "branch")
"""Kinds of graphs that are only a part of what a person wrote."""


class Chosen(NamedTuple):
    """A graph, and the call of it that is shown; None when it never ran.

    `alone`: the run has no other process.
    """

    who: Who
    seen: GraphSeen
    call: Call | None
    alone: bool

    @property
    def process(self) -> Process:
        """Whose graph it is."""
        return self.who.process


def chosen(run: Run, options: Options) -> Chosen:
    """The graph that `options` means.

    Raises:
        UnknownName: The run has no such process, graph or step, or no graph at all.
    """
    processes = run.processes()
    if not processes or not any(process.graphs() for process in processes):
        raise UnknownName(f"{run.path.name} has no graph: no operation was recorded")
    who = find(run, options.process) if options.process is not None else who_is(run, run.main)
    process, alone = who.process, len(processes) == 1
    graphs = list(process.graphs())
    if options.graph is not None:
        graphs = [seen for seen in graphs if options.graph in (str(seen.graph), seen.name)]
        if not graphs:
            names = ", ".join(f"{seen.graph} ({seen.name})" for seen in list(process.graphs())[:12])
            raise UnknownName(f"no graph {options.graph!r}; this run has: {names}")
    if options.step is not None:
        return Chosen(who, *_of_step(process, graphs, options.step), alone)
    if not graphs:
        raise UnknownName(f"{clean(who.name)} has no graph: it ran no operation")

    by_id = {seen.graph: seen for seen in graphs}
    ill = _first_ill(process)
    if ill is not None and ill.graph in by_id:
        return Chosen(who, by_id[ill.graph], ill, alone)

    def weight(seen: GraphSeen) -> tuple[int, bool, int, int, int]:
        order = process.order(seen.graph)
        steps = len({call.step for call in process.calls(seen.graph) if call.role == "train"})
        forward = sum(1 for node in order if process.nodes[node].phase is Phase.FORWARD)
        return steps, seen.kind not in PARTS, forward, len(order), -seen.graph

    seen = max(graphs, key=weight)
    return Chosen(who, seen, telling(process, list(process.calls(seen.graph))), alone)


def _of_step(process: Process, graphs: list[GraphSeen], step: int) -> tuple[GraphSeen, Call]:
    """The graph and call of a training step; of another call in that step where there is none."""
    by_id = {seen.graph: seen for seen in graphs}
    found = [call for call in process.calls() if call.step == step and call.graph in by_id]
    if not found:
        known = sorted({call.step for call in process.calls() if call.step is not None})
        have = f"it has {known[0]} to {known[-1]}" if known else "it has none"
        raise UnknownName(f"no step {step} in this run; {have}")
    call = max(found, key=lambda call: (call.role == "train", call.last - call.first))
    return by_id[call.graph], call


def _first_ill(process: Process) -> Call | None:
    """The training step, or the function in it, that made the first NaN of all; None where none did."""
    seqs, flags = process.bad_flags()
    with_nan = seqs[flags & NAN > 0]
    call = process.call_at(Seq(int(with_nan[0]))) if len(with_nan) else None
    return call if call is not None and call.role == "train" and call.step is not None else None


def telling(process: Process, calls: list[Call]) -> Call | None:
    """The first call in which a NaN was made, else the last one that ended well, else the last."""
    bad = process.bad_rows()
    for call in calls:
        inside = bad[np.searchsorted(bad, call.first) : np.searchsorted(bad, call.last, "right")]
        if len(inside):
            rows = process.rows(call.first, call.last + 1)
            if np.any((rows.flags & NAN > 0) & (rows.call == call.call)):
                return call
    ended = [call for call in calls if call.ended and call.error is None]
    return (ended or calls)[-1] if calls else None


def subject_of(picked: Chosen) -> Subject:
    """What a picture of the chosen graph is made from."""
    process, seen, call = picked.process, picked.seen, picked.call
    graph = process.graph(seen.graph)
    nodes = [graph.node(node) for node in graph.order]
    return Subject(
        name=seen.name,
        nodes=nodes,
        inputs={node: graph.reads(node) for node in graph.order},
        leaves={leaf.value: leaf for leaf in graph.leaves()},
        scopes=process.scopes,
        module_calls=process.module_calls,
        sites=process.sites,
        ill=_ill(process, call, {node.node: node.outputs for node in nodes}) if call is not None else {},
        said=_said(picked),
        missing=tuple(_missing(process)),
    )


def _ill(process: Process, call: Call, outputs: dict[NodeId, tuple]) -> dict[ValueId, Illness]:  # type: ignore[type-arg]
    """Values with a NaN or an infinity in this call, from the range of every output."""
    rows = process.rows(call.first, call.last + 1)
    mine = np.flatnonzero((rows.call == call.call) & (rows.flags & (NAN | INF) > 0))
    if not len(mine):
        return {}
    ranges = process.ranges(call.first, call.last + 1)
    found: dict[ValueId, Illness] = {}
    for k in mine.tolist():
        made = outputs.get(NodeId(int(rows.node[k])), ())
        for at in range(int(ranges.offsets[k]), int(ranges.offsets[k + 1])):
            low, high, slot = float(ranges.low[at]), float(ranges.high[at]), int(ranges.slot[at])
            if slot >= len(made) or low > high:  # low > high: nothing was looked at
                continue
            if np.isnan(low) or np.isnan(high):
                found[made[slot].value] = "nan"
            elif np.isinf(low) or np.isinf(high):
                found[made[slot].value] = "inf"
    return found


def _said(picked: Chosen) -> tuple[str, ...]:
    process, seen, call = picked.process, picked.seen, picked.call
    said: list[str] = []
    if call is None or call.step is None:
        said.append(seen.name)
    else:
        role = {"train": "training step", "eval": "evaluation in step"}.get(call.role, "step")
        said.append(f"{role} {call.step}")
    said += [f"{one.tracer} {one.framework_version}".strip() for one in process.tracers]
    if not picked.alone:
        said.append(clean(picked.who.name))
    return tuple(said)


def _missing(process: Process) -> list[str]:
    """What was not captured, a sentence a kind."""
    counts: Counter[str] = Counter()
    for gap in process.gaps:
        counts[gap.kind] += gap.count
    said = [f"{count:,} {kind}" for kind, count in sorted(counts.items())]
    if process.dropped:
        said.append(f"{process.dropped:,} rows dropped")
    return said
