"""Scripts that are stopped do what they do without us, and stop exactly where they were to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging import NAMES, SCRIPTS, Stage

import graphlens
from graphlens.debugger import Debugger
from graphlens.ops import Op
from graphlens.store import Process
from graphlens_tracers.control import Way
from graphlens_tracers.events import Seq
from recorded import ops, recorded
from stepper import debug, walk
from verdict.truth import some

FORKED = [name for name in NAMES if not name.startswith("process_")]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.mark.parametrize("name", some(FORKED, 9))
def test_a_script_that_is_stopped_does_not_notice(name: str, stage: Stage, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    plain, debugged = (stage.run(way, script, tmp_path) for way in ("plain", "stepped"))

    for what in ("out", "err", "code", "digest", "random", "number"):
        assert debugged[what] == plain[what], what
    run = graphlens.load(tmp_path / "run.glens")
    names = {process.id: ops(process) for process in run.processes() if process.pid == run.main.pid}
    stops = json.loads((tmp_path / "stops.json").read_text())
    assert stops
    for seq, op, why, when in stops:
        assert any(seq < len(known) and known[seq] == op for known in names.values()), (seq, op, why, when)


# ── where it stops ───────────────────────────────────────────────────────────────────────────


Program = Sequence[tuple[str, int]]
UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu, "exp": torch.exp, "neg": torch.neg, "sum": lambda x: x.sum(0, keepdim=True) + x,
    "view": lambda x: x.view(-1).view(x.shape), "mul_": lambda x: x.clone().mul_(2),
}  # fmt: skip


def random_program(program: Program) -> Callable[[], None]:
    """A training loop whose body is made of these operations, some of them repeated."""

    def run() -> None:
        torch.manual_seed(0)
        weight = torch.randn(3, 3, requires_grad=True)
        for _ in range(2):
            x = weight @ torch.randn(3, 3)
            for name, times in program:
                for _ in range(times):
                    x = UNARY[name](x).tanh()
            x.sum().backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad  # type: ignore[operator]  # backward has made it
            weight.grad = None

    return run


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(UNARY)), st.integers(1, 3)), min_size=1, max_size=5))
def test_every_operation_is_stopped_at_just_before_its_row(
    tmp_path_factory: pytest.TempPathFactory, program: Program
) -> None:
    folder = tmp_path_factory.mktemp("steps")
    run = random_program(program)
    expected = ops(recorded(run, folder / "plain.glens"))
    said: list[Any] = []
    debug(run, folder / "run.glens", walk(Way.STEP, said))

    assert [one["seq"] for one in said] == list(range(len(expected)))
    assert [one["op"] for one in said] == expected
    assert ops(graphlens.load(folder / "run.glens").main) == expected


# ── a model ──────────────────────────────────────────────────────────────────────────────────


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(4)
        self.attn = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.attn(self.norm(x)))  # LINE IN A MODULE
        return x + y


STEPS = 3


def train() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(Block(), Block())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        x = torch.randn(2, 4)
        loss = model(x).pow(2).mean()  # LINE THAT CALLS
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


HERE = Path(__file__)


def line(comment: str) -> int:
    """The line of this file that ends with a comment."""
    lines = HERE.read_text().splitlines()
    return next(n for n, text in enumerate(lines, 1) if text.endswith(f"# {comment}"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Process:
    return recorded(train, tmp_path_factory.mktemp("plain") / "run.glens")


def rows(process: Process) -> list[Op]:
    return [process.op(Seq(seq)) for seq in range(process.op_count)]


def entries(values: list[Any], wanted: Any) -> int:
    """How often a value begins, among those of all operations in order."""
    return sum(value == wanted and (k == 0 or values[k - 1] != wanted) for k, value in enumerate(values))


def hits(tmp_path: Path, *places: str, watches: Sequence[str] = ()) -> list[int]:
    """How often each breakpoint stopped the training."""
    said: list[Any] = []

    def prepare(debugger: Debugger) -> None:
        for place in places:
            debugger.add(place)
        for rule in watches:
            debugger.watch(rule)

    debug(train, tmp_path / "run.glens", walk(Way.CONTINUE, said, prepare))
    last = said[-1]["hits"]
    # The last line of the program is no operation: nothing is hit after the last stop.
    return [last[str(k + 1)] for k in range(len(places) + len(watches))]


def test_an_operation_that_passed_unseen_is_known_to_the_next_one(tmp_path: Path, plain: Process) -> None:
    every = [op for op in rows(plain) if not op.node.op.startswith("profiler.")]
    calling = line("LINE THAT CALLS")
    found = hits(
        tmp_path, "aten.add.Tensor", "module:0", "module:1", "optimizer", f"{HERE.name}:{calling}"
    )  # fmt: skip

    names = [op.node.op for op in every]
    phases = [str(op.node.phase.value) for op in every]
    paths = [next((part for part in op.scope_path.split(".") if part in ("0", "1")), "") for op in every]
    directly = sum(
        op.site is not None and op.site.line == calling and phase != "backward"
        for op, phase in zip(every, phases, strict=True)
    )
    assert found[0] == names.count("aten.add.Tensor")
    assert found[1] == entries(paths, "0") and found[2] == entries(paths, "1")
    assert found[3] == entries(phases, "optimizer")
    assert found[4] == directly + STEPS


def test_breakpoints_are_hit_as_often_as_the_recording_counts(tmp_path: Path, plain: Process) -> None:
    every = rows(plain)
    names = [op.node.op for op in every]
    phases = [str(op.node.phase.value) for op in every]
    in_line = line("LINE IN A MODULE")
    calling = line("LINE THAT CALLS")

    found = hits(
        tmp_path, "addmm", "aten.native_layer_norm*", "backward", f"{HERE.name}:{in_line}", "module:*.attn",
        "addmm if step == 1", "step:2", f"{HERE.name}:{calling}",
        watches=["absmax(out) > 3 and op.startswith('aten.addmm')"],
    )  # fmt: skip

    backward = [phase == "backward" for phase in phases]
    at_line = sum(
        op.site is not None and op.site.line == in_line and not late
        for op, late in zip(every, backward, strict=True)
    )
    directly = sum(
        op.site is not None and op.site.line == calling and not late
        for op, late in zip(every, backward, strict=True)
    )
    modules = [op.scope_path if op.scope_path.endswith(".attn") else "" for op in every]
    assert found[0] == names.count("aten.addmm.default") > 0
    assert found[1] == sum(name.startswith("aten.native_layer_norm") for name in names)
    assert found[2] == entries(phases, "backward") == STEPS
    assert found[3] == at_line
    assert found[4] == sum(entries(modules, path) for path in set(modules) - {""})
    assert found[5] == sum(
        op.node.op == "aten.addmm.default" and op.call is not None and op.call.step == 1 for op in every
    )
    assert found[6] == 1
    assert found[7] == directly + STEPS  # and the first operation below its call, each time
    ranges = [(op.outputs[0].low, op.outputs[0].high) for op in every if op.node.op == "aten.addmm.default"]
    assert found[8] == sum(
        max(-low, high) > 3 for low, high in ranges if low is not None and high is not None
    )
