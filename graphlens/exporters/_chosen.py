"""Which graph of a run a file is about, and how one call of it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphlens.exporters import Options
from graphlens.exporters._links import address
from graphlens.exporters._part import around, of_module
from graphlens.processes import SEEN_ALL_THE_SAME, Who, find, of_op, who_is
from graphlens.text import clean
from graphlens.view.subject import Illness, Subject
from graphlens_tracers.errors import UnknownName, UnknownOp
from graphlens_tracers.events import GraphSeen, NodeId, NodeSeen, Phase, Seq, ValueId

if TYPE_CHECKING:
    from graphlens.store import Call, Process, Run

Reads = Sequence[ValueId | None]
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
    if options.around is not None:
        return _of_op(run, options, graphs)
    if options.step is not None:
        return Chosen(who, *_of_step(process, graphs, options.step), alone)
    if not graphs:
        raise UnknownName(f"{clean(who.name)} has no graph: it ran no operation")

    by_id = {seen.graph: seen for seen in graphs}
    ill = _first_ill(process) if options.graph is None and options.module is None else None
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


def _of_op(run: Run, options: Options, graphs: list[GraphSeen]) -> Chosen:
    """The graph and call in which an operation ran; of a loop or a branch, those of what is around it."""
    assert options.around is not None
    who, seq = of_op(run, options.around, options.process)
    process = who.process
    call = process.call_at(Seq(seq)) if 0 <= seq < process.op_count else None
    if call is None:
        raise UnknownOp(f"no op {options.around}: {clean(who.name)} has {process.op_count:,}")
    by_id = {seen.graph: seen for seen in process.graphs()}
    calls = {one.call: one for one in process.calls()} if by_id[call.graph].kind in PARTS else {}
    while by_id[call.graph].kind in PARTS and call.parent is not None and call.parent in calls:
        call = calls[call.parent]
    if options.graph is not None and call.graph not in {seen.graph for seen in graphs}:
        raise UnknownOp(f"op {options.around} is not in graph {options.graph!r}")
    if options.step is not None and call.step != options.step:
        where = "outside the training steps" if call.step is None else f"in step {call.step}"
        raise UnknownOp(f"op {options.around} is not in step {options.step}: it ran {where}")
    return Chosen(who, by_id[call.graph], call, len(run.processes()) == 1)


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


def subject_for(run: Run, options: Options) -> Subject:
    """What a picture is made from: the graph that `options` means, or the part of it that they mean.

    Raises:
        UnknownName, UnknownOp: The run has no such process, graph, step, module or operation.
    """
    from graphlens.exporters._regions import opened

    picked = chosen(run, options)
    if options.graph is None:
        picked = _outermost(picked)
    return part_of(opened(subject_of(picked), picked), run, options)


def _outermost(picked: Chosen) -> Chosen:
    """The graph that the chosen one was entered from, up to the training step that holds them all."""
    process, call = picked.process, picked.call
    if call is None or call.parent is None:
        return picked
    calls = {one.call: one for one in process.calls()}
    kinds = {seen.graph: seen for seen in process.graphs()}
    while (
        call.parent is not None and call.parent in calls and kinds[calls[call.parent].graph].kind != "setup"
    ):
        call = calls[call.parent]
    return picked._replace(seen=kinds[call.graph], call=call)


def part_of(subject: Subject, run: Run, options: Options) -> Subject:
    """The part of a subject that is drawn, and without its health where that is not wanted."""
    if not options.health:
        subject = replace(subject, ill={}, said=(*subject.said, "health not drawn"))
    if options.link is not None:
        sites = subject.sites.items()
        links = {one: address(options.link, site, run.info.cwd) for one, site in sites}
        subject = replace(subject, links=links)
    if options.around is not None:
        who, seq = of_op(run, options.around, options.process)
        node = NodeId(int(who.process.rows(Seq(seq), Seq(seq + 1)).node[0]))
        name = who.process.nodes[node].op
        return around(subject, node, options.hops, f"{options.around} ({clean(name)})")
    return subject if options.module is None else of_module(subject, options.module)


def subject_of(picked: Chosen) -> Subject:
    """What a picture of the whole of the chosen graph is made from."""
    process, seen, call = picked.process, picked.seen, picked.call
    nodes, reads, leaves = process.flat(seen.graph)
    return Subject(
        name=seen.name,
        nodes=nodes,
        inputs=reads,
        leaves=leaves,
        scopes=process.scopes,
        module_calls=process.module_calls,
        sites=process.sites,
        ill=ill_of(process, call, nodes, reads.__getitem__) if call is not None else {},
        said=_said(picked),
        missing=tuple(_missing(process)),
    )


def ill_of(
    process: Process, call: Call, nodes: Sequence[NodeSeen], reads: Callable[[NodeId], Reads]
) -> dict[ValueId, Illness]:
    """Values with a NaN or an infinity in this call, from the range of every output."""
    outputs = {node.node: node.outputs for node in nodes}
    rows = process.rows(call.first, call.last + 1)
    mine = np.flatnonzero((rows.call == call.call) & (rows.flags & (NAN | INF) > 0))
    if not len(mine):
        return {}
    first, last = int(mine[0]), int(mine[-1])  # and of what lies outside, no range is decoded
    ranges = process.ranges(Seq(int(rows.seq[first])), Seq(int(rows.seq[last]) + 1))
    found: dict[ValueId, Illness] = {}
    # A row without a flag was looked at, too; only views have no range of their own.
    for k in mine.tolist():
        made = outputs.get(NodeId(int(rows.node[k])), ())
        for at in range(int(ranges.offsets[k - first]), int(ranges.offsets[k - first + 1])):
            low, high, slot = float(ranges.low[at]), float(ranges.high[at]), int(ranges.slot[at])
            if slot >= len(made) or low > high:  # low > high: nothing was looked at
                continue
            if np.isnan(low) or np.isnan(high):
                found[made[slot].value] = "nan"
            elif np.isinf(low) or np.isinf(high):
                found[made[slot].value] = "inf"
    _see_through_views(nodes, reads, found)
    return found


def _see_through_views(
    nodes: Sequence[NodeSeen], reads: Callable[[NodeId], Reads], found: dict[ValueId, Illness]
) -> None:
    """A view is looked at as what it is a view of, and is as ill: but not where all that read it is well."""
    users: dict[ValueId, list[NodeSeen]] = {}
    views: list[ValueId] = []
    for node in nodes:
        values = reads(node.node)
        for value in values:
            if value is not None and value in found:
                users.setdefault(value, []).append(node)
        for output in node.outputs:
            base = values[output.alias] if output.alias is not None and output.alias < len(values) else None
            if base is not None and base in found and not output.ranged and output.value not in found:
                found[output.value] = found[base]
                views.append(output.value)
    for value in reversed(views):
        reading = users.get(value)
        if reading and not any(output.value in found for node in reading for output in node.outputs):
            del found[value]


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
        if gap.kind in SEEN_ALL_THE_SAME:
            continue
        counts[gap.kind] += gap.count
    said = [f"{count:,} {kind}" for kind, count in sorted(counts.items())]
    if process.dropped:
        said.append(f"{process.dropped:,} rows dropped")
    return said
