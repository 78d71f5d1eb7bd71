"""Which process of a run is meant, and how each of them stands, for `graphlens show`."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens import processes
from graphlens.plain import Answer, place
from graphlens.processes import Who
from graphlens.session import Run
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp, Usage


def chosen(run: Run, wanted: str | None) -> list[Who]:
    """The processes that are to be shown: that of this number or name, or all.

    Raises:
        UnknownName: There is none of it.
    """
    return processes.named(run) if wanted is None else [processes.find(run, wanted)]


def of_op(run: Run, address: str, wanted: str | None = None) -> tuple[Who, int]:
    """The process and the number that N, or PROCESS:N, means.

    Args:
        wanted: The process that was asked for otherwise, by number or name.

    Raises:
        UnknownOp: It is no such address, or not clear which process is meant.
        UnknownName: There is no such process.
        Usage: Two processes were asked for.
    """
    number, colon, n = address.rpartition(":")
    if not (n.isdecimal() and (number.isdecimal() or not colon)) or len(n) > 18 or len(number) > 18:
        raise UnknownOp(f"{address!r} is not the number of an op: N, or PROCESS:N")
    whos = processes.named(run)
    if wanted is not None:
        who = processes.find(run, wanted)
        if colon and who.number != int(number):
            raise Usage(f"op {address} is not of process {who.number} ({clean(who.name)})")
        return who, int(n)
    if colon:
        found = [who for who in whos if who.number == int(number)]
        if not found:
            there = processes.listed(whos)
            raise UnknownOp(f"no op {address}: no process {number} in this run; it has: {there}")
    else:
        found = [who for who in whos if who.process.op_count]
        if len(found) > 1:
            there = processes.listed(found)
            raise UnknownOp(
                f"op {address} of which process? for example {found[0].number}:{n}; there are: {there}"
            )
    if not found:
        raise UnknownOp(f"no op {address}: the run has no operations")
    return found[0], int(n)


def process_answer(run: Run, who: Who) -> Answer:
    """One process, and what it was doing when it was last seen."""
    process, cwd = who.process, run.info.cwd
    running = process.running()
    doing = None
    if running is not None:
        node = None if running.node is None else process.nodes.get(running.node)
        doing = {"seq": running.seq, "op": running.name, **place(process, node, cwd)}
    calls = process.calls()
    return {
        "id": who.number,
        "pid": process.pid,
        "rank": process.rank,
        "ops": process.op_count,
        "dropped": process.dropped,
        "finished": process.finished,
        "running": doing,
        "name": who.name,
        "state": processes.how(run, process),
        "calls": len(calls),
        "steps": len({call.step for call in calls if call.step is not None}),
        "parent": who.parent,
        "worker": process.started.worker,
        "threads": processes.threads_of(process),
        "argv": list(process.started.argv),
        "gaps": sum(
            gap.count for one, gap in processes.gaps(run) if one is not None and one.number == who.number
        ),
    }


def names_of(whos: Sequence[Who]) -> dict[int, str]:
    """Names by number."""
    return {who.number: who.name for who in whos}
