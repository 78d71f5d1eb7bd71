"""What tracing costs: PyTorch as it is, an empty dispatch mode, graphlens at its levels, and other tools.

    python benchmarks/cost.py [--models mlp,cnn,gpt2] [--rounds 9]

Each model trains in a process of its own, on one thread. Within a round all ways follow each other,
each with its own warm-up, and a cost is the median over the rounds of that round's ratio to plain:
what the machine does beside us hits all of them alike. Time is CPU time of the process.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import training
from training import Training


class Model(NamedTuple):
    """A row of the table.

    Attributes:
        steps: Timed steps of one way in one round.
        repeats: All steps go the same way; otherwise only graphlens's default level is of interest.
        warm_up: Steps before those timed. The first is declared, the next few are recognised; from the
            fourth or fifth on all that repeat cost the same. Where none repeats, parts of them do.
    """

    title: str
    make: Callable[[], Training]
    steps: int
    repeats: bool = True
    warm_up: int = 5


MODELS = {
    "mlp": Model("MLP 8-16-16-4, batch 4, AdamW", training.mlp, 250),
    "cnn": Model("ResNet-18, batch 2, 64×64, SGD momentum", training.cnn, 8),
    "gpt2": Model("GPT-2 small, T=64, forward and backward", lambda: training.gpt2(False), 2),
    "gpt2-adamw": Model("GPT-2 small, T=64, AdamW", training.gpt2, 2),
    "nan": Model("the MLP, everything NaN", lambda: training.mlp(ill=True), 250, repeats=False),
    "attention": Model(
        "12 layers of attention, masked with -1e9", lambda: training.attention(-1e9), 20, repeats=False
    ),
    "masked": Model("the same with -∞", lambda: training.attention(-math.inf), 20, repeats=False),
    "lbfgs": Model("MLP, LBFGS: never the same way", training.lbfgs, 10, repeats=False, warm_up=40),
    "experts": Model(
        "4 of 8 experts, drawn for every step", training.experts, 100, repeats=False, warm_up=100
    ),
    "recurrent": Model("GRU cell, 5 to 60 times", training.recurrent, 40, repeats=False, warm_up=80),
}
LEVELS = ("structure", "health")
OTHERS = ("other steps", "detect_anomaly", "DebugMode", "torchlens")
"""graphlens outside of `--steps`, and the tools that PyTorch has or people install."""
WAYS = ("plain", "empty mode", *LEVELS, *OTHERS)


@dataclass(frozen=True, slots=True)
class Measured:
    """One model.

    Attributes:
        ops: Operations of one step.
        plain_ms: CPU time of one step without anything, median.
        cost: For each other way, the median ratio to plain.
        spread: For each other way, the ratios' quartiles.
        log_bytes: Size of the log at level health, for one operation of a repeated step.
    """

    model: str
    rounds: int
    ops: int
    plain_ms: float
    cost: dict[str, float]
    spread: dict[str, tuple[float, float]]
    log_bytes: float


# ── the ways ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def traced(
    level: Any, run: Path, first: int = 0
) -> Iterator[Callable[[], None]]:  # Any: a Level, known once torch is there
    """A tracer of ours, into a log below `run`, for as long as the block lasts; from step `first` on.

    Gives what puts all that was recorded so far into the log.
    """
    from graphlens_tracers.api import Options
    from graphlens_tracers.pytorch.tracer import PyTorchTracer
    from graphlens_tracers.sink import LogSink

    log, pages = run / "run.glens", run / "pages"
    log.mkdir()
    pages.mkdir()
    sink, tracer = LogSink(str(log), str(pages), sys.argv), PyTorchTracer()
    tracer.start(sink, Options(level=level, steps=(first, None)))
    try:
        yield sink.flush
    finally:
        tracer.stop()
        sink.close()


def empty_mode() -> AbstractContextManager[Any]:  # Any: the mode itself
    """The floor for everything that sees each operation from Python."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Empty(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    return Empty()  # type: ignore[no-untyped-call]  # the constructor is torch's


def around(way: str, run: Path) -> AbstractContextManager[Any]:  # Any: whatever each one gives
    """What steps of this way run in."""
    import torch

    if way in LEVELS:
        return traced(way, run)
    if way == "other steps":
        return traced("health", run, first=1 << 30)
    if way == "empty mode":
        return empty_mode()
    if way == "detect_anomaly":
        return torch.autograd.detect_anomaly(check_nan=True)
    if way == "DebugMode":
        from torch.utils._debug_mode import DebugMode

        return DebugMode()
    return nullcontext()


def ways_of(model: Model) -> list[str]:
    """The ways that are measured: those that can be, here."""
    if not model.repeats:
        return ["plain", "empty mode", "health"]
    missing = {"torchlens"} if importlib.util.find_spec("torchlens") is None else set()
    if importlib.util.find_spec("torch.utils._debug_mode") is None:
        missing.add("DebugMode")
    return [way for way in WAYS if way not in missing]


def operations(step: Callable[[], None]) -> int:
    """How many operations one step is, as a dispatch mode sees them."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[Any] = []

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    with Counting():  # type: ignore[no-untyped-call]  # the constructor is torch's
        step()
    return len(seen)


def one_round(way: str, trains: Training, timed: int, warm_up: int) -> tuple[float, int]:
    """CPU seconds of `timed` steps one way, after some others, and how much its log grew meanwhile."""
    step = trains.step
    if way == "torchlens":
        # It looks at a forward alone: a step is one with that before it.
        torchlens = importlib.import_module("torchlens")

        def step() -> None:
            torchlens.log_forward_pass(trains.model, list(trains.inputs), layers_to_save="all")
            trains.step()

        timed = max(1, timed // 50)
    with tempfile.TemporaryDirectory(prefix="graphlens-cost-") as folder:
        run = Path(folder)
        warm = warm_up if way in LEVELS else 1
        with around(way, run) as flush:
            before, began = 0, 0.0
            # One loop: a training script's steps come from one place too, and are one graph by that.
            for count in range(warm + timed):
                if count == warm:
                    if way in LEVELS:
                        flush()
                    before, began = log_size(run), time.process_time()
                step()
            took = (time.process_time() - began) / timed
            if way in LEVELS:
                flush()
            return took, log_size(run) - before


def log_size(run: Path) -> int:
    return sum(file.stat().st_size for file in run.glob("run.glens/*.log"))


def measure(name: str, rounds: int) -> Measured:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = MODELS[name]
    ways = ways_of(model)
    trains = model.make()
    trains.step()
    ops = operations(trains.step)
    took: dict[str, list[float]] = {way: [] for way in ways}
    grew = 0
    for _ in range(rounds):
        for way in ways:
            seconds, bytes_more = one_round(way, trains, model.steps, model.warm_up)
            took[way].append(seconds)
            grew += bytes_more if way == "health" else 0
    ratios = {
        way: [mine / plain for mine, plain in zip(took[way], took["plain"], strict=True)] for way in ways[1:]
    }
    quarters = {way: statistics.quantiles(found, n=4) for way, found in ratios.items()}
    return Measured(
        model=name,
        rounds=rounds,
        ops=ops,
        plain_ms=1000 * statistics.median(took["plain"]),
        cost={way: statistics.median(found) for way, found in ratios.items()},
        spread={way: (found[0], found[2]) for way, found in quarters.items()},
        log_bytes=grew / (rounds * model.steps * ops),
    )


def machine() -> str:
    """What this was measured on."""
    import torch

    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    return f"{cpu}, {platform.system()}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def table(results: list[Measured]) -> str:
    """In Markdown: a line a model, costs as multiples of plain."""
    ways = [way for way in WAYS[1:] if any(way in found.cost for found in results)]
    lines = [
        f"| | ops | plain | {' | '.join(ways)} | log, bytes an op |",
        f"|---|---:|---:|{'---:|' * len(ways)}---:|",
    ]
    for found in results:
        cells = [f"{found.cost[way]:.2f}" if way in found.cost else "" for way in ways]
        log = f"{found.log_bytes:.1f}" if MODELS[found.model].repeats else ""
        start = f"{MODELS[found.model].title} | {found.ops} | {found.plain_ms:.2f} ms"
        lines.append(f"| {start} | {' | '.join(cells)} | {log} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What tracing costs on this machine.")
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="measure in this process, and print JSON")
    arguments = parser.parse_args()
    chosen: list[str] = arguments.models.split(",")
    if unknown := set(chosen) - MODELS.keys():
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    if arguments.json:
        for model in chosen:
            print(json.dumps(asdict(measure(model, arguments.rounds))))
        return
    results = []
    for model in chosen:
        print(f"measuring {MODELS[model].title}, {arguments.rounds} rounds ...", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--json", "--models", model, "--rounds", str(arguments.rounds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results.append(Measured(**json.loads(done.stdout)))
    print(f"CPU time, one thread, median of {arguments.rounds} interleaved rounds; × plain. {machine()}\n")
    print(table(results))


if __name__ == "__main__":
    main()
