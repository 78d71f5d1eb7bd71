"""What a run amounts to, in a few lines, for the end of `record` and `run`."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from graphlens import runs


def of(run: Path) -> list[str]:
    """The lines, without our prefix. Never fails: what can't be read is said instead."""
    name = runs.name_of(run)
    try:
        return list(_lines(run, name))
    except Exception as error:  # whatever it is: the script's own end is what has to be passed on
        return [f"{name}: recorded, but it cannot be summed up: {error!r}", f"it is in {run}"]


def how_it_ended(code: int | None, number: int | None) -> str:
    """ "exit code 1", "killed by SIGKILL"."""
    if number is not None:
        try:
            return f"killed by {signal.Signals(number).name}"
        except ValueError:  # a real-time signal has no name
            return f"killed by signal {number}"
    return f"exit code {code}"


def _lines(run: Path, name: str) -> Iterator[str]:
    record = runs.read_record(run)
    if not any(run.glob("p-*.log")):
        yield f"{name}: nothing was recorded: {_why_nothing(record)}"
        yield f"it is in {run}"
        return
    # They take numpy with them: not before there is something to read.
    from graphlens import load
    from graphlens.processes import gaps, how_seen

    read = load(run)
    processes = read.processes()
    ops = sum(process.op_count for process in processes)
    steps = len({call.step for process in processes for call in process.calls() if call.step is not None})
    bad = sum(len(process.bad_rows()) for process in processes)
    looked = read.info.level != "structure"
    health = "all numbers looked at are finite" if looked else "no number was looked at"
    if bad:
        health = f"{_many(bad, 'op')} made a NaN or an infinity"
    among = f" in {len(processes)} processes" if len(processes) > 1 else ""
    yield f"{name}: {_many(ops, 'op')} in {_many(steps, 'step')}{among}; {health}"
    for was in filter(None, (process.running() for process in processes)):
        yield f"it ended in the middle of op {was.seq}: {was.name}"
    missed: Counter[tuple[str, str]] = Counter()
    for _, gap in gaps(read):
        missed[how_seen(gap.kind), gap.what] += gap.count
    for (how, what), count in missed.items():
        yield f"{how}: {what}" + (f" ({count:,} times)" if count > 1 else "")
    if bad:
        yield f"whether that matters, and why: graphlens why {name}"
    yield f"look at it with: graphlens open {name}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _why_nothing(record: dict[str, object]) -> str:
    untraced = record.get("untraced")
    if isinstance(untraced, dict) and untraced:
        return f"Python {', '.join(untraced)} is too old, 3.11 is needed"
    return "the script imported no framework that graphlens knows; see: graphlens doctor"
