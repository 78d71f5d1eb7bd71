"""torch.compile under us: the script runs as it would, and what is not seen is said."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import graphlens
from graphlens.store import Process
from graphlens_tracers import arrival
from graphlens_tracers.events import NodeSeen, Seq

SCRIPT = """
import inspect, pickle, sys
import torch
from torch import nn

B = sys.argv[1]
torch.manual_seed(0)
print(torch.compile.__name__, torch.compile.__module__)
print(pickle.loads(pickle.dumps(torch.compile)) is torch.compile)
print(inspect.signature(torch.compile))
try:
    print(inspect.signature(torch.autograd.Function.apply))
except ValueError as error:  # it is of C since torch 2.14
    print(type(error))

class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()
    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4)
    def forward(self, x):
        return Gate.apply(self.norm(self.b(self.a(x).relu())))

net = Net()
net.compile(backend=B, fullgraph=True)
part = Net()
part.a = torch.compile(part.a, backend=B)
opt = torch.optim.SGD([*net.parameters(), *part.parameters()], lr=0.1)

@torch.compile(backend=B, fullgraph=True)
def whole(a, b):
    "distance"
    return (a - b).pow(2).mean()

@torch.compile(backend=B)
def broken(x):
    y = x.sin()
    print("a break")
    return y.cos()

step = torch.compile(opt.step, backend=B)
for size in (5, 5, 6, 7):
    x = torch.randn(size, 4)
    opt.zero_grad()
    loss = whole(net(x), part(x)) + broken(x * net.a.weight.sum()).mean()
    loss.backward()
    step()
    print(size, loss.item())
print(whole.__name__, whole.__doc__, type(net).__name__, type(part.a).__name__)
try:
    whole(torch.ones(2), torch.ones(3))
except Exception as error:
    print(type(error).__name__)
with torch.compiler.set_stance("force_eager"):
    print(whole(torch.ones(2), torch.zeros(2)).item())
program = torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),))
print(program.graph, program.module()(torch.ones(1, 2)).shape)
told = torch._dynamo.explain(lambda x: x.sin().cos())(torch.ones(2))
print(told.graph_count, told.graph_break_count)
with torch.inference_mode():
    print(torch.compile(lambda x: x * 2, backend=B)(torch.ones(2)).sum().item())
print(torch.func.vmap(torch.compile(lambda x: x.sin(), backend=B))(torch.ones(2, 2)).sum().item())
print(sum(p.double().sum() for p in net.parameters()).item(), torch.get_rng_state().sum().item())
"""

TRAIN = """
import sys, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
fast = torch.compile(net, backend=sys.argv[1])
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(4):
    opt.zero_grad()
    loss = fast(torch.randn(5, 4)).pow(2).mean()
    loss.backward()
    opt.step()
    print(loss.item())
weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
opt = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
step = torch.compile(opt.step, backend=sys.argv[1])
for _ in range(4):
    opt.zero_grad()
    sum((w * w).sum() for w in weights).backward()
    step()
    print([w.sum().item() for w in weights])
"""


@dataclass(frozen=True)
class Ran:
    """A script under plain Python and recorded."""

    plain: subprocess.CompletedProcess[str]
    recorded: subprocess.CompletedProcess[str]
    process: Process


def ran(script: str, folder: Path, backend: str, *options: str, **environment: str) -> Ran:
    file, run = folder / "script.py", folder / "run.glens"
    file.write_text(script)
    words = [str(file), backend]
    plain = {**os.environ, "OMP_NUM_THREADS": "1", **environment}

    def python(*command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
        )

    return Ran(
        python(*words, environment=plain),
        python(
            "-m", "graphlens", "record", "-q", "-o", str(run), *options, *words,
            environment={**os.environ, "OMP_NUM_THREADS": "1"},
        ),
        graphlens.load(run).main,
    )  # fmt: skip


def nodes_run(process: Process) -> list[NodeSeen]:
    return [process.nodes[node] for node in process.rows(Seq(0), Seq(process.op_count)).node.tolist()]


def untimed(written: str) -> list[str]:
    """Its lines without what begins those of torch's own logging: the time of day and the process."""
    return [line.split("] ", 1)[-1] for line in written.splitlines()]


def test_by_default_nothing_is_compiled_and_that_is_said(tmp_path: Path) -> None:
    """As with TORCHDYNAMO_DISABLE=1: every operation is seen, and fullgraph=True does not raise."""
    script = ran(SCRIPT, tmp_path, "aot_eager", TORCHDYNAMO_DISABLE="1")
    seen = {node.op for node in nodes_run(script.process)}

    assert script.plain.returncode == 0
    assert script.recorded.stdout == script.plain.stdout
    assert script.recorded.stderr == script.plain.stderr
    assert {"aten.addmm.default", "aten.sin.default", "aten.pow.Tensor_Scalar"} <= seen
    assert not [op for op in seen if op.startswith("compiled.")]
    gaps = {gap.kind: gap.count for gap in script.process.gaps}
    assert gaps["compiled"] == 7  # net, a part, two functions, a step, two lambdas
    assert "failed" not in gaps


OPERATORS = """
import os, torch
from torch._higher_order_ops import associative_scan, scan, while_loop
from torch._higher_order_ops.map import map as map_over

torch.manual_seed(0)
x = torch.randn(4, requires_grad=True)
for step in range(3):
    y = torch.cond(x.sum() > step - 1, lambda x: x.sin() * 2, lambda x: x.cos(), (x,))
    y.sum().backward()
    print(step, y.sum().item(), x.grad.sum().item())
z = x.detach()
print(while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2), (torch.tensor(0), z))[1])
print(scan(lambda c, v: (c + v, c * v), torch.zeros(()), z))
print(associative_scan(lambda a, b: a + b, z, 0, combine_mode="generic"), map_over(lambda v: v * 2, z))
"""


@pytest.mark.long
def test_operators_that_take_functions_work(tmp_path: Path) -> None:
    """They compile what they are given, and can be differentiated only because they do."""
    script = ran(OPERATORS, tmp_path, "eager")
    gaps = {(gap.kind, gap.what): gap.count for gap in script.process.gaps}

    assert script.plain.returncode == 0
    assert (script.recorded.stdout, script.recorded.stderr) == (script.plain.stdout, script.plain.stderr)
    assert gaps["untraced", "operations inside of cond"] == 6  # three, and their backwards
    assert "failed" not in {kind for kind, _ in gaps}


def test_left_compiled_the_script_runs_as_without_us(tmp_path: Path) -> None:
    """Breaks, shapes that change, functions of the user's, export, explain, stances."""
    script = ran(SCRIPT, tmp_path, "aot_eager", "--compiled")

    assert script.plain.returncode == 0
    assert script.recorded.stdout == script.plain.stdout
    assert untimed(script.recorded.stderr) == untimed(script.plain.stderr)
    assert "failed" not in {gap.kind for gap in script.process.gaps}


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.long)])
def test_a_compiled_region_is_one_operation(backend: str, tmp_path: Path) -> None:
    """It reads the parameters, writes the running statistics, and its backward is its twin's.

    Parameters and momentum are no arguments of an optimizer's graph; they are changed all the same.
    """
    script = ran(TRAIN, tmp_path, backend, "--compiled")
    process = script.process
    forward = [node for node in nodes_run(process) if node.op == "compiled.Sequential.forward"]
    backward = [node for node in nodes_run(process) if node.op == "compiled.Sequential.forward.backward"]

    assert script.recorded.stdout == script.plain.stdout
    assert untimed(script.recorded.stderr) == untimed(script.plain.stderr)
    assert len(forward) == len(backward) == 4
    assert {node.twin for node in backward} == {node.node for node in forward}
    assert {node.formula for node in backward} == {"CompiledFunctionBackward"}
    read = [process.leaves.get(value) for value in forward[0].inputs if value is not None]
    names = {leaf.name for leaf in read if leaf is not None}
    assert "Sequential.0.weight" in names
    # Mean, variance and count of batches, by construction; the result has a range.
    assert len(forward[0].writes) == 3
    assert forward[0].outputs[0].ranged == "f4"
    # Nothing of what is inside is listed, and that is said.
    assert not {"aten.addmm.default", "aten.mm.default"} & {node.op for node in nodes_run(process)}
    compiled = {gap.what: gap.count for gap in process.gaps if gap.kind == "compiled"}
    assert compiled["operations inside of compiled regions"] >= 16
    assert compiled["backwards of compiled regions"] == 4
    steps = [node for node in nodes_run(process) if node.op == "compiled.SGD.step"]
    assert len(steps[-1].writes) == 4
    for graph in process.graphs():
        process.graph(graph.graph).check()


def test_the_option_reaches_the_tracer() -> None:
    assert arrival.options({"GRAPHLENS_COMPILED": "1"}).compiled
    assert not arrival.options({}).compiled
