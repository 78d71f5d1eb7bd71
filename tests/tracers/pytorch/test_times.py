"""When operations ran, as the script's own clock saw it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch

from graphlens_tracers import wire
from recorded import recorded

STEPS = 8


def blocks_in(run: Path) -> int:
    """Blocks in all frames of rows: what does not go on from the row before takes a header of its own."""
    found = 0
    for log in run.glob("*.log"):
        for frame in wire.frames(log.read_bytes()):
            if frame.kind is wire.Kind.ROWS:
                found += wire.ROWS_HEADER.unpack_from(frame.body)[1]
    return found


def timed(pause: Callable[[], object], path: Path) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """When each operation of a training loop ran, as the script and as the log have it, in ns."""
    seen: list[tuple[int, int]] = []

    def run() -> None:
        weight = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([weight], lr=0.1, foreach=False)
        x = torch.ones(3)
        for _ in range(STEPS):
            for _ in range(3):
                pause()
                before = time.perf_counter_ns()
                torch.neg(x)
                seen.append((before, time.perf_counter_ns()))
            weight.sum().backward()
            optimizer.step()

    process = recorded(run, path)
    rows = process.rows(0, process.op_count)
    found = [
        (began, began + took)
        for node, began, took in zip(rows.node.tolist(), rows.began.tolist(), rows.took.tolist(), strict=True)
        if process.nodes[node].op == "aten.neg.default"
    ]
    return seen, found


def test_times_are_those_of_the_scripts_clock(tmp_path: Path) -> None:
    """After short and long pauses, and up to a second."""
    pauses = iter([0, 1e-3, 3e-3, 0.01, 0.1, 0.3, 0.002, 0.005] * STEPS)

    seen, found = timed(lambda: time.sleep(next(pauses)), tmp_path / "run.glens")

    assert len(found) == len(seen) == 3 * STEPS
    early = wire.LONG_TICK + 64 * STEPS * 20  # rounded down, by at most so much
    for (before, after), (began, ended) in zip(seen, found, strict=True):
        assert before - early <= began <= ended <= after
    assert all(ended <= began for (_, ended), (began, _) in pairwise(found))


def test_a_pause_takes_no_room_in_the_log(tmp_path: Path) -> None:
    """A loop that waits some milliseconds before each operation is written as one that does not wait."""
    timed(lambda: None, tmp_path / "quick.glens")
    timed(lambda: time.sleep(0.006), tmp_path / "slow.glens")

    assert blocks_in(tmp_path / "slow.glens") <= blocks_in(tmp_path / "quick.glens")
