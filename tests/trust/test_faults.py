"""One call of ours fails in the script's process: the script never notices, and what is read is right.

A few faults for every change, and all of them under `make long`: every call of the system that we
make there, in turn, with each error, once and for good; and functions of ours, wherever they are.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import graphlens
from factories import new_run
from graphlens import tails
from graphlens.store import Process

ERRORS = ("ENOSPC", "EIO", "EMFILE", "EACCES", "EINTR", "MemoryError", "short")
PARTS = 10
"""Tests that all faults of one kind are shared among."""
Ran = list[tuple[str, tuple[tuple[int, str, str], ...]]]
"""Of each operation its name, and the ranges of its outputs."""


class Outcome(NamedTuple):
    """What a child did: what it printed, which calls of ours were counted, and what was recorded."""

    code: int
    out: str
    err: str
    calls: int
    hits: int
    where: str
    ran: list[Ran]
    dropped: int
    gaps: list[str]


class Victims:
    """Children of one process that has imported torch."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("victim.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, kind: str, n: int = 0, error: str = "EIO", sticky: bool = False) -> Outcome:
        """One child; `n` = 0: nothing fails in it."""
        here = self.where / "one"
        shutil.rmtree(here, ignore_errors=True)
        run, pages, said = here / "run.glens", here / "pages", here / "said"
        new_run(run)
        for log in run.glob("*.log"):
            log.unlink()
        pages.mkdir()
        assert self.server.stdin is not None and self.server.stdout is not None
        fault = [kind, n, error, sticky, str(run), str(pages), str(said)]
        print(json.dumps(fault), file=self.server.stdin, flush=True)
        code = int(self.server.stdout.readline())
        count, hits, where = json.loads(said.with_suffix(".json").read_text())
        tails.sweep(run, pages)
        processes = graphlens.load(run).processes()
        for process in processes:
            for graph in process.graphs():
                process.graph(graph.graph)
        return Outcome(
            code, said.with_suffix(".out").read_text(), said.with_suffix(".err").read_text(),
            count, hits, where, [ran(process) for process in processes],
            sum(process.dropped for process in processes),
            [f"{gap.kind}: {gap.what}" for process in processes for gap in process.gaps],
        )  # fmt: skip

    def close(self) -> None:
        """End the process."""
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait(60)


def ran(process: Process) -> Ran:
    """What can be read of each operation whose node was declared."""
    rows, ranges = process.rows(0, process.end), process.ranges(0, process.end)
    found = []
    for k, node in enumerate(rows.node.tolist()):
        if node in process.nodes:
            numbers = range(int(ranges.offsets[k]), int(ranges.offsets[k + 1]))
            found.append(
                (
                    process.nodes[node].op,
                    tuple((int(ranges.slot[j]), repr(ranges.low[j]), repr(ranges.high[j])) for j in numbers),
                )
            )
    return found


def is_part(some: Ran, whole: Ran) -> bool:
    """Whether all of it is in the whole, in that order: rows may be missing, and none may be wrong."""
    rest = iter(whole)
    return all(any(one == other for other in rest) for one in some)


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """Where children come from."""
    with contextlib.closing(Victims(tmp_path_factory.mktemp("victims"))) as found:
        yield found


@pytest.fixture(scope="module")
def whole(victims: Victims) -> Outcome:
    """What happens without a fault."""
    found = victims.run("system")
    assert (found.code, found.err, found.dropped) == (0, "", 0)
    assert sorted(map(len, found.ran))[-1] > 500
    return found


def check(whole: Outcome, found: Outcome) -> None:
    """The script is as it would be, and what is read is true."""
    ours = [line for line in found.err.splitlines() if not line.startswith("graphlens: ")]
    assert (found.code, ours) == (0, []), (found.where, found.err)
    assert found.out == whole.out, found.where
    for process in found.ran:
        assert any(is_part(process, one) for one in whole.ran), found.where
    lost = sum(map(len, whole.ran)) - sum(map(len, found.ran))
    assert not lost or found.err or found.gaps, (found.where, lost)


def every(kind: str, count: int) -> list[tuple[str, int, str, bool]]:
    """All faults of a kind; of functions, which are called ten thousands of times, some at random."""
    if kind == "system":
        return [
            (kind, n, error, sticky)
            for error in ERRORS
            for sticky in (False, True)
            for n in range(1, count + 1)
        ]
    chosen = random.Random(count)
    errors = ["MemoryError", "KeyError", "ENOSPC", "RuntimeError"]
    return [(kind, chosen.randint(1, count), chosen.choice(errors), False) for _ in range(600)]


@pytest.mark.parametrize("kind", ["system", "call"])
def test_a_call_of_ours_that_fails_is_not_noticed(kind: str, victims: Victims, whole: Outcome) -> None:
    """A few of each."""
    count = victims.run(kind).calls
    assert count > 30
    for fault in random.Random(1).sample(every(kind, count), 6):
        found = victims.run(*fault)
        check(whole, found)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["system", "call"])
def test_no_call_of_ours_that_fails_is_noticed(
    kind: str, part: int, victims: Victims, whole: Outcome, record_property: Callable[[str, object], None]
) -> None:
    """All of them; the count is in docs/reliability.md."""
    count = victims.run(kind).calls
    injected = 0
    for fault in every(kind, count)[part::PARTS]:
        found = victims.run(*fault)
        injected += found.hits > 0
        check(whole, found)
    record_property("injected", injected)
    assert injected > 20
