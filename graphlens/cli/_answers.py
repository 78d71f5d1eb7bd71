"""What `graphlens show` has to say, as plain data: the JSON is this, and the text is made from it.

Field names are a contract: they are only ever added to, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens import runs
from graphlens.catalog import catalog, parting_of
from graphlens.cli._who import process_answer
from graphlens.plain import Answer, coverage, made_at, shown_path
from graphlens.processes import Who
from graphlens.rows import INF, NAN, Ints
from graphlens.session import Process, Run, state_of
from graphlens_tracers.events import CallId, NodeId, Spec

AT_ONCE = 1 << 16
"""Operations that are looked at together: memory stays bounded for any run."""


def tensor(spec: Spec) -> str:
    """ "float32[8, 16]"."""
    if spec.shape is None:
        return f"{spec.dtype}[…]"
    return f"{spec.dtype}[{', '.join('?' if n is None else str(n) for n in spec.shape)}]"


# ── the run ──────────────────────────────────────────────────────────────────────────────────


def run_answer(run: Run, whos: Sequence[Who]) -> Answer:
    """How the run stands, what these processes of it did, and what was not seen of them."""
    info = run.info
    phases: dict[str, int] = {}
    frameworks: dict[str, str] = {}
    bad = nan = inf = 0
    first_bad = None
    for who in whos:
        process = who.process
        frameworks.update({one.tracer: one.framework_version for one in process.tracers})
        for phase, count in phases_of(process).items():
            phases[phase] = phases.get(phase, 0) + count
        seqs, flags = process.bad_flags()
        bad += len(seqs)
        nan += int(np.count_nonzero(flags & NAN))
        inf += int(np.count_nonzero(flags & INF))
        if len(seqs) and first_bad is None:
            first_bad = {"seq": int(seqs[0]), "rank": process.rank, "process": who.number}
    steps = {(who.number, call.step) for who in whos for call in who.process.calls() if call.step is not None}
    looked = coverage(run, whos)
    return {
        "schema": "graphlens/run/1",
        "name": runs.name_of(run.path),
        "script": shown_path(info.script, info.cwd),
        "argv": list(info.argv),
        "cwd": info.cwd,
        "python": info.python,
        "level": info.level,
        "state": str(state_of(info)),
        "exit_code": info.exit_code,
        "signal": info.signal,
        "started": info.started,
        "ended": info.ended,
        "frameworks": [{"name": name, "version": version} for name, version in frameworks.items()],
        "processes": [process_answer(run, who) for who in whos],
        "ops": sum(who.process.op_count for who in whos),
        "steps": len(steps),
        "graphs": sum(len(who.process.graphs()) for who in whos),
        "phases": phases,
        "non_finite": {"ops": bad, "nan": nan, "inf": inf, "first": first_bad},
        "coverage": {**looked, "count": sum(gap["count"] for gap in looked["gaps"])},
        "size_bytes": sum(found.stat().st_size for found in Path(run.path).rglob("*") if found.is_file()),
    }


def phases_of(process: Process) -> dict[str, int]:
    """How many operations ran in each phase."""
    phases: dict[str, int] = {}
    for node, count in zip(*(column.tolist() for column in node_counts(process)), strict=True):
        seen = process.nodes.get(NodeId(node))
        phase = str(seen.phase) if seen else "other"
        phases[phase] = phases.get(phase, 0) + count
    return phases


def node_counts(process: Process) -> tuple[Ints, Ints]:
    """(node, how often it ran) from the index alone."""
    found: dict[int, int] = {}
    for start in range(0, process.end, AT_ONCE):
        _, nodes = process.nodes_of(start, start + AT_ONCE)
        ids, counts = np.unique(nodes, return_counts=True)
        for node, count in zip(ids.tolist(), counts.tolist(), strict=True):
            found[node] = found.get(node, 0) + count
    order = sorted(found)
    return np.array(order, np.int64), np.array([found[node] for node in order], np.int64)


# ── sums over all rows ───────────────────────────────────────────────────────────────────────


@dataclass
class Sums:
    """For each node how often it ran, how long it took in all, and how often it was not finite."""

    ops: dict[int, int]
    took_ns: dict[int, int]
    nan: dict[int, int]
    inf: dict[int, int]


def sums_of(process: Process, start: int = 0, stop: int | None = None) -> Sums:
    """Sums by node over a part of the operations."""
    sums = Sums({}, {}, {}, {})
    end = process.end if stop is None else min(stop, process.end)
    for at in range(start, end, AT_ONCE):
        rows = process.rows(at, min(at + AT_ONCE, end))
        nodes, where = np.unique(rows.node, return_inverse=True)
        columns: list[tuple[dict[int, int], npt.NDArray[Any]]] = [
            (sums.ops, np.ones(len(where))),
            (sums.took_ns, rows.took),
            (sums.nan, rows.flags & NAN != 0),
            (sums.inf, rows.flags & INF != 0),
        ]
        for total, column in columns:
            part = np.bincount(where, column, len(nodes))
            for node, value in zip(nodes.tolist(), part.tolist(), strict=True):
                if value:
                    total[node] = total.get(node, 0) + int(value)
    return sums


def modules_answer(whos: Sequence[Who], cwd: str = "") -> Answer:
    """Every module of every model: what ran in it, its inner modules included."""
    found: dict[tuple[int, str], Answer] = {}
    for who in whos:
        process = who.process
        sums = sums_of(process)
        for scope in process.scopes.values():
            parent = None if scope.parent is None else process.scopes.get(scope.parent)
            found.setdefault(
                (who.number, scope.path),
                {
                    "path": scope.path,
                    "kind": scope.kind,
                    "parent": parent.path if parent else None,
                    "rank": process.rank,
                    "nodes": 0,
                    "ops": 0,
                    "forward": 0,
                    "backward": 0,
                    "nan": 0,
                    "inf": 0,
                    "took_ns": 0,
                    "process": who.number,
                    **made_at(process, scope.scope, cwd),
                },
            )
        for node, seen in process.nodes.items():
            for path in around(process.scope_path(seen)):
                answer = found.get((who.number, path))
                if answer is None:
                    continue
                answer["nodes"] += 1
                answer["ops"] += sums.ops.get(node, 0)
                if seen.phase in ("forward", "backward"):
                    answer[str(seen.phase)] += sums.ops.get(node, 0)
                answer["nan"] += sums.nan.get(node, 0)
                answer["inf"] += sums.inf.get(node, 0)
                answer["took_ns"] += sums.took_ns.get(node, 0)
    return {"schema": "graphlens/modules/1", "modules": list(found.values())}


def around(path: str) -> Iterator[str]:
    """A module's path, and those of the modules around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def steps_answer(whos: Sequence[Who]) -> Answer:
    """Every call, in order: which step it was, which way it took, and whether it was ill."""
    calls: list[Answer] = []
    for who in whos:
        process = who.process
        names = {seen.graph: seen.name for seen in process.graphs()}
        seqs, flags = process.bad_flags()
        epochs: dict[CallId | None, int | None] = {}
        for call in process.calls():
            epochs[call.call] = epochs.get(call.parent) if call.epoch is None else call.epoch
            low, high = np.searchsorted(seqs, (call.first, call.last + 1))
            bad = flags[low:high]
            calls.append(
                {
                    "call": call.call,
                    "step": call.step,
                    "role": call.role,
                    "graph": call.graph,
                    "graph_name": names.get(call.graph, ""),
                    "first": call.first,
                    "last": call.last,
                    "ops": max(0, call.last - call.first + 1),
                    "nan": int(np.count_nonzero(bad & NAN)),
                    "inf": int(np.count_nonzero(bad & INF)),
                    "first_bad": int(seqs[low]) if len(bad) else None,
                    "ended": call.ended,
                    "error": call.error,
                    "thread": call.strand,
                    "rank": process.rank,
                    "process": who.number,
                    "thread_name": call.thread or process.started.thread,
                    "parent": call.parent,
                    "iteration": call.iteration,
                    "epoch": epochs[call.call],
                }
            )
    return {"schema": "graphlens/steps/1", "calls": calls}


def graphs_answer(whos: Sequence[Who]) -> Answer:
    """Every way through a step that was taken."""
    graphs: list[Answer] = []
    for who in whos:
        process = who.process
        calls: dict[int, int] = {}
        for call in process.calls():
            calls[call.graph] = calls.get(call.graph, 0) + 1
        entries = {entry.seen.graph: entry for entry in catalog(process)}
        for seen in process.graphs():
            entry = entries[seen.graph]
            graphs.append(
                {
                    "graph": seen.graph,
                    "name": seen.name,
                    "kind": seen.kind,
                    "order": seen.order,
                    "nodes": len(process.order(seen.graph)),
                    "base": seen.base,
                    "keep": seen.keep,
                    "calls": calls.get(seen.graph, 0),
                    "family": seen.family,
                    "because": seen.because,
                    "rank": process.rank,
                    "process": who.number,
                    "parent": seen.parent,
                    "depth": entry.depth,
                    "variant_of": entry.variant_of,
                    "first": None if entry.ran is None else entry.ran[0].first,
                    "parts": parting_of(process, entry),
                }
            )
    return {"schema": "graphlens/graphs/1", "graphs": graphs}
