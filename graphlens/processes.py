"""What people call the processes and threads of a run, and what was not looked at in any of them.

A number is a name's short form, and stands before an operation's: `1:204`. Ranks have their rank as
number; whatever else recorded something comes after them, in the order in which it began.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlens.session import Process, Run, RunState, state_of
from graphlens.text import clean
from graphlens_tracers.errors import UnknownName, UnknownOp, Usage
from graphlens_tracers.events import Gap, Seq

MOST_LISTED = 24
"""Names in a message: a run of a thousand processes is not listed in one line."""
SEEN_ALL_THE_SAME = ("unfused", "unkept", "unheld")
"""Kinds of gaps in spite of which every number was looked at: the last digit may differ, or is not kept."""


@dataclass(frozen=True, slots=True)
class Who:
    """A log of a run, under the name that people know its process or thread by.

    Attributes:
        number: Its rank, for a rank; no other log of the run has the same.
        name: "main", "rank 1", "rank 1, DataLoader worker 0", "thread loader": also its own alone.
        rank: None for what is no rank: a launcher, a worker, a thread of a rank.
        parent: The number of the log whose process or thread started it; None when that has none.
    """

    number: int
    name: str
    process: Process
    rank: int | None
    parent: int | None


def named(run: Run) -> list[Who]:
    """All logs of a run, by number."""
    found = sorted(run.processes(), key=lambda one: _age(run, one))
    parents: dict[int, Process | None] = {one.id: _parent(one, found) for one in found}
    ranks: dict[int, Process] = {}
    for process in found:
        if _is_rank(process, parents):
            ranks.setdefault(process.rank, process)
    numbers: dict[int, int] = {process.id: rank for rank, process in ranks.items()}
    # Not the number of a rank that is on another machine.
    after = max((one.started.world for one in ranks.values()), default=0)
    free = (number for number in range(after, after + 2 * len(found)) if number not in ranks)
    for process in found:
        if process.id not in numbers:
            numbers[process.id] = next(free)
    names: dict[int, str] = {}
    taken: Counter[str] = Counter()
    for process in found:
        name = _name(run, process, parents, names)
        taken[name] += 1
        names[process.id] = name if taken[name] == 1 else f"{name} #{taken[name]}"
    whos = [
        Who(
            numbers[process.id],
            names[process.id],
            process,
            process.rank if _is_rank(process, parents) else None,
            None if (parent := parents[process.id]) is None else numbers[parent.id],
        )
        for process in found
    ]
    return sorted(whos, key=lambda who: who.number)


def who_is(run: Run, process: Process) -> Who:
    """One process of a run, by name."""
    return next(who for who in named(run) if who.process is process)


def find(run: Run, wanted: str) -> Who:
    """The process of this number or name; a thread that shares its log with others names that log.

    Raises:
        UnknownName: There is none; the message lists those there are.
    """
    whos = named(run)
    asked = " ".join(wanted.split()).casefold()
    for who in whos:
        if asked in (str(who.number), who.name.casefold()):
            return who
    for who in whos:
        before = who.name.rpartition("thread ")[0].casefold()
        if any(asked == f"{before}thread {thread}".casefold() for thread in threads_of(who.process)):
            return who
    raise UnknownName(f"no process {clean(wanted)!r} in this run; it has: {listed(whos)}")


def listed(whos: Sequence[Who]) -> str:
    """ "0 (main), 1 (DataLoader worker 0)", for a message."""
    if not whos:
        return "none, for nothing was recorded"
    more = f" and {len(whos) - MOST_LISTED:,} more" if len(whos) > MOST_LISTED else ""
    return ", ".join(f"{who.number} ({clean(who.name)})" for who in whos[:MOST_LISTED]) + more


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
    whos = named(run)
    if wanted is not None:
        who = find(run, wanted)
        if colon and who.number != int(number):
            raise Usage(f"op {address} is not of process {who.number} ({clean(who.name)})")
        return who, int(n)
    if colon:
        found = [who for who in whos if who.number == int(number)]
        if not found:
            there = listed(whos)
            raise UnknownOp(f"no op {address}: no process {number} in this run; it has: {there}")
    else:
        found = [who for who in whos if who.process.op_count]
        if len(found) > 1:
            there = listed(found)
            raise UnknownOp(
                f"op {address} of which process? for example {found[0].number}:{n}; there are: {there}"
            )
    if not found:
        raise UnknownOp(f"no op {address}: the run has no operations")
    return found[0], int(n)


def threads_of(process: Process) -> list[str]:
    """The threads that have recorded into a log, by name; none for a log of a process's first thread."""
    own = process.started.thread
    names = dict.fromkeys([own, *(call.thread for call in process.calls())])
    return [name for name in names if name] if own else []


def how(run: Run, process: Process) -> str:
    """Where a process stands: "running", "ended", or "cut off": killed, or left by `os._exit`."""
    if process.finished:
        return "ended"
    return "running" if state_of(run.info) in (RunState.RUNNING, RunState.HELD) else "cut off"


def gaps(run: Run) -> list[tuple[Who | None, Gap]]:
    """All that was not looked at or cannot be read, each with the process in which it was.

    None stands for what no process of the run could say itself.
    """
    whos = named(run)
    found: list[tuple[Who | None, Gap]] = []
    state = state_of(run.info)
    for who in whos:
        process = who.process
        own = process.gaps
        found += [(who, gap) for gap in own]
        if process.dropped and not any(gap.kind == "dropped" for gap in own):
            found.append((who, Gap("dropped", "operations ran without a row", Seq(0), process.dropped)))
        if state is RunState.LOST and not process.finished and not process.has_page:
            lost = "what ran after the last operation in the log: its page is gone"
            found.append((who, Gap("unreadable", lost, process.end, 1)))
    for version, count in run.info.untraced.items():
        found.append((None, Gap("untraced", f"Python {version} is too old to be recorded", Seq(0), count)))
    missing = _missing_ranks(whos)
    if missing and state is not RunState.RUNNING:
        world = max(who.process.started.world for who in whos)
        ranks = ", ".join(map(str, missing[:MOST_LISTED])) + (", …" if len(missing) > MOST_LISTED else "")
        what = f"rank{'s' if len(missing) > 1 else ''} {ranks} of {world}: not in this run"
        found.append((None, Gap("process", what, Seq(0), len(missing))))
    return found


def how_seen(kind: str) -> str:
    """What a gap of a kind says of what is named in it."""
    known = {
        "unfused": "seen, but otherwise than without graphlens",
        "unkept": "looked at, but not kept",
        "unheld": "seen, but not stopped at",
    }
    return known.get(kind, "not looked at")


def _missing_ranks(whos: Sequence[Who]) -> list[int]:
    here = {who.rank for who in whos if who.rank is not None}
    world = max((who.process.started.world for who in whos if who.rank is not None), default=0)
    return [rank for rank in range(min(world, 1 << 16)) if rank not in here]


# ── how they hang together ───────────────────────────────────────────────────────────────────


def _age(run: Run, process: Process) -> tuple[bool, float, int, bool, str]:
    started = process.started
    return not _is_main(run, process), started.began, process.pid, bool(started.thread), process.stem


def _is_main(run: Run, process: Process) -> bool:
    alone = len(run.processes()) == 1
    return not process.started.thread and (process.pid == run.info.pid or alone)


def _parent(process: Process, found: Sequence[Process]) -> Process | None:
    """For a thread the log of its process, else that of the process which started it."""
    started = process.started
    pid = process.pid if started.thread else started.parent
    earlier = [
        one
        for one in found
        if one.pid == pid and not one.started.thread and one.started.began <= started.began
    ]
    return earlier[-1] if earlier and earlier[-1] is not process else None


def _is_rank(process: Process, parents: dict[int, Process | None]) -> bool:
    """Whether it is a rank itself; what a rank starts is told the same rank by its environment."""
    started = process.started
    if started.thread or not (started.world or started.rank):
        return False
    seen = {process.id}
    at = parents[process.id]
    while at is not None and at.id not in seen:
        if (at.started.world or at.started.rank) and at.rank == process.rank:
            return False
        seen.add(at.id)
        at = parents[at.id]
    return True


def _name(run: Run, process: Process, parents: dict[int, Process | None], names: dict[int, str]) -> str:
    """`names` has those of all that began earlier."""
    started = process.started
    if _is_rank(process, parents):
        return f"rank {process.rank}"
    if _is_main(run, process):
        return "main"
    parent = parents[process.id]
    if started.thread:
        own = f"thread {started.thread}"
    elif started.worker:
        own = started.worker
    elif parent is not None and parent.started.argv == started.argv:
        own = "fork"
    else:
        own = f"child {_script(started.argv)}"
    before = "" if parent is None else names.get(parent.id, "")
    return own if before in ("", "main") else f"{before}, {own}"


def _script(argv: Sequence[str]) -> str:
    """What a Python runs by its command line: "train.py", "-m package", "-c"."""
    words: Iterator[str] = iter(argv[1:])
    for word in words:
        if word == "-m":
            return f"-m {next(words, '')}".rstrip()
        if word == "-c":
            return "-c"
        if word in ("-X", "-W"):
            next(words, None)
        elif word == "-" or not word.startswith("-"):
            return os.path.basename(word) or word
    return os.path.basename(argv[0]) if argv else "Python"
