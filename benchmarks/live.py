"""What it costs to watch a script that runs some 20,000 operations a second, and how late the UI is then.

The script is recorded all the time, and in turn watched by the UI or by nobody: what watching costs is the
median of the ratios of neighbours, of the script's CPU time a step and of the time on the clock. The UI is a
process of its own, as it is for a person. One thread each.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphlens.live import Live
from graphlens.session import load
from graphlens_tui.app import GraphlensApp

PAIRS = 8
SECONDS = 4.0
"""Of each half of a pair."""
SIZE = (200, 60)

SCRIPT = """
import os, sys, time
import torch
torch.set_num_threads(1)
net = torch.nn.Sequential(*[m for _ in range(4) for m in (torch.nn.Linear(64, 64), torch.nn.ReLU())])
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
x = torch.randn(256, 64)
said = open(sys.argv[1], "w", buffering=1)
step = 0
while os.getppid() > 1:
    began, cpu = time.monotonic(), time.process_time()
    for _ in range(25):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
        step += 1
    print(began, time.monotonic() - began, time.process_time() - cpu, file=said)
"""


@contextmanager
def running(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A script that is recorded in the background: its run, and where it says what its steps take."""
    run, said, script = folder / "live.glens", folder / "said", folder / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-P", "-m", "graphlens", "record", "--pty", "--size=24x80", "--quiet"]
    host = subprocess.Popen(
        [*command, f"--output={run}", str(script), str(said)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert host.stdout is not None
        host.stdout.readline()
        yield run, said
    finally:
        session = Live(run)
        session.kill()
        session.close()
        host.kill()
        host.communicate()


async def watch(run: Path, seconds: float) -> dict[str, list[float]]:
    """The UI on a run that goes on; how late its thread was, and how old the newest line that it shows."""
    session = Live(run)
    app = GraphlensApp(session)
    late, old = [], []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1)
        app.do_follow() if not app.graph.following else None
        cpu, end = time.process_time(), time.monotonic() + seconds
        began = time.monotonic()
        while time.monotonic() < end:
            wanted = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late.append((time.monotonic() - wanted) * 1000)
            shown = app.model.shown
            if shown is not None and shown.timeline.end and len(late) % 25 == 0:
                last = int(shown.timeline.end) - 1
                rows = shown.process.rows(last, last + 1)
                old += ((time.monotonic_ns() - rows.began) / 1e6).tolist()
        share = (time.process_time() - cpu) / (time.monotonic() - began) * 100
    session.close()
    return {"late": late, "old": old, "cpu": [share], "span": [began, time.monotonic()]}


def costs(said: Path, begin: float, end: float) -> list[tuple[float, float]]:
    """(seconds on the clock, CPU seconds) of each 25 steps that lie in a stretch of time."""
    found = []
    for line in said.read_text().splitlines():
        began, took, cpu = map(float, line.split())
        if begin <= began and began + took <= end:
            found.append((took, cpu))
    return found


def main() -> None:
    """Pairs of watched and not watched."""
    if len(sys.argv) > 1:
        print(json.dumps(asyncio.run(watch(Path(sys.argv[1]), SECONDS))))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as (run, said):
        time.sleep(8)
        seen: list[dict[str, list[float]]] = []
        ratios: list[tuple[float, float]] = []
        lasted: list[float] = []  # 25 steps that nobody watched, in seconds
        for _ in range(PAIRS):
            begin = time.monotonic()
            time.sleep(SECONDS)
            alone = costs(said, begin, time.monotonic())
            watch_it = [sys.executable, __file__, str(run)]
            watched = subprocess.run(watch_it, stdout=subprocess.PIPE, text=True, check=True)
            seen.append(json.loads(watched.stdout.splitlines()[-1]))
            both = costs(said, *seen[-1]["span"])
            halves = [[statistics.median(one) for one in zip(*half, strict=True)] for half in (both, alone)]
            lasted.append(halves[1][0])
            ratios.append((halves[0][0] / halves[1][0], halves[0][1] / halves[1][1]))
        calls = [one for one in load(run).main.calls() if one.ended]
        ops = statistics.median(one.last + 1 - one.first for one in calls)
        print(f"{ops:.0f} operations a step, {25 * ops / statistics.median(lasted):,.0f} a second")
        for kind, column in zip(("on the clock", "CPU"), zip(*ratios, strict=True), strict=True):
            print(f"  watched, x not watched, {kind:14} median {statistics.median(column):.3f}", end="")
            print(f", from {min(column):.3f} to {max(column):.3f}")
        for what, key in (("the UI's thread is late by", "late"), ("the newest line is old", "old")):
            ages = [one for part in seen for one in part[key]]
            print(f"  {what:38} median {statistics.median(ages):6.1f} ms", end="")
            print(f"   99 of 100 below {statistics.quantiles(ages, n=100)[-1]:6.1f} ms")
        print(f"  {'the UI takes':38} {statistics.median(one['cpu'][0] for one in seen):.0f} % of a core")


if __name__ == "__main__":
    main()
