"""The PyTorch tracer keeps the contract of all tracers, and changes nothing that a script could see."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.optim.optimizer as optimizer_hooks
from contract import TracerContract
from torch import nn
from torch.nn.modules import module as module_hooks

import graphlens
from graphlens_tracers.api import Tracer
from graphlens_tracers.events import Phase, Seq
from graphlens_tracers.pytorch.tracer import PyTorchTracer
from recorded import recorded, recording


def train(steps: int = 3, momentum: float = 0.9) -> bytes:
    """A small network with dropout and momentum; the bytes of its parameters."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.randn(5, 8)), torch.randint(0, 4, (5,)))
        loss.backward()
        optimizer.step()
    return (
        b"".join(p.detach().numpy().tobytes() for p in net.parameters())
        + torch.get_rng_state().numpy().tobytes()
    )


class TestContract(TracerContract):
    def tracer(self) -> Tracer:
        return PyTorchTracer()

    def compute(self) -> bytes:
        return train()

    def fail(self) -> None:
        for _ in range(2):
            torch.mm(torch.zeros(2, 3), torch.zeros(2, 3))

    def global_state(self) -> list[Any]:
        return [
            torch._C._len_torch_dispatch_stack(),
            dict(module_hooks._global_forward_hooks),
            dict(module_hooks._global_forward_pre_hooks),
            dict(optimizer_hooks._global_optimizer_pre_hooks),
            dict(optimizer_hooks._global_optimizer_post_hooks),
            torch.autograd._engine_run_backward,  # type: ignore[attr-defined]  # a name of its own there
            torch.autograd.graph._engine_run_backward,
            torch.compile,
            threading.Thread._bootstrap_inner,  # type: ignore[attr-defined]  # the one place all threads pass
        ]


# ── the numbers ──────────────────────────────────────────────────────────────────────────────

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
BAD = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@pytest.mark.parametrize("dtype", [*FLOATS, torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("bad", sorted(BAD))
@pytest.mark.parametrize("place", [0, 7, 23])
def test_one_bad_number_is_found_and_counted(
    dtype: torch.dtype, bad: str, place: int, tmp_path: Path
) -> None:
    given = torch.arange(24, dtype=torch.float64) - 9
    given[place] = BAD[bad]
    given = given.to(dtype).reshape(4, 6)

    process = recorded(lambda: given.clone(), tmp_path / "run.glens")
    made = process.op(Seq(0)).outputs[0]

    counts = {"nan": made.nan, "inf": made.pos_inf, "-inf": made.neg_inf}
    assert counts == {name: int(name == bad) for name in BAD}
    assert made.where[0] == (place // 6, place % 6)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", ["plain", "transposed", "channels last", "scalar", "empty"])
def test_the_range_is_the_true_one(dtype: torch.dtype, shape: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    given = {
        "plain": torch.randn(5, 7),
        "transposed": torch.randn(5, 7).t(),
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "scalar": torch.randn(()),
        "empty": torch.randn(0, 3),
    }[shape].to(dtype)

    process = recorded(lambda: given * 2, tmp_path / "run.glens")
    made = process.op(Seq(0)).outputs[0]

    truth = (given * 2).double().numpy()
    assert (made.low, made.high) == ((truth.min(), truth.max()) if truth.size else (None, None))
    assert made.looked_at


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(6) * 2,
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.randn(4).to(torch.float8_e4m3fn),
        lambda: torch.empty(3),
        lambda: torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8),
        lambda: torch.randn(3, device="meta") + 1,
        lambda: torch.nested.nested_tensor([torch.randn(2), torch.randn(3)]),
        lambda: torch.nested.nested_tensor([torch.randn(2), torch.randn(3)], layout=torch.jagged),
        lambda: torch.vmap(lambda x: x.sin().sum())(torch.randn(3, 4)),
        lambda: torch.func.grad(lambda x: x.sin().sum())(torch.randn(4)),
        lambda: torch.fft.rfft(torch.randn(8)).abs().flip(0),
    ],
    ids="ints sparse csr float8 uninitialised quantised meta nested jagged vmap grad fft".split(),
)
def test_what_has_no_range_is_recorded_without(make: Callable[[], Any], tmp_path: Path) -> None:
    """Never a crash, never a made-up number."""
    process = recorded(make, tmp_path / "run.glens")

    assert process.op_count > 0
    assert [gap for gap in process.gaps if gap.kind == "failed"] == []


def test_a_run_of_nans_says_it_once(tmp_path: Path) -> None:
    """Facts equal to those of the call before are not repeated; the ranges are always there."""

    def diverge() -> None:
        weight = torch.full((3,), math.nan, requires_grad=True)
        for _ in range(20):
            (weight * 2).sum().backward()

    process = recorded(diverge, tmp_path / "run.glens")

    assert len(process.bad_rows()) >= 40
    assert len(process.unusual(Seq(0), Seq(process.op_count))) < 20


# ── harmless ─────────────────────────────────────────────────────────────────────────────────


def test_tensors_are_freed_as_without_us(tmp_path: Path) -> None:
    freed: list[bool] = []

    def program() -> None:
        for _ in range(3):
            tensor = torch.randn(100).relu()
            watch = weakref.ref(tensor.untyped_storage())
            del tensor
            freed.append(watch() is None)

    gc.disable()
    try:
        recorded(program, tmp_path / "run.glens")
    finally:
        gc.enable()

    assert freed == [True] * 3


def test_an_operation_that_raises_has_a_row(tmp_path: Path) -> None:
    """The first time, and when it is the expected one."""

    def program() -> None:
        for _ in range(3):
            with pytest.raises(RuntimeError):
                torch.mm(torch.zeros(2, 3), torch.zeros(2, 3))
            torch.ones(1, requires_grad=True).sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    raised = [s for s in range(process.op_count) if process.op(Seq(s)).error]

    assert [process.op(Seq(s)).node.op for s in raised] == ["aten.mm.default"] * 3
    assert "mat1 and mat2" in str(process.op(Seq(raised[2])).error)


def test_what_raises_again_and_again_is_recorded_each_time(tmp_path: Path) -> None:
    """Its numbers and its error come into one page, which is full at any point."""

    def program() -> None:
        x = torch.ones(3)
        for k in range(400):
            with pytest.raises(RuntimeError):
                torch._foreach_add_([x, x[: k % 3]], [x, torch.ones(7 + k % 2)])

    process = recorded(program, tmp_path / "run.glens")

    assert process.gaps == []
    assert sum(1 for fact in process.unusual(0, process.op_count) if fact.error) == 400


def test_a_failure_of_ours_leaves_the_script_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Said once, on standard error and as a gap; the results are the same."""
    plain = train()
    with recording(tmp_path / "run.glens") as tracer:
        assert isinstance(tracer, PyTorchTracer)
        monkeypatch.setattr(tracer._main.recorder, "place", lambda before, results: 1 / 0)
        got = train()
    process = graphlens.load(tmp_path / "run.glens").main

    assert got == plain
    assert capfd.readouterr().err.count("goes on untraced") == 1
    assert [gap.kind for gap in process.gaps] == ["failed"]


# ── steps, phases, links ─────────────────────────────────────────────────────────────────────


def test_phases_are_what_a_person_would_say(tmp_path: Path) -> None:
    process = recorded(lambda: train(4, momentum=0.0), tmp_path / "run.glens")
    last = [call for call in process.calls() if call.role == "train"][-1]
    phases = [process.op(Seq(s)).node.phase for s in range(last.first, last.last + 1)]
    order = [phase for k, phase in enumerate(phases) if k == 0 or phases[k - 1] is not phase]

    assert order == [Phase.OPTIMIZER, Phase.DATA, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER]


def test_evaluation_between_epochs_is_its_own_call(tmp_path: Path) -> None:
    def program() -> None:
        net, data = nn.Linear(4, 2), torch.randn(6, 4)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            for k in range(0, 6, 2):
                optimizer.zero_grad()
                net(data[k : k + 2]).sum().backward()
                optimizer.step()
            with torch.no_grad():
                for k in range(0, 6, 3):
                    net(data[k : k + 3]).argmax(1)

    process = recorded(program, tmp_path / "run.glens")
    roles = [call.role for call in process.calls()]

    assert roles == ["setup", *(["train"] * 3 + ["eval"] * 2) * 3]
    assert [call.step for call in process.calls() if call.role == "train"] == list(range(9))


def test_batches_of_a_data_loader_are_one_graph(tmp_path: Path) -> None:
    """Each batch stacks other elements of the same storage: the slices move, the graph does not."""

    def program() -> None:
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        data = torch.utils.data.TensorDataset(torch.randn(24, 3), torch.randint(0, 2, (24,)))
        for x, y in torch.utils.data.DataLoader(data, batch_size=4, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

    process = recorded(program, tmp_path / "run.glens")
    trained = [call.graph for call in process.calls() if call.role == "train"]

    assert len(trained) == 6
    assert len(set(trained[1:])) == 1  # the first one also draws the order


def test_a_closure_makes_steps_too(tmp_path: Path) -> None:
    """LBFGS runs forward and backward inside of its step, as often as it likes."""

    def program() -> None:
        weight = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight], max_iter=3)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = (weight**2).sum()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)

    process = recorded(program, tmp_path / "run.glens")

    assert [call.step for call in process.calls() if call.role == "train"] == [0, 1, 2, 3]


def test_only_the_chosen_steps_are_recorded(tmp_path: Path) -> None:
    with recording(tmp_path / "run.glens", steps=(2, 4)):
        train(6)
    process = graphlens.load(tmp_path / "run.glens").main

    assert [(call.step, call.role) for call in process.calls()] == [(2, "train"), (3, "train")]
    assert [(gap.kind, gap.count) for gap in process.gaps] == [("untraced", 4)]


def test_the_twin_is_the_operation_that_autograd_names(tmp_path: Path) -> None:
    """SqrtBackward0 works for sqrt: the truth is the name of the autograd node."""
    seen: list[str] = []

    def program() -> None:
        x = torch.rand(4, requires_grad=True)
        y = (x.sqrt() * x.exp()).log().tanh().sum()
        y.register_hook(lambda grad: seen.append("hook"))
        y.backward()

    process = recorded(program, tmp_path / "run.glens")
    pairs = {
        (node.op.split(".")[1], process.nodes[node.twin].op.split(".")[1])
        for node in process.nodes.values()
        if node.twin is not None
    }

    assert seen == ["hook"]
    assert ("tanh_backward", "tanh") in pairs
    assert {twin for op, twin in pairs if op in ("div", "mul")} <= {"sqrt", "mul", "exp", "log"}
    assert {"sqrt", "log", "sum"} <= {twin for _, twin in pairs}


def test_parameters_and_optimizer_state_have_names(tmp_path: Path) -> None:
    process = recorded(train, tmp_path / "run.glens")
    named = {(leaf.kind, leaf.name) for leaf in process.leaves.values()}

    assert ("parameter", "Sequential.0.weight") in named
    assert ("state", "momentum_buffer[Sequential.3.bias]") in named


def test_a_step_with_a_scaler_is_one_step(tmp_path: Path) -> None:
    """The optimizer's own step inside of the scaler's is no second one, also where nothing is recorded."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    losses: list[float] = []
    with recording(tmp_path / "run.glens", steps=(3, 5)):
        for k in range(8):
            optimizer.zero_grad()
            loss = model(torch.full((3, 2), float(k + 1))).square().mean()
            losses.append(loss.item())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    (process,) = graphlens.load(tmp_path / "run.glens").processes()
    trained = [
        call for graph in process.graphs() for call in process.calls(graph.graph) if call.role == "train"
    ]
    assert [call.step for call in trained] == [3, 4]
    assert [gap.count for gap in process.gaps] == [6]
