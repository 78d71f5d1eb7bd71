"""Which process of a run is meant, and how each of them stands, for `graphlens show`."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens import processes
from graphlens.plain import Answer, place
from graphlens.processes import Who
from graphlens.session import Run


def chosen(run: Run, wanted: str | None) -> list[Who]:
    """The processes that are to be shown: that of this number or name, or all.

    Raises:
        UnknownName: There is none of it.
    """
    return processes.named(run) if wanted is None else [processes.find(run, wanted)]


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
