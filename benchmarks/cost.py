"""What tracing costs: plain PyTorch, an empty dispatch mode, and graphlens at both levels.

    python benchmarks/cost.py [--models mlp,cnn,gpt2] [--rounds 9]

Each model trains in a process of its own, on one thread. Within a round the four ways follow each
other, each with its own warm-up, and a cost is the median over the rounds of that round's ratio to
plain: what the machine does beside us hits all four alike. Time is CPU time of the process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Step = Callable[[], None]
"""One training step: zero_grad, forward, loss, backward, optimizer."""

MODELS = {
    "mlp": "MLP 8-16-16-4, batch 4, AdamW",
    "cnn": "ResNet-18, batch 2, 64×64, SGD momentum",
    "gpt2": "GPT-2 small, 12 layers, T=64, AdamW",
}
STEPS = {"mlp": 250, "cnn": 8, "gpt2": 2}
"""Timed steps of one way in one round."""
WARM_UP = 5
"""Steps before them. The first is declared, the next few are recognised and made quick; from the fourth
or fifth on all cost the same."""
LEVELS = ("structure", "health")
WAYS = ("plain", "empty mode", *LEVELS)


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


# ── the models ───────────────────────────────────────────────────────────────────────────────
# torch is imported inside: the process that prints the table has no use for it.


def mlp() -> Step:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.AdamW(model.parameters())
    inputs, labels = torch.randn(4, 8), torch.randint(4, (4,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return step


def cnn() -> Step:
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, wide_in: int, wide: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(wide_in, wide, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(wide)
            self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(wide)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut: nn.Module = nn.Identity()
            if stride != 1 or wide_in != wide:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(wide_in, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.relu(self.norm1(self.conv1(x)))
            out: torch.Tensor = self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))
            return out

    stages = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    stages += [(128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
    model = nn.Sequential(*stem, *(Residual(*stage) for stage in stages), *head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    inputs, labels = torch.randn(2, 3, 64, 64), torch.randint(1000, (2,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return step


def gpt2() -> Step:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config())
    model.loss_type = "ForCausalLM"
    model.train()
    optimizer = torch.optim.AdamW(model.parameters())
    tokens = torch.randint(50257, (1, 64))

    def step() -> None:
        optimizer.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()

    return step


# ── the ways ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def traced(level: Any, run: Path) -> Iterator[None]:  # Any: a Level, known once torch is there
    """A tracer of ours, into a log below `run`, for as long as the block lasts."""
    from graphlens_tracers.api import Options
    from graphlens_tracers.pytorch.tracer import PyTorchTracer
    from graphlens_tracers.sink import LogSink

    log, pages = run / "run.glens", run / "pages"
    log.mkdir()
    pages.mkdir()
    sink, tracer = LogSink(str(log), str(pages), sys.argv), PyTorchTracer()
    tracer.start(sink, Options(level=level))
    try:
        yield
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


def operations(step: Step) -> int:
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


def one_round(way: str, step: Step, timed: int) -> tuple[float, int]:
    """CPU seconds of `timed` steps one way, and how much its log grew meanwhile."""
    with tempfile.TemporaryDirectory(prefix="graphlens-cost-") as folder:
        run = Path(folder)
        warm = WARM_UP if way in LEVELS else 1
        around = {"plain": nullcontext, "empty mode": empty_mode}.get(way, lambda: traced(way, run))()
        with around:
            before, began = 0, 0.0
            # One loop: a training script's steps come from one place too, and are one graph by that.
            for count in range(warm + timed):
                if count == warm:
                    before, began = log_size(run), time.process_time()
                step()
            return time.process_time() - began, log_size(run) - before


def log_size(run: Path) -> int:
    return sum(file.stat().st_size for file in run.glob("run.glens/*.log"))


def measure(model: str, rounds: int) -> Measured:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = {"mlp": mlp, "cnn": cnn, "gpt2": gpt2}[model]()
    step()
    ops = operations(step)
    timed = STEPS[model]
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    grew = 0
    for _ in range(rounds):
        for way in WAYS:
            seconds, bytes_more = one_round(way, step, timed)
            took[way].append(seconds)
            grew += bytes_more if way == "health" else 0
    ratios = {
        way: [mine / plain for mine, plain in zip(took[way], took["plain"], strict=True)] for way in WAYS[1:]
    }
    quarters = {way: statistics.quantiles(found, n=4) for way, found in ratios.items()}
    return Measured(
        model=model,
        rounds=rounds,
        ops=ops,
        plain_ms=1000 * statistics.median(took["plain"]) / timed,
        cost={way: statistics.median(found) for way, found in ratios.items()},
        spread={way: (found[0], found[2]) for way, found in quarters.items()},
        log_bytes=grew / (rounds * timed * ops),
    )


def table(results: list[Measured]) -> str:
    """What a person reads: a line a model, costs as multiples of plain, and microseconds an operation."""
    lines = [
        f"{'':40} {'ops':>5} {'plain':>9}" + "".join(f" {way:>17}" for way in WAYS[1:]) + f" {'log':>9}",
        f"{'':40} {'/step':>5} {'/step':>9}" + f" {'× plain (µs/op)':>17}" * 3 + f" {'bytes/op':>9}",
    ]
    for found in results:
        cells = ""
        for way in WAYS[1:]:
            extra = (found.cost[way] - 1) * found.plain_ms * 1000 / found.ops
            cells += f" {f'{found.cost[way]:.2f} ({extra:.1f})':>17}"
        name = MODELS[found.model]
        lines.append(f"{name:40} {found.ops:5} {found.plain_ms:6.2f} ms{cells} {found.log_bytes:9.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What tracing costs on this machine.")
    parser.add_argument("--models", default="mlp,cnn,gpt2", help="comma-separated; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="measure in this process, and print JSON")
    arguments = parser.parse_args()
    models: list[str] = arguments.models.split(",")
    if unknown := set(models) - MODELS.keys():
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    if arguments.json:
        for model in models:
            print(json.dumps(asdict(measure(model, arguments.rounds))))
        return
    results = []
    for model in models:
        print(f"measuring {MODELS[model]}, {arguments.rounds} rounds ...", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--json", "--models", model, "--rounds", str(arguments.rounds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results.append(Measured(**json.loads(done.stdout)))
    print(f"CPU time, one thread, median of {arguments.rounds} interleaved rounds\n")
    print(table(results))


if __name__ == "__main__":
    main()
