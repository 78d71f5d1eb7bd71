"""`graphlens show RUN op N --steps`: one operation in every call that ran it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphlens.cli._operations import Printer
from graphlens.cli.show import health, shape_of, where
from graphlens.plain import Answer
from graphlens.processes import of_op
from graphlens.session import Process, Run
from graphlens.source_lines import AT_ONCE
from graphlens.text import clean
from graphlens_tracers.events import NodeId, Seq


def op_calls_answer(run: Run, address: str, wanted: str | None = None) -> Answer:
    """The operation of an address, and the same one in every call of every way through the script.

    Raises:
        UnknownOp, UnknownName, Usage: There is none, or not one alone.
    """
    who, seq = of_op(run, address, wanted)
    process = who.process
    op = process.op(Seq(seq))
    printer = Printer(who, run.info.cwd)
    fixed = next(printer.part(seq, seq + 1))
    calls: list[Answer] = []
    for other in occurrences(process, op.node.node):
        found, call = next(printer.part(other, other + 1)), process.call_at(Seq(other))
        calls.append(
            {
                "seq": other,
                "step": found["step"],
                "call": None if call is None else call.call,
                "role": None if call is None else call.role,
                "iteration": None if call is None else call.iteration,
                "graph": found["graph"],
                "outputs": found["outputs"],
                "error": found["error"],
            }
        )
    return {
        "schema": "graphlens/op-calls/1",
        **{name: fixed[name] for name in ("op", "phase", "module", "file", "line", "node", "process")},
        "calls": calls,
    }


def occurrences(process: Process, node: NodeId) -> Iterator[int]:
    """Every time that a node ran, in order."""
    for start in range(0, process.end, AT_ONCE):
        seqs, nodes = process.nodes_of(start, min(start + AT_ONCE, process.end))
        yield from seqs[np.asarray(nodes) == node].tolist()


def text_of(answer: Answer) -> Iterator[str]:
    """What it is, then a line a call."""
    places = [clean(answer["module"]), where(answer)]
    yield "  ".join([clean(answer["op"]), answer["phase"], *(place for place in places if place)])
    yield f"{'step':>6} {'round':>6} {'op':>9}  output"
    for one in answer["calls"]:
        step = "" if one["step"] is None else one["step"]
        turn = "" if one["iteration"] is None else one["iteration"]
        outputs = "; ".join(f"{shape_of(out)} {health(out)}" for out in one["outputs"]) or "-"
        error = f"  raised: {clean(one['error'], 200)}" if one["error"] else ""
        yield f"{step:>6} {turn:>6} {one['seq']:>9}  {outputs}{error}"
