"""Random programs: views, writes in place, aliasing, random numbers, mixed dtypes, backward, frees.

A program is a list of steps on registers that hold tensors. It runs in rounds, the loop of a
training script; every other round reads other registers, so that the same operations move other data.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

REGISTERS = 6
MOST = 64
"""Elements of a tensor in a register at most; a larger one is cut."""

Step = tuple[str, int, int, int, int, int]
"""What to do, the two registers that are read, where the result goes, the second in odd rounds, a number."""


@dataclass
class Machine:
    """What a program works on."""

    registers: list[torch.Tensor]
    weights: list[torch.Tensor]
    own: torch.Generator
    round: int = 0
    held: list[Any] = field(default_factory=list)
    """Views of registers, kept from round to round."""


Kind = Callable[[Machine, torch.Tensor, torch.Tensor, int], torch.Tensor]
DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64,
]  # fmt: skip
SCALARS = [2.0, -1.5, 0.0, -0.0, 1e30, -3e38, 1e-42, float("inf"), float("nan"), 0.5, 7.0]


def fits(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`b` in the shape and of the type of `a`."""
    flat = b.reshape(-1)
    need = a.numel()
    if not flat.numel():
        return torch.ones_like(a)
    if flat.numel() < need:
        flat = flat.repeat(-(-need // flat.numel()))
    return flat[:need].reshape(a.shape).to(a.dtype)


def square(a: torch.Tensor) -> torch.Tensor:
    """A 4 × 4 matrix of ordinary numbers made of `a`."""
    numbers = a.real if a.is_complex() else a
    return fits(torch.empty(4, 4), numbers).nan_to_num(0.5).clamp(-2, 2)


def written(target: torch.Tensor, change: Callable[[torch.Tensor], object]) -> torch.Tensor:
    """`target` after a change in place."""
    change(target)
    return target


def viewed(a: torch.Tensor) -> torch.Tensor:
    """`a` with at least one dimension."""
    return a.unsqueeze(0) if a.dim() == 0 else a


class Doubled(torch.autograd.Function):
    """A function of the script's own, with a saved tensor."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * 2 + x.sin()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = ctx.saved_tensors[0]
        return grads[0] * (2 + x.cos())


VIEWS: dict[str, Kind] = {
    "slice": lambda m, a, b, n: viewed(a)[n % 2 :],
    "step": lambda m, a, b, n: viewed(a)[..., ::2],
    "moving": lambda m, a, b, n: viewed(a)[(m.round + n) % len(viewed(a))],
    "transpose": lambda m, a, b, n: viewed(a).transpose(0, -1),
    "flat": lambda m, a, b, n: a.contiguous().view(-1),
    "expand": lambda m, a, b, n: viewed(a)[:1].expand(3, *a.shape[1:]),
    "as_strided": lambda m, a, b, n: a.as_strided((2, 2), (1, 1), a.storage_offset()),
    "unbind": lambda m, a, b, n: viewed(a).unbind(0)[-1],
    "split": lambda m, a, b, n: viewed(a).split(2)[n % -(-len(viewed(a)) // 2)],
    "chunk": lambda m, a, b, n: viewed(a).chunk(2, -1)[0],
    "diagonal": lambda m, a, b, n: square(a).diagonal() if a.dim() < 2 else a.diagonal(),
    "unfold": lambda m, a, b, n: viewed(a).unfold(-1, 1 + n % 2, 1),
    "narrow": lambda m, a, b, n: viewed(a).narrow(0, 0, max(1, len(viewed(a)) - 1)),
    "squeeze": lambda m, a, b, n: a.unsqueeze(0).squeeze(),
    "detach": lambda m, a, b, n: a.detach(),
    "data": lambda m, a, b, n: a.data,
    "conj": lambda m, a, b, n: a.to(torch.complex64).conj(),
    "real": lambda m, a, b, n: torch.view_as_real(a.to(torch.complex64)),
    "imag": lambda m, a, b, n: a.to(torch.complex64).conj().imag,
    "bits": lambda m, a, b, n: a.view(torch.int32) if a.dtype is torch.float32 else a,
    "movedim": lambda m, a, b, n: viewed(a).movedim(0, -1),
    "keep": lambda m, a, b, n: written(a, lambda t: m.held.append(viewed(t)[-1:])),
    "kept": lambda m, a, b, n: m.held[n % len(m.held)] if m.held else a,
}

WRITES: dict[str, Kind] = {
    "mul_": lambda m, a, b, n: a.mul_(2),
    "add_": lambda m, a, b, n: a.add_(fits(a, b)),
    "self_": lambda m, a, b, n: a.add_(a),
    "view_": lambda m, a, b, n: written(a, lambda t: viewed(t)[-1].neg_()),
    "view_of_": lambda m, a, b, n: written(
        a, lambda t: viewed(t)[: 1 + n % 2].copy_(fits(viewed(t)[: 1 + n % 2], b))
    ),
    "moving_": lambda m, a, b, n: written(
        a, lambda t: viewed(t)[(m.round + n) % len(viewed(t))].fill_(m.round)
    ),
    "two_views_": lambda m, a, b, n: (viewed(a)[:1].mul_(3), viewed(b)[-1:].mul_(2), a)[2],
    "data_": lambda m, a, b, n: written(a, lambda t: t.data.add_(1)),
    "copy_": lambda m, a, b, n: a.copy_(fits(a, b)),
    "fill_": lambda m, a, b, n: a.fill_(n),
    "zero_": lambda m, a, b, n: a.zero_(),
    "index_put_": lambda m, a, b, n: a.index_put_(
        (torch.tensor([n % len(viewed(a))]),), viewed(b)[0].to(a.dtype)
    ),
    "setitem": lambda m, a, b, n: written(a, lambda t: viewed(t).__setitem__(0, n)),
    "masked_": lambda m, a, b, n: a.masked_fill_(a == a, 3),
    "scatter_": lambda m, a, b, n: viewed(a).scatter_(
        0, torch.zeros_like(viewed(a), dtype=torch.int64), fits(viewed(a), b)
    ),
    "out": lambda m, a, b, n: torch.mul(fits(b, a), b, out=torch.empty(0, dtype=b.dtype)),
    "out_view": lambda m, a, b, n: (torch.neg(viewed(b)[0], out=fits(viewed(a), b)[0]), a)[1],
    "out_self": lambda m, a, b, n: torch.add(a, fits(a, b), out=a),
    "transpose_": lambda m, a, b, n: written(a, lambda t: t.transpose_(0, -1) if t.dim() else t),
    "unsqueeze_": lambda m, a, b, n: written(a, lambda t: t.unsqueeze_(0) if t.dim() < 3 else t.squeeze_()),
    "resize_": lambda m, a, b, n: a.clone().resize_(2, 2),
    "grow_": lambda m, a, b, n: a.clone().resize_(5, 4).fill_(n),
    "set_": lambda m, a, b, n: a.clone().set_(b) if a.dtype is b.dtype else a,  # type: ignore[call-overload]  # stubs lack it
    "set_storage": lambda m, a, b, n: torch.empty(0, dtype=b.dtype).set_(
        b.untyped_storage(), b.storage_offset(), b.shape, b.stride()
    ),
    "data_is": lambda m, a, b, n: written(a.clone(), lambda t: setattr(t, "data", fits(t, b))),
    "foreach_": lambda m, a, b, n: (torch._foreach_mul_([viewed(a)[:1], viewed(a)[-1:]], 2), a)[1],
    # A list of which only some can be changed is left half changed when this raises.
    "foreach_two": lambda m, a, b, n: (
        torch._foreach_add_([a, b], 1) if a is not b and a.dtype is b.dtype else None,
        b,
    )[1],
    "swap": lambda m, a, b, n: written(a, lambda t: m.registers.reverse()),
}

RANDOM: dict[str, Kind] = {
    "randn": lambda m, a, b, n: torch.randn(4, 4),
    "randn_own": lambda m, a, b, n: torch.randn(3, 4, generator=m.own),
    "randn_like": lambda m, a, b, n: torch.randn_like(a.float()),
    "dropout": lambda m, a, b, n: nn.functional.dropout(square(a), 0.5),
    "bernoulli_": lambda m, a, b, n: a.clone().bernoulli_(0.3),
    "bernoulli": lambda m, a, b, n: torch.bernoulli(square(a).abs().clamp(0, 1), generator=m.own),
    "multinomial": lambda m, a, b, n: torch.multinomial(square(a).abs() + 0.1, 2),
    "uniform_": lambda m, a, b, n: torch.empty(4, 3).uniform_(-1, n + 1.0),
    "uniform_own": lambda m, a, b, n: a.float().clone().uniform_(0, 1, generator=m.own),
    "normal_": lambda m, a, b, n: written(torch.zeros(2, 4), lambda t: t[0].normal_()),
    "randint": lambda m, a, b, n: torch.randint(0, 9, (4, 4)),
    "randperm": lambda m, a, b, n: viewed(a)[torch.randperm(len(viewed(a)))],
    "rand_half": lambda m, a, b, n: torch.rand(4, 4, dtype=torch.float16),
    "exponential_": lambda m, a, b, n: torch.empty(4).exponential_(),
    "rrelu": lambda m, a, b, n: nn.functional.rrelu(square(a), training=True),
    "seed": lambda m, a, b, n: (torch.manual_seed(n), a)[1],
}

MAKES: dict[str, Kind] = {
    "zeros": lambda m, a, b, n: torch.zeros(4, 4),
    "full": lambda m, a, b, n: torch.full((3, 4), float(n)),
    "arange": lambda m, a, b, n: torch.arange(12).view(3, 4),
    "constant": lambda m, a, b, n: a * torch.tensor(3.0),
    "data_in": lambda m, a, b, n: torch.tensor([[1.0, 2.0], [3.0, n]]),
    "empty": lambda m, a, b, n: torch.empty(4, 4).copy_(square(b)),
    "eye": lambda m, a, b, n: torch.eye(4),
    "linspace": lambda m, a, b, n: torch.linspace(-1, 1, 8, dtype=torch.float64).view(2, 4),
    "channels": lambda m, a, b, n: torch.ones(1, 2, 3, 4).to(memory_format=torch.channels_last).mul(n),
    "add": lambda m, a, b, n: a + fits(a, b),
    "mul": lambda m, a, b, n: a * fits(a, b),
    "sub_own": lambda m, a, b, n: a.float() - a.float(),
    "mm": lambda m, a, b, n: square(a) @ square(b),
    "scale": lambda m, a, b, n: a.float() * SCALARS[n % len(SCALARS)],
    "scale_half": lambda m, a, b, n: (
        a.to(torch.float16 if n % 2 else torch.bfloat16) * SCALARS[n % len(SCALARS)]
    ),
    "scale_double": lambda m, a, b, n: a.double() * -SCALARS[n % len(SCALARS)],
    "scale_round": lambda m, a, b, n: a.float() * (m.round - 1.0),
    "shift": lambda m, a, b, n: a + SCALARS[n % len(SCALARS)],
    "divide": lambda m, a, b, n: a.float() / SCALARS[n % len(SCALARS)],
    "sqrt": lambda m, a, b, n: a.float().sqrt(),
    "rsqrt": lambda m, a, b, n: a.float().rsqrt(),
    "neg": lambda m, a, b, n: -a.float(),
    "abs": lambda m, a, b, n: a.abs(),
    "exp": lambda m, a, b, n: a.float().exp(),
    "log": lambda m, a, b, n: a.float().log(),
    "relu": lambda m, a, b, n: a.relu() if not a.is_complex() else a,
    "sigmoid": lambda m, a, b, n: a.float().sigmoid(),
    "tanh": lambda m, a, b, n: a.double().tanh(),
    "clamp": lambda m, a, b, n: a.float().clamp(-n, n),
    "clone": lambda m, a, b, n: a.clone(),
    "contiguous": lambda m, a, b, n: a.contiguous(),
    "cast": lambda m, a, b, n: a.to(DTYPES[n % len(DTYPES)]),
    "sum": lambda m, a, b, n: viewed(a).sum(0, keepdim=True),
    "mean": lambda m, a, b, n: a.float().mean(),
    "max": lambda m, a, b, n: square(a).max(1)[n % 2],
    "topk": lambda m, a, b, n: square(a).topk(2, largest=n % 2 == 0)[0],
    "sort": lambda m, a, b, n: square(a).sort(0)[n % 2],
    "svd": lambda m, a, b, n: torch.linalg.svd(square(a) + torch.eye(4))[n % 3],
    "softmax": lambda m, a, b, n: viewed(a).float().softmax(-1),
    "where": lambda m, a, b, n: torch.where(a == a, fits(a, b), a),
    "compare": lambda m, a, b, n: a == fits(a, b),
    "cat": lambda m, a, b, n: torch.cat([viewed(a), viewed(a)]),
    "stack": lambda m, a, b, n: torch.stack([square(a), square(b), square(a)])[1],
    "foreach": lambda m, a, b, n: torch._foreach_add([a.float(), square(b)], [1.0, float(n)])[n % 2],
    "gather": lambda m, a, b, n: square(a).gather(1, torch.randint(0, 4, (4, 2))),
    "complex": lambda m, a, b, n: square(a) * 2j,
    "nonzero": lambda m, a, b, n: square(a).nonzero(),
    "item": lambda m, a, b, n: b * viewed(a.real).flatten()[:1].float().nan_to_num(1).sum().item(),
    "batch_norm": lambda m, a, b, n: nn.functional.batch_norm(
        square(a), square(b)[0], square(b)[1].abs(), training=n % 2 == 0
    ),
    "conv": lambda m, a, b, n: nn.functional.conv1d(square(a)[None], torch.ones(2, 4, 2))[0],
    "free": lambda m, a, b, n: torch.zeros(4, 4) + 1,
    "fails": lambda m, a, b, n: torch.mm(torch.zeros(2, 3), torch.zeros(2, 3)),
}

KINDS: dict[str, Kind] = {**VIEWS, **WRITES, **RANDOM, **MAKES}
NAMES = sorted(KINDS)


def random_program(chosen: random.Random, longest: int = 14) -> list[Step]:
    """A program; the same for the same state of `chosen`."""
    words = [*NAMES, *2 * sorted(WRITES), *sorted(VIEWS)]
    return [
        (chosen.choice(words), *(chosen.randrange(REGISTERS) for _ in range(4)), chosen.randrange(12))  # type: ignore[misc]  # five numbers
        for _ in range(chosen.randint(2, longest))
    ]


def losses(machine: Machine, number: int) -> torch.Tensor:
    """A loss that reads every weight several times and some registers once."""
    first, second = machine.weights
    kind = number % 5
    x = square(machine.registers[number % REGISTERS]).detach()
    if kind == 0:
        return (first * x + first.sin() @ second).pow(2).mean()
    if kind == 1:
        doubled: torch.Tensor = Doubled.apply(first @ x)  # type: ignore[no-untyped-call]  # torch's
        return (doubled * second).sum() + first.sum()
    if kind == 2:
        (grad,) = torch.autograd.grad((first.sin() * second * x).sum(), first, create_graph=True)
        return (grad * first).sum()
    if kind == 3:
        hidden = (x @ first) * 2
        hidden[0] = hidden[1] * 2
        return (hidden.view(2, 8)[:, ::2] * second.reshape(2, 8)[:, ::2]).sum() + hidden.exp().mean()
    a, b = torch.split(first @ second, 2)
    return torch.logsumexp(torch.cat([a, b, b]), 1).sum() + nn.functional.dropout(a, 0.5).sum()


def rounds(program: list[Step], count: int = 4, turns: bool = True) -> Callable[[], None]:
    """The program as a training loop of `count` rounds; with `turns`, odd ones read other registers."""

    def run() -> None:
        torch.manual_seed(0)
        weights = [torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)]
        registers = [torch.randn(4, 4) for _ in range(REGISTERS)]
        machine = Machine(registers, weights, torch.Generator().manual_seed(7))
        kinds = sum(step[-1] for step in program)
        optimizer = (torch.optim.SGD if kinds % 2 else torch.optim.Adam)(weights, lr=0.01)
        for number in range(count):
            machine.round = number
            optimizer.zero_grad(set_to_none=kinds % 3 > 0)
            with torch.no_grad():
                for step in program:
                    do(machine, step, bool(number % 2) and turns)
            loss = losses(machine, kinds)
            loss.backward()
            optimizer.step()

    return run


def do(machine: Machine, step: Step, other: bool) -> None:
    """One step; what torch refuses is left."""
    kind, a, b, into, third, number = step
    right = machine.registers[third if other else b]
    try:
        result = KINDS[kind](machine, machine.registers[a], right, number)
    except (RuntimeError, IndexError, ValueError, TypeError):
        return
    if not isinstance(result, torch.Tensor) or result.numel() == 0:
        return
    if result.numel() > MOST or result.dim() > 4:
        result = result.reshape(-1)[:16].view(-1, 4) if result.numel() >= 16 else result.reshape(-1)
    machine.registers[into] = result
    del machine.held[:-4]


def quiet() -> None:
    """Warnings of torch about what random programs do are of no interest."""
    warnings.filterwarnings("ignore", category=UserWarning)
