"""What it costs to be able to stop, and to stop: breakpoints that are not hit, steps, and being held.

    python benchmarks/stepping.py [--models mlp,gpt2] [--rounds 9] [--held 60]

Breakpoints: CPU time of training steps with these breakpoints, divided by the time of recorded ones
without, round after round in one process on one thread. Steps: wall time from one stop to the next,
to the next operation each time, less what the operation took by its own row; nobody draws anything.
Held: CPU time that script and debugger use while one waits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cost import MODELS, machine, traced

import graphlens
from graphlens.debugger import Debugger, Stop
from graphlens_tracers.control import Way
from graphlens_tracers.events import FORMAT, Seq

KINDS = {
    "operations": ["nobody.*", "aten.no_such_op"],
    "modules": ["module:*.nobody"],
    "lines": ["nobody.py:7"],
    "phase, step": ["step:1000000000", "phase:data"],
    "all of these": ["nobody.*", "module:*.nobody", "nobody.py:7", "step:1000000000", "phase:data"],
    "a condition, at each addmm": ["aten.addmm* if absmax(in0) > 1e30"],
}
"""Breakpoints that are never hit."""
WARM_UP = 10


def child(model: str, folder: Path, steps: str) -> None:
    """Train, held at the first operation, until told; with `steps`, time rounds of so many."""
    import torch

    from graphlens_tracers.gate import gate
    from graphlens_tracers.pytorch.stepping import attend

    torch.set_num_threads(1)
    torch.manual_seed(0)
    os.environ["GRAPHLENS_PAGES"] = str(folder / "pages")
    trains = MODELS[model].make()
    with traced("health", folder):
        attend(gate())
        gate().hold()
        for line in sys.stdin if steps else ():
            for _ in range(WARM_UP):
                trains.step()
            began = time.process_time()
            for _ in range(int(steps)):
                trains.step()
            print(line.strip(), (time.process_time() - began) / int(steps), flush=True)
        while not steps and not (folder / "enough").exists():
            trains.step()


def started(model: str, folder: Path, steps: int = 0) -> tuple[subprocess.Popen[str], Debugger, Stop]:
    """The script, held at its first operation."""
    command = [
        sys.executable,
        __file__,
        "--child",
        str(folder),
        "--models",
        model,
        "--steps",
        str(steps or ""),
    ]
    script = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (folder / "pages").is_dir():
        time.sleep(0.01)
        assert script.poll() is None, "it has ended"
    debugger = Debugger(folder / "pages")
    if steps:
        assert script.stdin is not None
        print("begin", file=script.stdin, flush=True)
    stop = debugger.wait(60)
    assert stop is not None
    return script, debugger, stop


def breakpoints(model: str, rounds: int, steps: int) -> dict[str, tuple[float, float, float]]:
    """For each kind the ratio to recording alone: first quartile, median, third."""
    with tempfile.TemporaryDirectory(prefix="graphlens-stepping-") as folder:
        script, debugger, stop = started(model, Path(folder), steps)
        assert script.stdin is not None
        assert script.stdout is not None
        stop.go(Way.CONTINUE)
        script.stdout.readline()  # what was never run before

        def timed(places: list[str]) -> float:
            for place in places:
                debugger.add(place)
            print("go", file=script.stdin, flush=True)
            seconds = float(script.stdout.readline().split()[-1])  # type: ignore[union-attr]  # a pipe
            for one in list(debugger.breakpoints):
                debugger.delete(one.number)
            return seconds

        ratios: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind, places in KINDS.items():
                alone = timed([])
                ratios[kind].append(timed(places) / alone)
        debugger.close()
        script.communicate()
    quarters = {kind: statistics.quantiles(found, n=4) for kind, found in ratios.items()}
    return {kind: (found[0], found[1], found[2]) for kind, found in quarters.items()}


def steps(model: str, count: int, held: float) -> tuple[list[float], tuple[float, float]]:
    """Milliseconds from stop to stop beyond the operation; CPU seconds that script and debugger use, held."""
    with tempfile.TemporaryDirectory(prefix="graphlens-stepping-") as folder:
        script, debugger, stop = started(model, Path(folder))
        ends = []
        for _ in range(count):
            began = time.perf_counter()
            stop.go(Way.STEP)
            found = debugger.wait(60)
            assert found is not None
            ends.append((stop.said["seq"], time.perf_counter() - began))
            stop = found
        before = cpu(script.pid), time.process_time()
        time.sleep(held)
        idle = cpu(script.pid) - before[0], time.process_time() - before[1]
        (Path(folder) / "enough").touch()
        debugger.close()
        script.communicate()
        took = rows(Path(folder))
    return [1000 * (wall - took[seq]) for seq, wall in ends], idle


def rows(folder: Path) -> dict[int, float]:
    """Seconds that each operation took."""
    (folder / "run.glens" / "run.json").write_text(json.dumps({"format": FORMAT, "name": "stepping"}))
    process = graphlens.load(folder / "run.glens").main
    found = process.rows(Seq(0), process.end)
    return dict(zip(found.seq.tolist(), (found.took / 1e9).tolist(), strict=True))


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description="What stopping a script costs on this machine.")
    parser.add_argument("--models", default="mlp,gpt2", help="comma-separated; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--held", type=float, default=60.0, help="seconds; default: a minute")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steps", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.models, arguments.child, arguments.steps)
        return
    print(machine())
    for model in arguments.models.split(","):
        print(f"\n{MODELS[model].title}")
        for kind, (low, middle, high) in breakpoints(model, arguments.rounds, MODELS[model].steps).items():
            print(f"  {kind:28} {middle:6.3f} × recording  ({low:.3f} to {high:.3f})")
        times, (theirs, ours) = steps(model, 3000, arguments.held)
        times = sorted(times[len(times) // 10 :])
        middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"  a step, beyond its operation: median {middle:.2f} ms, 99 of 100 below {late:.2f} ms")
        print(f"  held for {arguments.held:.0f} s, CPU: script {theirs:.2f} s, debugger {ours:.2f} s")


if __name__ == "__main__":
    main()
