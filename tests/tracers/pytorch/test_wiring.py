"""Every edge is right: held against an observer that watches memory addresses, on random programs.

The programs run in a loop whose rounds run the same operations on other data, so that the quick
side must notice. The observer shares nothing with the tracer: an address that an operation gives
back without having been given it is new memory, and whoever wrote it last is its writer.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from graphlens.store import Process
from graphlens_tracers.events import Seq
from graphlens_tracers.pytorch import quick, values, variables
from recorded import recorded

Geometry = tuple[int, tuple[int, ...], tuple[int, ...]]


def flat(given: Any) -> list[torch.Tensor]:
    """The tensors in arguments or results, in order."""
    if isinstance(given, torch.Tensor):
        return [given]
    if isinstance(given, dict):
        return [tensor for element in given.values() for tensor in flat(element)]
    if isinstance(given, (list, tuple)):
        return [tensor for element in given for tensor in flat(element)]
    return []


def address(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def geometry(tensor: torch.Tensor) -> Geometry:
    return int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())


@dataclass
class Observer(TorchDispatchMode):
    """For each operation, who wrote the memory of each input last, and where in it the input lies."""

    seen: list[list[tuple[int | None, Geometry]]] = field(default_factory=list)
    writer: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        inputs = [*flat(args), *flat(kwargs)]
        self.seen.append([(self.writer.get(address(t)), geometry(t)) for t in inputs])
        given = {address(t) for t in inputs}
        result = func(*args, **kwargs)
        number = len(self.seen) - 1
        for tensor in flat(result):
            if address(tensor) not in given:
                self.writer[address(tensor)] = number
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = kwargs.get(argument.name) if position >= len(args) else args[position]
                for tensor in flat(value):
                    self.writer[address(tensor)] = number
        return result


def writer_of(process: Process, seq: Seq, slot: int) -> tuple[Seq | None, Seq | None]:
    """By the graph: the operation that made this input, and behind views the one that wrote its memory."""
    op = process.op(Seq(seq))
    assert op.call is not None
    value, maker = op.inputs[slot]
    first = maker if maker is not None and maker >= op.call.first else None
    while maker is not None and maker >= op.call.first:
        made = process.op(maker)
        output = next(o for o in made.node.outputs if o.value == value)
        if output.alias is None:
            break
        value, maker = made.inputs[output.alias]
    return first, maker  # an earlier one: what the leaf was bound to


def wrong_edges(process: Process, observer: Observer) -> list[str]:
    """In words, every input whose edge is not what the observer saw."""
    wrong = []
    for seq, inputs in enumerate(observer.seen):
        op = process.op(Seq(seq))
        assert op.call is not None
        for slot, (truth, place) in enumerate(inputs):
            maker, writer = writer_of(process, Seq(seq), slot)
            here = f"#{seq} {op.node.op} input {slot}"
            inside = truth is not None and truth >= op.call.first
            if (inside or writer is not None) and writer != truth:
                wrong.append(f"{here}: written by {truth}, the graph says {writer}")
            elif maker is not None and maker >= op.call.first:
                made = process.op(maker)
                spec = next(o.spec for o in made.node.outputs if o.value == op.inputs[slot][0])
                said = (spec.offset, spec.shape, spec.strides or contiguous(spec.shape))
                if said != place and not made.node.writes:
                    wrong.append(f"{here}: lies at {place}, the graph says {said} by #{maker}")
    return wrong


def contiguous(shape: Any) -> tuple[int, ...]:
    return tuple(torch.empty(shape, device="meta").stride())


# ── random programs ──────────────────────────────────────────────────────────────────────────

in_place = partial(torch.ops.aten._foreach_add_.Scalar, scalar=1.0)
KINDS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "mm": lambda a, b: a @ b,
    "sin": lambda a, b: a.sin(),
    "relu": lambda a, b: a.relu(),
    "transpose": lambda a, b: a.t(),
    "detach": lambda a, b: a.detach(),
    "clone": lambda a, b: a.clone(),
    "chunk": lambda a, b: torch.cat(list(torch.chunk(a, 2))[::-1]),
    "halves": lambda a, b: a[:2].t() @ a[2:],
    "view": lambda a, b: a.reshape(2, 8).reshape(4, 4),
    "flip": lambda a, b: a.flip(1),
    "sum": lambda a, b: a.sum(0, keepdim=True).expand(4, 4),
    "write": lambda a, b: a.mul_(0.5),
    "write_view": lambda a, b: (a[1].add_(b[2]), a)[1],
    "write_other": lambda a, b: (a.copy_(b), b)[1],
    "write_data": lambda a, b: (a.data.add_(1), a)[1],
    "foreach": lambda a, b: (in_place([a, b]) if a is not b else None, a)[1],
    "softmax": lambda a, b: a.softmax(1),
    "zero": lambda a, b: torch.zeros(4, 4),
}
Step = tuple[str, int, int, int, int]

steps = st.tuples(st.sampled_from(sorted(KINDS)), *[st.integers(0, 3)] * 4)


def rounds(program: list[Step], count: int) -> Callable[[], None]:
    """A training loop whose odd rounds read and write other registers than the even ones."""

    def run() -> None:
        torch.manual_seed(0)
        weight = torch.randn(4, 4, requires_grad=True)
        registers = [torch.randn(4, 4) for _ in range(4)]
        for number in range(count):
            loss = weight.sum()
            for kind, a, b, into, other in program:
                left, right = registers[a], registers[other if number % 2 else b]
                with torch.no_grad():
                    result = KINDS[kind](left, right)
                if not result.is_contiguous():
                    result = result.contiguous()
                registers[into] = result.clamp(-9, 9) if number == 1 and kind == "add" else result
                loss = loss + (weight * registers[into].detach().clone()).sum()
            loss.backward()

    return run


def observed(program: Callable[[], None]) -> tuple[Process, Observer]:
    observer = Observer()

    def watched() -> None:
        with observer:
            program()

    path = Path(tempfile.mkdtemp()) / "run.glens"
    return recorded(watched, path), observer


@settings(
    max_examples=int(os.environ.get("GRAPHLENS_EXAMPLES", "8")),
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking takes minutes; a failing program is short as it is
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=2, max_size=14))
def test_every_edge_of_a_random_program_is_right(program: list[Step]) -> None:
    """No false edge and no missing one, in rounds that repeat, and in rounds that only look as if."""
    assert faults(rounds(program, 5)) == []


def faults(program: Callable[[], None]) -> list[str]:
    """In words, whatever the graph of a program says that is not so."""
    process, observer = observed(program)
    if process.op_count != len(observer.seen):
        return [f"{len(observer.seen)} operations ran, {process.op_count} were recorded"]
    return wrong_edges(process, observer)


MIXED = [
    ("write", 0, 0, 1, 0),
    ("sin", 0, 0, 2, 0),
    ("mul", 1, 2, 3, 2),
    ("write_view", 0, 1, 0, 3),
    ("mm", 3, 0, 2, 1),
]


def forgets_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is what made the memory, whoever wrote it since."""
    honest = variables.Variable.__init__
    first: dict[variables.Variable, Any] = {}

    def init(self: variables.Variable, value: Any, *others: Any) -> None:
        first[self] = value
        honest(self, value, *others)

    monkeypatch.setattr(variables.Variable, "__init__", init)
    monkeypatch.setattr(values.Values, "value_of", lambda self, tensor, variable, _: (first[variable], None))


def trusts_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An `id()` is an identity, also when its owner is gone; here the next one always gets it."""
    known: dict[int, tuple[weakref.ref[Any], int]] = {}
    free: list[int] = []
    numbers = itertools.count()

    def address_of(thing: Any) -> int:
        owner, number = known.get(id(thing), (None, 0))
        if owner is None or owner() is not thing:
            number = free.pop() if free else next(numbers)
            known[id(thing)] = weakref.ref(thing, lambda _: free.append(number)), number
        return number

    monkeypatch.setattr(values, "id", address_of, raising=False)
    monkeypatch.setattr(values.Values, "variable_at", lambda self, home: self._homes.get(address_of(home)))


def wires_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same operation after the same operations reads the same values."""
    honest = quick.Compiler.fail_if

    def fail_if(self: quick.Compiler, condition: str) -> None:
        if "vars[" not in condition:
            honest(self, condition)

    monkeypatch.setattr(quick.Compiler, "fail_if", fail_if)


def passing_through() -> None:
    """A training loop in which memory is freed and taken again at once, a hundred times a step."""
    weight = torch.ones(4, 4, requires_grad=True)
    for _ in range(3):
        for k in range(100):
            torch.full((4, 4), float(k)).sin()
        weight.sum().backward()


@pytest.mark.parametrize(
    ("mistake", "program"),
    [
        (forgets_writes, rounds(MIXED, 5)),
        (trusts_addresses, passing_through),
        (wires_by_position, rounds(MIXED, 5)),
    ],
)
def test_the_classic_mistakes_are_found(
    mistake: Callable[[pytest.MonkeyPatch], None],
    program: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A suite that no seeded mistake makes fail would prove nothing."""
    assert faults(program) == []

    mistake(monkeypatch)

    assert faults(program)
