"""Every minimum, maximum and count is that of the numbers that were there, whoever put them there.

What an operation gives is looked at when it has run: nothing that was known before is believed.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ranges import wrong_ranges
from torch import nn
from watching import Watching

from graphlens_tracers.events import Seq
from graphlens_tracers.pytorch import quick
from graphlens_tracers.pytorch.numerics import numerics
from recorded import recorded

ROUNDS = 5
"""The first is declared, the next few are recognised; then every operation is met by its own function."""


def wrong(step: Callable[[], object], path: Path, rounds: int = ROUNDS) -> list[str]:
    """In words, what was recorded of the numbers of a training loop around `step` that is not so."""
    watching = Watching()

    def run() -> None:
        with watching:
            weight = nn.Parameter(torch.ones(2))
            optimizer = torch.optim.SGD([weight], lr=0.1)
            for _ in range(rounds):
                step()
                weight.sum().backward()
                optimizer.step()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        process = recorded(run, path / "run.glens")
    finally:
        torch.set_num_threads(threads)
    assert process.op_count == len(watching.seen)
    assert process.gaps == []
    assert len({call.graph for call in process.calls()[-2:]}) == 1  # else no operation was recognised
    return wrong_ranges(process, watching)


# ── numbers of every kind ────────────────────────────────────────────────────────────────────

NUMBERS: dict[str, list[float]] = {
    "ordinary": [0.1, -0.7, 3.3, 2.0, -1.5],
    "zeros": [0.0, -0.0, 0.0],
    "denormal": [1e-40, -1e-42, 6e-8, 5e-324],
    "huge": [6e4, -6.5e4, 3.3e38, -3.4e38, 1.7e308],
    "infinite": [math.inf, 1.0, -math.inf],
    "NaN": [1.0, math.nan, -3.0],
    "both": [math.nan, math.inf, 0.5],
    "one": [1.0009765625],
    "none": [],
}
TIMES = [0.1, -3.0, 3e38, 1e-45, -0.0, math.inf]

OPERATIONS: list[Callable[[torch.Tensor], object]] = [
    *(lambda x, k=k: x * k for k in TIMES),
    *(lambda x, k=k: (x / k, (x + k) - 0.3) for k in TIMES[:3]),
    lambda x: x.mul(2).mul_(1.7).add_(-0.1).div_(3).sub_(1e-3),
    lambda x: x.sqrt().neg_().clone(),
    lambda x: x.relu() if not x.is_complex() else x.exp(),
    lambda x: x.to(torch.float16 if x.dtype is torch.bfloat16 else torch.bfloat16),
    lambda x: x.reshape(-1, 1).expand(-1, 3) * 2,
    lambda x: torch.cat([x, x * 2]).view(2, -1).t()[1:].clone(),
    lambda x: (x.to(torch.complex64).conj() * 2).imag.add_(1),
    lambda x: torch._neg_view(x.real).clone().mul_(2),
]


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64], ids=str
)
def test_ranges_of_numbers_of_every_kind(dtype: torch.dtype, tmp_path: Path) -> None:
    """Rounding, overflow, denormals, signs of zeros, NaN and infinities, nothing at all; in each type."""
    inputs = [torch.tensor(numbers, dtype=torch.float64).to(dtype) for numbers in NUMBERS.values()]

    def step() -> None:
        for x in inputs:
            for operation in OPERATIONS:
                operation(x)

    assert wrong(step, tmp_path, 4) == []


def test_ranges_of_NaN_with_other_bits(tmp_path: Path) -> None:
    """A NaN is one whatever its sign and payload: signalling, negative, all ones."""
    bits = np.array([0x7F800001, 0xFFC00001, 0xFFFFFFFF, 0x3F800000], dtype=np.uint32)
    numbers = torch.from_numpy(bits.view(np.float32))
    halves = torch.from_numpy(np.array([0x7C01, 0xFE01, 0xFFFF, 0x3C00], dtype=np.uint16).view(np.float16))

    def step() -> None:
        for x in (*numbers.unbind(), numbers, *halves.unbind(), halves):
            _ = x.clone(), -x, x * 2, x.relu()

    assert wrong(step, tmp_path) == []


def test_ranges_of_what_comes_of_whole_numbers(tmp_path: Path) -> None:
    """Integers that overflow, and their way to floats."""
    most = torch.tensor([2**63 - 1, -(2**63), 2**53 + 1])
    small = torch.tensor([127, -128], dtype=torch.int8)

    def step() -> None:
        _ = ((most + 1) * 3).double(), (small * 2).float(), most.float() / 3, (most * most).half(), small / 0

    assert wrong(step, tmp_path) == []


def test_ranges_while_denormals_are_flushed(tmp_path: Path) -> None:
    """What an operation gives then holds none; one that is only carried along may count as a zero."""
    x = torch.tensor([1e-38, -1e-38, 3e-39])
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    try:
        assert wrong(lambda: (x * 0.1, x / 3, x.mul(0.5).sqrt(), x.add(1e-40)), tmp_path) == []
    finally:
        torch.set_flush_denormal(False)


# ── numbers that nobody saw being put there ──────────────────────────────────────────────────


def by_numpy(x: torch.Tensor, number: float) -> None:
    x.detach().numpy().flat[-1] = number


def by_array(x: torch.Tensor, number: float) -> None:
    np.asarray(x.data).fill(number)


def by_data(x: torch.Tensor, number: float) -> None:
    x.data[0] = number


def by_address(x: torch.Tensor, number: float) -> None:
    (ctypes.c_float * x.numel()).from_address(x.data_ptr())[0] = number


def by_storage(x: torch.Tensor, number: float) -> None:
    memory = (ctypes.c_float * x.numel()).from_address(x.untyped_storage().data_ptr())
    memory[x.numel() - 1] = number


def by_dlpack(x: torch.Tensor, number: float) -> None:
    np.from_dlpack(x.detach())  # only to have been there: it may be read-only
    ctypes.memset(x.data_ptr(), 0x41, 4)


def by_thread(x: torch.Tensor, number: float) -> None:
    thread = threading.Thread(target=by_numpy, args=(x, number))
    thread.start()
    thread.join()


def by_operations_of_a_thread(x: torch.Tensor, number: float) -> None:
    thread = threading.Thread(target=lambda: x.data.fill_(number))
    thread.start()
    thread.join()


WAYS = [by_numpy, by_array, by_data, by_address, by_storage, by_dlpack, by_thread, by_operations_of_a_thread]
Change = Callable[[torch.Tensor, float], None]


def changes(change: Change) -> Callable[[], None]:
    """A step that changes memory behind our back after, between and before operations that read it."""
    weight = nn.Parameter(torch.ones(4))
    buffer, momentum = torch.ones(4), torch.full((4,), 0.5)
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    outside = np.ones(4, dtype=np.float32)
    borrowed = torch.from_numpy(outside)
    number = iter(range(10, 10_000, 7))

    def step() -> None:
        optimizer.zero_grad()
        (weight * 3).sum().backward()
        change(weight, next(number))
        optimizer.step()
        change(optimizer.state[weight]["exp_avg_sq"], next(number))
        x = torch.zeros(4)
        for operation in (
            torch.clone,
            torch.relu,
            torch.neg,
            lambda t: t * 2,
            torch.sqrt,
            lambda t: t.add_(1),
        ):
            change(x, next(number))
            operation(x)
        change(buffer, next(number))
        buffer.mul_(0.9)
        momentum.mul_(0.5)
        change(momentum, -next(number))
        momentum.mul_(0.5).add_(1)
        outside[1] = -next(number)
        borrowed.mul_(0.5)
        (borrowed / 2).clone()

    return step


@pytest.mark.parametrize("change", WAYS)
def test_ranges_of_memory_that_was_written_unseen(change: Change, tmp_path: Path) -> None:
    assert wrong(changes(change), tmp_path) == []


def test_a_range_that_is_kept_too_long_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded mistake: what was seen of memory when it was last written is believed when it is read."""
    honest = quick.Compiler._range

    def believes(self: quick.Compiler, nth: int, output: int, path: str) -> list[str]:
        place = self.place
        kept, lines = self.constant(KEPT), honest(self, nth, output, path)
        slot = quick._SLOTS_F32 + 2 * nth
        if place.node.info.name == "aten.clone.default":
            lines = [
                f"known = {kept}.get({place.reads[0]})",
                "if known:",
                f"    f32[slot + slot + {slot}], f32[slot + slot + {slot + 1}] = known",
                "else:",
                *("    " + line for line in lines),
            ]
        for made, variable in place.makes:
            if made == output:
                pair = f"(f32[slot + slot + {slot}], f32[slot + slot + {slot + 1}])"
                lines.append(f"{kept}[{variable}] = {pair}")
        return lines

    monkeypatch.setattr(quick.Compiler, "_range", believes)

    def step() -> None:
        x = torch.ones(4)
        x.numpy()[0] = 7
        x.clone()

    KEPT: dict[int, tuple[float, float]] = {}
    assert wrong(step, tmp_path) != []


# ── exact counts ─────────────────────────────────────────────────────────────────────────────


def test_many_masks_do_not_hide_what_comes_after_them(tmp_path: Path) -> None:
    """Counts are kept of the first infinities of a step, and of the first NaN."""

    def run() -> None:
        scores = torch.ones(4, 4)
        for _ in range(12):
            scores.masked_fill(torch.eye(4, dtype=torch.bool), -math.inf).softmax(-1)
        (scores - 2).log()

    process = recorded(run, tmp_path / "run.glens")
    facts = {process.op(fact.seq).node.op: fact for fact in process.unusual(Seq(0), process.end)}

    log = facts["aten.log.default"]
    assert log.numerics is not None and log.numerics.nan == 16
    assert log.inputs is not None and log.inputs[0] is not None and log.inputs[0].low == -1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("share", [0.001, 0.4, 1.0])
def test_exact_counts_are_those_of_numpy(dtype: torch.dtype, share: float) -> None:
    """Also where the first that is not finite stands far behind, and of a view with gaps."""
    generator = torch.Generator().manual_seed(0)
    for value in (math.nan, math.inf, -math.inf, 0.0):
        whole = torch.randn(90, 80, generator=generator).to(dtype)
        whole[torch.rand(90, 80, generator=generator) < share] = value
        for numbers in (whole, whole.t()[::2, 1:], whole[:0]):
            found, array = numerics(numbers), numbers.double().numpy()
            finite = array[np.isfinite(array)]
            ends = (finite.min(), finite.max()) if finite.size else (None, None)
            counts = np.isnan(array).sum(), np.isposinf(array).sum(), np.isneginf(array).sum()
            assert (found.nan, found.pos_inf, found.neg_inf) == counts
            assert (found.low, found.high) == ends
            assert (found.zeros or 0) == (array == 0).sum()
            assert [list(place) for place in found.where] == np.argwhere(~np.isfinite(array))[:8].tolist()
