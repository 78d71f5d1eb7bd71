"""What runs elsewhere than on the first thread of the first process is recorded as well.

Truth: each script counts its own operations with a bare mode of its own in a twin run without us,
or is so short that its operations can be written down.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import Seq
from host_processes import RECORD
from recorded import ops, recording

TWIN = Path(__file__).with_name("twin")
SCRIPTS = Path(__file__).parents[2] / "scripts" / "elsewhere"


class Bare(TorchDispatchMode):
    """Counts what passes; shares nothing with the tracer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.seen[str(func)] += 1
        return func(*args, **(kwargs or {}))


def logs(path: Path) -> list[Process]:
    """Everything that was recorded; every graph is valid."""
    found = list(graphlens.load(path).processes())
    for process in found:
        for graph in process.graphs():
            process.graph(graph.graph).check()
    return found


def train(steps: int, seed: int) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 3, generator=generator, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (torch.randn(5, 4, generator=generator) @ weight).relu().pow(2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# ── threads ──────────────────────────────────────────────────────────────────────────────────


def test_each_thread_has_a_log_of_its_own(tmp_path: Path) -> None:
    """Two threads train at the same time: neither's steps may hold anything of the other's."""
    got: dict[int, list[float]] = {}

    def work(seed: int, steps: int) -> None:
        got[seed] = train(steps, seed)

    def program() -> None:
        threads = [
            threading.Thread(target=work, args=(seed, steps), name=f"worker {seed}")
            for seed, steps in ((1, 30), (2, 50))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    program()
    plain = dict(got)
    truth = {}
    for seed, steps in ((1, 30), (2, 50)):
        with Bare() as bare:
            train(steps, seed)
        truth[f"worker {seed}"] = bare.seen
    with recording(tmp_path / "run.glens"):
        program()
    found = {process.started.thread: process for process in logs(tmp_path / "run.glens")}

    assert got == plain
    assert set(found) == {"", "worker 1", "worker 2"}
    for name, seen in truth.items():
        assert Counter(ops(found[name])) == seen
        assert found[name].finished
        assert not found[name].gaps
    assert [call.step for call in found["worker 1"].calls() if call.role == "train"] == list(range(30))
    assert [call.step for call in found["worker 2"].calls() if call.role == "train"] == list(range(50))


def test_ten_thousand_threads_do_not_make_ten_thousand_logs(tmp_path: Path) -> None:
    def program() -> None:
        for k in range(40):
            thread = threading.Thread(target=lambda: torch.ones(2).exp(), name=f"request {k}")
            thread.start()
            thread.join()
        threading.Thread(target=int).start()

    with recording(tmp_path / "run.glens"):
        program()
    found = [process for process in logs(tmp_path / "run.glens") if process.started.thread]

    assert [process.started.thread for process in found] == ["request 0"]
    assert ops(found[0]) == ["aten.ones.default", "aten.exp.default"] * 40
    assert len(found[0].calls()) == 40


def test_a_thread_that_raises_inside_a_module_leaves_nothing_behind(tmp_path: Path) -> None:
    """The next thread that uses the same log must not seem to run inside of that module."""

    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError(str(float(x.sum())))

    caught: list[BaseException] = []

    def fails() -> None:
        try:
            Broken()(torch.ones(2))
        except ValueError as error:
            caught.append(error)

    with recording(tmp_path / "run.glens"):
        for target in (fails, lambda: torch.ones(2).exp()):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    process = next(process for process in logs(tmp_path / "run.glens") if process.started.thread)
    paths = {node.op: process.scope_path(node) for node in process.nodes.values()}

    assert [str(error) for error in caught] == ["2.0"]
    assert paths["aten.sum.default"] == "Broken"
    assert paths["aten.exp.default"] == ""


def test_modules_of_a_thread_are_its_own(tmp_path: Path) -> None:
    """The module is entered before the first operation: it is known by name all the same."""
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    with recording(tmp_path / "run.glens"):
        thread = threading.Thread(target=lambda x: net(x), args=(torch.ones(2, 3),))
        thread.start()
        thread.join()
    process = next(process for process in logs(tmp_path / "run.glens") if process.started.thread)
    paths = {node.op: process.scope_path(node) for node in process.nodes.values()}

    assert paths["aten.addmm.default"] == "Sequential.0"
    assert paths["aten.tanh.default"] == "Sequential.1"


# ── threads of PyTorch's own ─────────────────────────────────────────────────────────────────


def test_a_backward_that_goes_on_in_other_threads_is_one_record(tmp_path: Path) -> None:
    """Backwards nested deeper than 60 continue on pool threads of the autograd engine."""
    from torch.utils.checkpoint import checkpoint

    threads: set[int] = set()

    def deep(x: torch.Tensor, depth: int) -> torch.Tensor:
        threads.add(threading.get_ident())
        if not depth:
            return x.sin()
        inner: torch.Tensor = checkpoint(deep, x, depth - 1, use_reentrant=True)
        return inner.cos()

    def program() -> torch.Tensor:
        x = torch.ones(3, requires_grad=True)
        deep(x, 64).sum().backward()
        assert x.grad is not None
        return x.grad

    with Bare() as bare:
        plain = program()
    assert len(threads) > 1  # otherwise this tests nothing
    with recording(tmp_path / "run.glens"):
        got = [program() for _ in range(2)]
    (process,) = logs(tmp_path / "run.glens")

    assert all(torch.equal(one, plain) for one in got)
    assert Counter(ops(process)) == Counter({name: 2 * count for name, count in bare.seen.items()})
    assert not process.gaps


def test_operations_beside_each_other_are_all_there(tmp_path: Path) -> None:
    """TorchScript's fork runs on threads of PyTorch's own, beside the one that called it."""

    @torch.jit.script
    def work(x: torch.Tensor) -> torch.Tensor:
        for _ in range(20):
            x = (x.sin() + 1).cos()
        return x

    @torch.jit.script
    def both(x: torch.Tensor) -> torch.Tensor:
        one = torch.jit.fork(work, x)
        two = torch.jit.fork(work, x + 1)
        x = work(x)
        total: torch.Tensor = torch.jit.wait(one) + torch.jit.wait(two) + x
        return total

    run: Callable[[torch.Tensor], torch.Tensor] = both

    def program() -> torch.Tensor:
        x = torch.ones(4)
        for _ in range(10):
            x = run(x)
        return x

    truth = {
        "aten.ones.default": 1, "aten.sin.default": 600, "aten.cos.default": 600,
        "aten.add.Scalar": 610, "aten.add.Tensor": 20,
    }  # fmt: skip
    plain = program()
    with recording(tmp_path / "run.glens"):
        got = program()
    (process,) = logs(tmp_path / "run.glens")
    found = Counter(ops(process))

    assert torch.equal(got, plain)
    missed = sum(gap.count for gap in process.gaps if gap.kind == "thread")
    assert sum(truth.values()) - sum(found.values()) == missed
    assert all(found[name] <= count for name, count in truth.items())
    assert missed < 200  # 0, unless the machine stops a thread for long in the middle of an operation


# ── other processes ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ran:
    """One script, counted by `twin/sitecustomize.py` and recorded."""

    twin: subprocess.CompletedProcess[str]
    recorded: subprocess.CompletedProcess[str]
    truth: list[Counter[str]]
    run: Path

    def logs(self) -> list[Process]:
        """Those that hold operations; every graph is valid."""
        return [process for process in logs(self.run) if process.op_count]


def ran(tmp_path: Path, *words: str, module: tuple[str, ...] = ()) -> Ran:
    """Run a script, or a module with a script as its last argument."""
    here = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHASHSEED")}
    here |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TORCHDYNAMO_DISABLE": "1"}
    run, out = tmp_path / "run.glens", tmp_path / "twin"
    out.mkdir()

    def start(*first: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*first, *module, str(SCRIPTS / words[0]), *words[1:]],
            env=here | more, cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    twin = start(sys.executable, PYTHONPATH=str(TWIN), TWIN_OUT=str(out))
    recorded = start(*RECORD, "-q", "-o", str(run))
    truth = [Counter(json.loads(path.read_text())) for path in out.glob("*.json")]
    return Ran(twin, recorded, truth, run)


def unordered(counts: Iterable[Counter[str]]) -> list[list[tuple[str, int]]]:
    """The same list for the same counts in whatever order."""
    return sorted(sorted(count.items()) for count in counts)


def check(done: Ran) -> list[Process]:
    """The script did not notice, and each process and thread that ran something has all of it."""
    found = done.logs()
    assert done.recorded.returncode == done.twin.returncode, done.recorded.stderr
    assert sorted(done.recorded.stdout.splitlines()) == sorted(done.twin.stdout.splitlines())
    assert unordered(Counter(ops(process)) for process in found) == unordered(done.truth)
    return found


def test_forked_processes_have_logs_of_their_own(tmp_path: Path) -> None:
    found = check(ran(tmp_path, "forks.py"))
    first = next(process for process in found if not process.started.worker and process.finished)
    named = {process.started.worker for process in found}

    assert {"helper", "ForkPoolWorker-2"} <= named
    assert all(process.started.parent == first.pid for process in found if process.started.worker)
    assert all(process.finished for process in found if process.started.worker == "helper")
    assert not any(process.gaps for process in found)
    assert [call.step for call in first.calls() if call.role == "train"] == list(range(23))


def test_a_forked_process_does_not_hang_because_it_is_looked_at(tmp_path: Path) -> None:
    """The threads of the parent's OpenMP are not there: a large reduction would wait for them for ever."""
    found = check(ran(tmp_path, "careful.py"))
    child = next(process for process in found if process.started.parent == min(p.pid for p in found))

    assert [(gap.kind, gap.count) for gap in child.gaps] == [("sampled", 1)]
    assert "aten.random_.from" in ops(child)


def test_workers_of_a_loader_have_logs_of_their_own(tmp_path: Path) -> None:
    """Forked and spawned; they end by themselves, and what they looked at was looked at whole."""
    found = check(ran(tmp_path, "loader.py", "spawn", "fork"))
    workers = [process for process in found if process.started.worker]

    assert sorted(process.started.worker for process in workers) == [
        "DataLoader worker 0", "DataLoader worker 0", "DataLoader worker 1",
    ]  # fmt: skip
    assert all(process.finished for process in found)
    assert not any(process.gaps for process in found)


def test_processes_that_start_anew_record_by_themselves(tmp_path: Path) -> None:
    done = ran(tmp_path, "spawns.py")
    found = check(done)

    assert all(process.finished for process in found)
    assert not any(process.gaps for process in found)
    empty = [process for process in graphlens.load(done.run).processes() if not process.op_count]
    assert empty and all(process.finished for process in empty)


# ── ranks ────────────────────────────────────────────────────────────────────────────────────


def test_ranks_that_train_together_have_logs_of_their_own(tmp_path: Path) -> None:
    """DDP, FSDP2 and collectives by hand, started by torchrun: rank, group and order are known."""
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    found = check(ran(tmp_path, "ranks.py", "ddp", "fsdp", "hand", module=torchrun))
    collectives = []
    for process in found:
        groups: dict[str, list[str]] = {}
        for seq in range(process.op_count):
            node = process.op(Seq(seq)).node
            if node.op.startswith("c10d."):
                group = next(
                    arg["group"]
                    for arg in json.loads(node.form)[0]
                    if isinstance(arg, dict) and "group" in arg
                )
                groups.setdefault(group, []).append(node.op)
                assert all(not output.ranged for output in node.outputs)  # still being written
                if node.op != "c10d.barrier.default":
                    assert node.writes
        collectives.append(groups)

    assert sorted(process.rank for process in found) == [0, 1]
    assert all(process.finished for process in found)
    assert collectives[0] == collectives[1]
    by_hand = [ops[-3:] for ops in collectives[0].values() if "c10d.barrier.default" in ops]
    assert by_hand == [["c10d.allreduce_.default", "c10d.allgather_.default", "c10d.barrier.default"]]
    assert ["c10d.broadcast_.default"] in collectives[0].values()
    trained = [call.step for call in found[0].calls() if call.role == "train"]
    assert trained == list(range(10))


@pytest.mark.long
def test_the_rank_of_a_spawned_process_is_known_once_it_joins(tmp_path: Path) -> None:
    """Nothing in its environment says it."""
    found = check(ran(tmp_path, "joins.py"))

    assert sorted(process.rank for process in found) == [0, 1]
