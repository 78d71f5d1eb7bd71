"""What tracing costs in memory, and on disk.

    python benchmarks/memory.py [--millions 10] [--models mlp,cnn,gpt2-adamw]

A training loop whose steps vary runs for millions of operations, plain and recorded, each in a process
of its own: how much more memory is resident, at points on the way. Then a network with large activations:
what it holds at most, plain and recorded. Last the logs of three models: bytes for an operation of a
repeated step, by what they are for.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cost

from graphlens_tracers.wire import frames

POINTS = (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Millions of operations after which we look."""
PERIOD = 700
"""Steps after which all kinds of steps have been."""
LOGGED = {"mlp": 400, "cnn": 20, "gpt2-adamw": 4}
"""Steps whose log is measured, after as many again: enough to fill the page several times."""
Steps = Callable[[int], None]
"""Runs the step of that number."""


@contextmanager
def around(way: str) -> Iterator[Path]:
    """Recorded or not, as long as the block lasts; where the log is."""
    with tempfile.TemporaryDirectory(prefix="graphlens-memory-") as folder, ExitStack() as stack:
        if way != "plain":
            stack.enter_context(cost.traced(way, Path(folder)))
        yield Path(folder)


def resident(field: str = "VmRSS") -> int:
    """Bytes of this process in memory; "VmHWM": at most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status says nothing of memory")


# torch is imported inside, as in training.py.


def varied() -> Steps:
    """Training as it is: the batch moves through the data and is smaller every seventh time, the learning
    rate is always another one, every twentieth step draws a mask, every fiftieth evaluates."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 4))
    optimizer = torch.optim.AdamW(net.parameters())
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step % 1000))
    data, labels = torch.randn(64, 8), torch.randint(4, (64,))

    def step(number: int) -> None:
        start, size = number * 4 % 60, 3 if number % 7 == 0 else 4
        x, y = data[start : start + size], labels[start : start + size]
        if number % 20 == 0:
            x = x * (torch.rand(size, 8) > 0.5)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if number % 50 == 0:
            with torch.no_grad():
                net.eval()(data).argmax(1).eq(labels).float().mean().item()
            net.train()

    return step


def never_twice() -> Steps:
    """Each step takes a way of its own: by chance, each of twenty layers is left out."""
    import torch
    from torch import nn

    layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(20))
    scale = nn.Parameter(torch.ones(8))
    optimizer = torch.optim.SGD([scale, *layers.parameters()], lr=0.01)
    data, chosen = torch.randn(4, 8), random.Random(0)

    def step(number: int) -> None:
        optimizer.zero_grad()
        x = data
        for layer in layers:
            if chosen.random() < 0.5:
                x = layer(x).tanh()
        (x * scale).sum().backward()
        optimizer.step()

    return step


PROGRAMS: dict[str, Callable[[], Steps]] = {"varied": varied, "never twice": never_twice}
MOST = {"never twice": 0.5}
"""Millions of operations of a program at most: each of these is new, and takes its time."""


def grow(program: str, way: str, millions: float) -> list[tuple[float, int]]:
    """(millions of operations, resident bytes) at the points on the way."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = PROGRAMS[program]()
    number = 0

    def period() -> None:
        nonlocal number
        for _ in range(PERIOD):
            step(number)
            number += 1

    per_step = cost.operations(period) / PERIOD
    found = [(0.0, resident())]
    with around(way) as folder:
        for point in POINTS:
            if point > millions:
                break
            while number * per_step < point * 1e6 + PERIOD * per_step:
                step(number)
                number += 1
            found.append((point, resident()))
            if way != "plain":
                _forget_log(folder)
    return found


def _forget_log(folder: Path) -> None:
    """What was written is of no interest here, and would fill the disk."""
    for log in sorted(folder.glob("run.glens/*.log"))[:-1]:
        log.unlink()


def peak(way: str) -> int:
    """Bytes that a network with 40 activations of 8 MB, of which it keeps half, had in memory at most."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers = [layer for _ in range(20) for layer in (nn.Tanh(), nn.Dropout(0.0))]
    net = nn.Sequential(nn.Linear(64, 64), *layers)
    x = torch.randn(32768, 64)
    with around(way):
        for _ in range(6):
            net(x).mean().backward()
            with torch.no_grad():
                net(x)
    return resident("VmHWM")


def logged(model: str) -> dict[str, float]:
    """Bytes of the log for one operation of a repeated step, by kind of frame."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = cost.MODELS[model].make().step
    step()
    ops = cost.operations(step)
    before: Counter[str] = Counter()
    with around("health") as folder:
        for number in range(2 * LOGGED[model]):
            if number == LOGGED[model]:
                before = sizes(folder)
            step()
        more = sizes(folder) - before
    return {kind: size / LOGGED[model] / ops for kind, size in more.items()}


def sizes(folder: Path) -> Counter[str]:
    """Bytes of all frames, by kind."""
    found: Counter[str] = Counter()
    for log in sorted(folder.glob("run.glens/*.log")):
        for one in frames(log.read_bytes()):
            found[one.kind.name.lower()] += one.end - one.start
    return found


def in_a_process(*words: str) -> str:
    """What this file prints when it measures one thing."""
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="What tracing costs in memory, and on disk.")
    parser.add_argument("--millions", type=float, default=10, help="operations; default: %(default)s million")
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="default: %(default)s")
    parser.add_argument("--models", default=",".join(LOGGED), help="default: %(default)s")
    parser.add_argument("--one", nargs=2, metavar="WHAT", help="measure one thing, print it as JSON")
    arguments = parser.parse_args()
    if arguments.one is not None:
        what, way = arguments.one
        if what in PROGRAMS:
            print(json.dumps(grow(what, way, arguments.millions)))
        else:
            print(json.dumps(peak(way) if what == "peak" else logged(what)))
        return
    for program in filter(None, arguments.programs.split(",")):
        options = ("--millions", str(min(arguments.millions, MOST.get(program, arguments.millions))))
        plain, ours = (
            json.loads(in_a_process("--one", program, way, *options)) for way in ("plain", "health")
        )
        print(f"\n{program}: {PROGRAMS[program].__doc__}")
        for (point, without), (_, with_us) in zip(plain[1:], ours[1:], strict=True):
            more = (with_us - ours[0][1]) - (without - plain[0][1])
            print(f"  after {point:5} million operations {more / 1e6:8.1f} MB above plain")
    held, with_us = (json.loads(in_a_process("--one", "peak", way)) for way in ("plain", "health"))
    print(f"\nlarge activations, at most: plain {held / 1e6:.0f} MB, recorded {with_us / 1e6:.0f} MB")
    print("\nbytes in the log for one operation of a repeated step")
    for model in filter(None, arguments.models.split(",")):
        found = json.loads(in_a_process("--one", model, "health"))
        parts = ", ".join(f"{kind} {size:.1f}" for kind, size in found.items())
        print(f"  {cost.MODELS[model].title:40} {sum(found.values()):5.1f}  ({parts})")


if __name__ == "__main__":
    main()
