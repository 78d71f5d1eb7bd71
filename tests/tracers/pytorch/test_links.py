"""Which forward operation a backward one belongs to: as autograd's own nodes say, however it is used."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from autograd_truth import Marker, truth_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import graphlens
from graphlens.cli._operations import op_answer
from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Phase, Seq
from recorded import ops, recorded, recording

F = nn.functional
SUM = "sum of gradients"


def nodes_run(process: Process) -> list[NodeSeen]:
    return [process.nodes[node] for node in process.rows(Seq(0), Seq(process.op_count)).node.tolist()]


def checked(program: Callable[[Marker], object], path: Path) -> int:
    """Record a program and compare each backward operation with the truth; how many were compared."""
    torch.manual_seed(0)
    truth = truth_of(program)
    torch.manual_seed(0)
    process = recorded(lambda: program(Marker()), path)
    ran = nodes_run(process)

    assert [node.op for node in ran] == [seen.op for seen in truth]
    compared = 0
    for at, (node, seen) in enumerate(zip(ran, truth, strict=True)):
        if not seen.node:
            assert node.twin is None, at
            continue
        if not seen.inside:
            assert (node.formula, node.twin) == (SUM, None), at
        elif seen.node.endswith("AccumulateGrad"):
            assert node.formula.startswith("AccumulateGrad"), at
            assert node.twin is None, at
        elif seen.maker is not None:
            assert node.formula == seen.node, at
            assert node.twin == ran[seen.maker].node, (at, node.op, seen.node, ran[seen.maker].op)
        else:
            continue
        compared += 1
    return compared


# ── what is differentiated ───────────────────────────────────────────────────────────────────


class Twice(torch.autograd.Function):
    """Its result is not what it computed last."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        y = x.sin()
        ctx.save_for_backward(x, y.cos())
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (grad,), (x, _) = grad_outputs, ctx.saved_tensors
        return grad * x.cos() + grad * 0


class Parts(torch.autograd.Function):
    """Two results, and a context set up apart."""

    @staticmethod
    def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * y, x + y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (product, added), (x, y) = grad_outputs, ctx.saved_tensors
        return product * y + added, product * x + added


class Reversed(torch.autograd.Function):
    """Gives back its argument, and turns the gradient round."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return grad_outputs[0].neg()


def applied(function: Any, *given: torch.Tensor) -> Any:
    return function.apply(*given)


def leaf(*shape: int) -> torch.Tensor:
    return torch.rand(*(shape or (3, 3)), dtype=torch.float64, requires_grad=True)


def ends(mark: Marker, loss: torch.Tensor, **how: Any) -> None:
    mark.watch(loss)
    loss.backward(**how)


def saved_outputs(mark: Marker) -> None:
    x = leaf()
    ends(mark, (x.exp() * x.sqrt() + x.softmax(0).sigmoid().tanh()).sum())


def several_outputs(mark: Marker) -> None:
    x = leaf()
    values, _ = x.max(0)
    top, _ = x.topk(2)
    ordered, _ = x.sort()
    spread, mean = torch.var_mean(x)
    ends(mark, values.sum() + top.sum() * ordered.sum() + spread * mean)


def first_output_without_gradient(mark: Marker) -> None:
    """The sign of a determinant is no smooth function; its logarithm is."""
    ends(mark, torch.linalg.slogdet(leaf() + 3 * torch.eye(3, dtype=torch.float64))[1])


def pieces(mark: Marker) -> None:
    x = leaf(6, 2)
    a, b, c = x.chunk(3)
    rows = x.unbind(0)
    ends(mark, (a * b + c).sum() + rows[0].dot(rows[3]) + torch.split(x, 4)[1].prod())


def in_place(mark: Marker) -> None:
    y = leaf() * 2
    y.mul_(leaf()).add_(1).sin_()
    y.relu_()
    ends(mark, y.sum())


def in_place_on_a_view(mark: Marker) -> None:
    w = leaf()
    base = w * 1
    row = base[0]
    row.mul_(w[1])
    base[1].add_(w[0])
    row.add_(w[2]).sin_()
    ends(mark, (row * 3 + base.sum()).sum())


def assigned(mark: Marker) -> None:
    x = leaf()
    y = x * 2
    y[0] = x[1] * x[2]
    y[y > 1] = 0.5
    ends(mark, y.pow(2).sum())


def used_many_times(mark: Marker) -> None:
    x = leaf()
    a = x.sin()
    ends(mark, (a * a + a + (a + a) + a.exp() + x).sum())


def residual(mark: Marker) -> None:
    """The gradient of a sum goes to both sides unchanged: the engine adds one to the other."""
    x, w = leaf(), leaf()
    h = x * 1
    for _ in range(3):
        h = h + (h @ w).tanh()
    z = h + x
    ends(mark, (z + x).sum())


def one_weight_many_places(mark: Marker) -> None:
    w = leaf()
    ends(mark, (w @ w).relu().matmul(w).add(w).sum())


def custom(mark: Marker) -> None:
    x = leaf()
    y = mark.made(applied(Twice, x), back=2)
    ends(mark, (y * x).sum())


def custom_with_parts(mark: Marker) -> None:
    x, y = leaf(), leaf()
    product, added = applied(Parts, x, y)
    mark.made(product, back=2)
    ends(mark, product.sum() + added.exp().sum())


def custom_that_computes_nothing(mark: Marker) -> None:
    x = leaf().sin()
    ends(mark, (mark.made(applied(Reversed, x)) * x).sum())


def twice(mark: Marker) -> None:
    x = leaf()
    loss = (x.sin() * x.exp()).sum()
    ends(mark, loss, retain_graph=True)
    ends(mark, loss)


def several_roots(mark: Marker) -> None:
    x = leaf()
    a, b = x.sin().sum(), x.exp().sum()
    mark.watch(a, b)
    torch.autograd.backward([a, b])


def only_asked_for(mark: Marker) -> None:
    x, w = leaf(), leaf()
    hidden = (x * w).sin()
    loss = (hidden.exp() @ w).sum()
    mark.watch(loss)
    torch.autograd.grad(loss, [hidden, x], retain_graph=True)
    torch.autograd.grad(loss, w)


def of_higher_order(mark: Marker) -> None:
    x = leaf()
    loss = (x.sin() * x * x.sin()).sum()
    mark.watch(loss)
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    again = first.pow(2).sum()
    mark.watch(again)
    (second,) = torch.autograd.grad(again, x, create_graph=True)
    ends(mark, second.sum())


def penalty(mark: Marker) -> None:
    """A gradient penalty: the loss holds a gradient."""
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = leaf(5, 3)
    out = net(x).sum()
    mark.watch(out)
    (grad,) = torch.autograd.grad(out, x, create_graph=True)
    ends(mark, out + (grad.norm(2, dim=1) - 1).pow(2).mean())


def lists(mark: Marker) -> None:
    xs = [leaf(), leaf()]
    ys = torch.ops.aten._foreach_mul.Scalar(xs, 2.0)
    zs = torch.ops.aten._foreach_exp.default(ys)
    ends(mark, zs[0].sum() + zs[1].sum() + ys[0].sum())


def layers(mark: Marker) -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(8, 4), nn.LayerNorm(4), nn.GELU(),
    )  # fmt: skip
    ends(mark, F.cross_entropy(net(torch.randn(2, 1, 4, 4)), torch.tensor([0, 3])))


def recurrent(mark: Marker) -> None:
    net = nn.LSTM(3, 4, num_layers=2)
    out, (h, c) = net(torch.randn(5, 2, 3))
    ends(mark, out.sum() + h.sum() * c.mean())


def attention(mark: Marker) -> None:
    net = nn.MultiheadAttention(4, 2, batch_first=True)
    x = torch.randn(2, 3, 4, requires_grad=True)
    ends(mark, net(x, x, x)[0].pow(2).sum())


def normalised_weight(mark: Marker) -> None:
    net = torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    ends(mark, net(torch.randn(4, 3)).sum())


def mixed_precision(mark: Marker) -> None:
    net = nn.Linear(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = net(torch.randn(4, 3)).float().pow(2).mean()
    ends(mark, loss)


def complex_numbers(mark: Marker) -> None:
    x = leaf(4)
    ends(mark, torch.fft.fft(x).abs().pow(2).sum() + torch.complex(x, x).exp().real.sum())


def embedded(mark: Marker) -> None:
    table = nn.Embedding(5, 3)
    x = table(torch.tensor([0, 1, 1])) * table(torch.tensor([2, 3, 1]))
    ends(mark, x.sum())


def without_gradient_in_between(mark: Marker) -> None:
    x = leaf()
    y = x.sin()
    with torch.no_grad():
        scale = y.abs().max() + y.mean()
    ends(mark, (y / scale + y.detach() * x).sum())


PROGRAMS = [
    saved_outputs, several_outputs, first_output_without_gradient, pieces, in_place, in_place_on_a_view,
    assigned, used_many_times, residual, one_weight_many_places, custom, custom_with_parts,
    custom_that_computes_nothing, twice, several_roots, only_asked_for, of_higher_order, penalty, lists,
    layers, recurrent, attention, normalised_weight, mixed_precision, complex_numbers, embedded,
    without_gradient_in_between,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_backward_operations_belong_to_the_maker_of_their_node(
    program: Callable[[Marker], object], tmp_path: Path
) -> None:
    """Who looks at a gradient wants the line of the forward pass that it comes from."""
    assert checked(program, tmp_path / "run.glens") >= 2


# ── random programs ──────────────────────────────────────────────────────────────────────────


def grown(mark: Marker, choices: list[int], order: int) -> None:
    """A random program over square matrices: values are used again, viewed, and written in place."""
    pool = [leaf(), leaf()]

    def take(k: int) -> torch.Tensor:
        return pool[k % len(pool)]

    for at in range(0, len(choices) - 2, 3):
        what, j, k = choices[at : at + 3]
        x, y = take(j), take(k)
        kinds: list[Callable[[Any, Any], Any]] = [
            lambda x, y: x + y,
            lambda x, y: x * y,
            lambda x, y: x + x,
            lambda x, y: (x @ y).tanh(),
            lambda x, y: x.sin(),
            lambda x, y: x.softmax(1),
            lambda x, y: x.t(),
            lambda x, y: torch.stack(x.unbind(0)[::-1]),
            lambda x, y: x.topk(3, dim=1)[0],
            lambda x, y: mark.made(applied(Twice, x), back=2),
            lambda x, y: mark.made(applied(Reversed, x)),
            lambda x, y: applied(Parts, x, y)[1],
            lambda x, y: x.clone().mul_(y).add_(x),
            lambda x, y: written(x, y),
            lambda x, y: x.detach() * y,
        ]
        pool.append(kinds[what % len(kinds)](x, y))
    loss = torch.stack([one.mean() for one in pool[-3:]]).sum()
    for _ in range(order):
        mark.watch(loss)
        grads = torch.autograd.grad(loss, pool[:2], create_graph=True, allow_unused=True)
        used = [grad for grad in grads if grad is not None and grad.requires_grad]
        if not used:
            return
        loss = sum((grad.sum() for grad in used), loss)
    ends(mark, loss)


def written(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    base = x * 1
    base[0].mul_(y[1])
    base[1] = y[2]
    return base


@given(choices=st.lists(st.integers(0, 59), min_size=6, max_size=45), order=st.integers(0, 1))
@settings(
    max_examples=int(os.environ.get("GRAPHLENS_EXAMPLES", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_random_graphs_are_linked_right(
    choices: list[int], order: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sums of gradients most of all: only hooks tell them from what a formula adds."""
    checked(lambda mark: grown(mark, choices, order), tmp_path_factory.mktemp("run") / "run.glens")


# ── later, again, elsewhere ──────────────────────────────────────────────────────────────────


def names(process: Process) -> list[tuple[str, str, str]]:
    """Each backward operation in order: (operation, its twin or what it repeats, formula)."""
    found = []
    for node in nodes_run(process):
        if node.phase is Phase.BACKWARD:
            other = node.twin if node.twin is not None else node.remakes
            word = "" if other is None else process.nodes[other].op.split(".")[1]
            found.append((node.op.split(".")[1], word, node.formula))
    return found


def test_a_backward_in_a_later_step_finds_the_forward_of_an_earlier_one(tmp_path: Path) -> None:
    """Losses are kept for some steps and differentiated together."""
    weight = torch.ones(3, requires_grad=True)

    def program() -> None:
        kept = []
        for step in range(6):
            kept.append((weight.sin() * weight.exp()).sum())
            if step % 3 == 2:
                torch.stack(kept).sum().backward()
                kept.clear()

    process = recorded(program, tmp_path / "run.glens")
    told = names(process)

    assert told.count(("cos", "sin", "SinBackward0")) == 6
    assert not [one for one in told if one[2].endswith("Backward0") and not one[1]]


def test_steps_that_repeat_keep_their_links(tmp_path: Path) -> None:
    """A known forward, then a backward that is new: the links are those of the known operations."""
    weight = torch.ones(3, requires_grad=True)

    def program() -> None:
        for step in range(6):
            loss = (weight.sin() * weight.exp().sin()).sum()
            if step % 2:
                loss.backward()
            else:
                torch.autograd.grad(loss, weight, torch.ones(()))

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    sines = [node.node for node in ran if node.op == "aten.sin.default" and node.phase is not Phase.BACKWARD]
    twins = [node.twin for node in ran if node.op == "aten.cos.default"]

    assert len(set(sines)) == 2
    assert twins == [twin for _ in range(6) for twin in (sines[1], sines[0])]


@pytest.mark.parametrize("bare", [False, True], ids=["module", "bare tensors"])
def test_freezing_other_parameters_is_another_way(bare: bool, tmp_path: Path) -> None:
    """Alternating which of two weights learns runs the same operations, and not the same gradients."""
    x = torch.ones(3)
    first, second = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3) * 2)
    both = nn.ParameterList([] if bare else [first, second])

    def program() -> None:
        for step in range(6):
            first.requires_grad_(step % 2 == 0)
            second.requires_grad_(step % 2 == 1)
            loss = ((x * first) + (x * second)).sum()
            loss.backward()
            first.grad = second.grad = None

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    multiplied = [k for k, node in enumerate(ran) if node.op == "aten.mul.Tensor"]
    forward = [k for k in multiplied if ran[k].phase is not Phase.BACKWARD]
    twins = [ran[k].twin for k in multiplied if ran[k].phase is Phase.BACKWARD]

    assert len(forward) == 12 and len(both) in (0, 2)
    assert twins == [ran[forward[2 * step + step % 2]].node for step in range(6)]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (lambda: torch.func.grad(lambda t: (t.sin() * t).sum())(torch.ones(2)), 5),
        (lambda: torch.vmap(torch.func.grad(lambda t: (t.sin() * t).sum()))(torch.ones(2, 2)), 6),
        (lambda: torch.func.jacrev(lambda t: t.sin() * t)(torch.ones(2)), 4),
        (lambda: torch.func.vjp(lambda t: t.sin() * t, torch.ones(2))[1](torch.ones(2)), 4),
    ],
    ids=["grad", "vmap of grad", "jacrev", "vjp"],
)
def test_function_transforms_are_linked(program: Callable[[], object], told: int, tmp_path: Path) -> None:
    """Their tensors are wrapped, and the autograd node is not to be had from them."""
    process = recorded(program, tmp_path / "run.glens")
    linked = [one for one in names(process) if one[2].endswith("Backward0")]

    assert len(linked) >= told
    assert all(twin.startswith(formula[:3].lower()) for _, twin, formula in linked)
    assert {formula for op, _, formula in names(process) if op == "add"} == {SUM}


def test_a_backward_on_another_thread_is_not_linked_to_the_wrong_forward(tmp_path: Path) -> None:
    """Each thread counts its autograd nodes for itself: the same number and name mean nothing there."""

    def program() -> None:
        kept: list[torch.Tensor] = []

        def first() -> None:
            kept.append(torch.ones(3, requires_grad=True).sin().sum())

        def second() -> None:
            own = torch.ones(3, requires_grad=True).sin().sum()
            kept[0].backward()
            own.backward()

        for work in (first, second):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    with recording(tmp_path / "run.glens"):
        program()
    run = graphlens.load(tmp_path / "run.glens")
    told = [one for process in run.processes() for one in names(process)]

    assert [twin for op, twin, _ in told if op == "cos"] == ["", "sin"]


# ── the user's code inside of a backward ─────────────────────────────────────────────────────


def test_hooks_are_told_as_the_users_code(tmp_path: Path) -> None:
    """What a hook runs is not part of any formula; it stands at the hook's own line."""
    net = nn.Linear(2, 2)

    def on_tensor(grad: torch.Tensor) -> torch.Tensor:
        return grad * 3

    def on_node(grads: Any) -> Any:
        return (grads[0].clamp(-1, 1), *grads[1:])

    def on_module(module: nn.Module, given: Any, grads: Any) -> None:
        grads[0].norm()

    def on_parameter(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        parameter.grad.mul_(2)

    def program() -> None:
        x = torch.ones(1, 2, requires_grad=True)
        y = net(x).sin()
        y.register_hook(on_tensor)
        y.grad_fn.register_prehook(on_node)
        z = y.exp()
        z.sum().backward()

    handles = [
        net.register_full_backward_hook(on_module),
        net.weight.register_post_accumulate_grad_hook(on_parameter),
    ]
    try:
        process = recorded(program, tmp_path / "run.glens")
    finally:
        for handle in handles:
            handle.remove()
    own = {"mul": "on_tensor", "clamp": "on_node", "linalg_vector_norm": "on_module", "mul_": "on_parameter"}
    found = {}
    for node in nodes_run(process):
        if node.phase is Phase.BACKWARD and not node.formula and node.site is not None:
            assert node.twin is None
            found[node.op.split(".")[1]] = process.frames(node.site)[0].function.split(".")[-1]

    assert own.items() <= found.items()


def test_a_function_of_the_users_has_its_own_lines(tmp_path: Path) -> None:
    """Its backward belongs to the operation that made its result, and stands where it is written."""

    def program() -> None:
        x = leaf()
        applied(Twice, x).sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    backward = [node for node in nodes_run(process) if node.formula == "TwiceBackward"]

    assert [node.op for node in backward] == [
        "aten.cos.default", "aten.mul.Tensor", "aten.mul.Tensor", "aten.add.Tensor",
    ]  # fmt: skip
    assert {process.nodes[node.twin].op for node in backward if node.twin is not None} == {"aten.sin.default"}
    assert {process.frames(node.site)[0].function for node in backward} == {"Twice.backward"}


def test_a_function_that_fails_looks_as_it_does_without_us(tmp_path: Path) -> None:
    import traceback

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    def frames() -> list[str]:
        try:
            applied(Fails, leaf())
        except ValueError as error:
            return [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        return []

    told: list[list[str]] = []
    recorded(lambda: told.append(frames()), tmp_path / "run.glens")

    assert told == [frames()]


def test_the_parameter_that_a_gradient_goes_into_is_named(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)

    def program() -> None:
        for _ in range(2):
            net(torch.ones(1, 2)).sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    into = {(op, formula) for op, _, formula in names(process) if formula.startswith("AccumulateGrad")}

    assert {
        ("detach", "AccumulateGrad[Linear.weight]"),
        ("add_", "AccumulateGrad[Linear.weight]"),
        ("add_", "AccumulateGrad[Linear.bias]"),
    } <= into


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(3, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.narrow(self.wide(x).tanh()).exp()
        return out


class Deep(nn.Module):
    """Three blocks whose activations are computed again in the backward."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.blocks = nn.ModuleList([Block() for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=self.reentrant)
        return x.sum()


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_a_checkpoint_computes_again_says_what_it_repeats(reentrant: bool, tmp_path: Path) -> None:
    """By construction: in each block the linear layers, tanh and exp are repeated, in the same module."""
    net = Deep(reentrant)

    def program() -> None:
        for _ in range(2):
            net(torch.ones(2, 3, requires_grad=True)).backward()

    process = recorded(program, tmp_path / "run.glens")
    again = [node for node in nodes_run(process) if node.remakes is not None]

    for name in ("aten.addmm.default", "aten.tanh.default", "aten.exp.default"):
        blocks = [process.scope_path(node) for node in again if node.op == name]
        assert len(blocks) == (12 if name == "aten.addmm.default" else 6)
        assert {path.split(".")[2] for path in blocks} == {"0", "1", "2"}
    for node in again:
        assert node.remakes is not None
        first = process.nodes[node.remakes]
        assert (node.op, node.scope, node.module_call) == (first.op, first.scope, first.module_call)
        assert (node.phase, first.phase, node.twin) == (Phase.BACKWARD, Phase.FORWARD, None)
    # Each original was repeated once a step, and no other.
    assert len({node.remakes for node in again}) == len(again) // 2
    roots = {scope.path.split(".")[0] for scope in process.scopes.values()}
    assert roots == {"Deep"}


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradients_under_a_checkpoint_belong_to_the_first_time(reentrant: bool, tmp_path: Path) -> None:
    """Not to the repetition: the same gradient has the same twin with and without a checkpoint."""
    net = Deep(reentrant)
    process = recorded(lambda: net(torch.ones(2, 3, requires_grad=True)).backward(), tmp_path / "run.glens")
    ran = nodes_run(process)
    forward = {node.node for node in ran if node.phase is Phase.FORWARD}
    tanh = [
        node.twin for node in ran if node.formula == "TanhBackward0" and node.op.startswith("aten.tanh_b")
    ]

    assert len(set(tanh)) == 3 and set(tanh) <= forward
    assert {process.nodes[twin].op for twin in tanh if twin is not None} == {"aten.tanh.default"}
    assert not [node for node in ran if node.formula.endswith("Backward0") and node.twin not in forward]


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_of_functions_and_loops(reentrant: bool, tmp_path: Path) -> None:
    """One line runs many times in the region: the kth repeats the kth.

    Without re-entry the repetition stops as soon as everything that was saved is there again: the
    argument of the last sine is saved before it runs.
    """

    def region(x: torch.Tensor) -> torch.Tensor:
        for _ in range(4):
            x = x.sin()
        return x * 2

    def program() -> None:
        x = leaf()
        y = checkpoint(region, checkpoint(region, x, use_reentrant=reentrant), use_reentrant=reentrant)
        y.sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    sines = [node.node for node in ran if node.op == "aten.sin.default" and node.phase is not Phase.BACKWARD]
    again = [node.remakes for node in ran if node.op == "aten.sin.default" and node.phase is Phase.BACKWARD]

    assert len(sines) == 8
    last = 4 if reentrant else 3
    assert again == sines[4 : 4 + last] + sines[:last]


def test_a_checkpointed_sequence_of_built_in_layers(tmp_path: Path) -> None:
    """No line of the user's runs inside: the operations alone tell."""
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh())

    def program() -> None:
        x = torch.ones(2, 3, requires_grad=True)
        checkpoint_sequential(net, 2, x, use_reentrant=False).sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    linear = [node.node for node in ran if node.op == "aten.addmm.default"]

    # The last segment is not checkpointed, and the sequence itself is never called.
    assert [node.remakes for node in ran if node.remakes is not None and "addmm" in node.op] == linear[:1]
    assert {process.scope_path(node) for node in ran if node.node == linear[0]} == {"Linear"}


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_in_a_known_forward(reentrant: bool, tmp_path: Path) -> None:
    """The forward is recognised and the backward is new: regions are known by where they began."""

    def region(x: torch.Tensor) -> torch.Tensor:
        return x.sin().exp()

    def program() -> None:
        x = leaf()
        for step in range(4):
            y = checkpoint(region, x, use_reentrant=reentrant).sum()
            y.backward(torch.full((), 2.0, dtype=torch.float64) if step % 2 else None)

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    again = [node for node in ran if node.op == "aten.sin.default" and node.phase is Phase.BACKWARD]

    assert len(again) == 4
    assert all(node.remakes is not None for node in again)


# ── values ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("function", [torch.exp, torch.sqrt, torch.tanh, lambda x: x.softmax(1)])
@pytest.mark.parametrize("on_cpu", [False, True], ids=["kept", "packed by the user"])
def test_what_was_saved_for_backward_is_an_edge(
    function: Callable[[torch.Tensor], torch.Tensor], on_cpu: bool, tmp_path: Path
) -> None:
    """The result comes back as another object; packed and unpacked it may be a copy, which was made."""

    def program() -> None:
        x = leaf()
        if on_cpu:
            with torch.autograd.graph.save_on_cpu():
                y = function(x)
        else:
            y = function(x)
        y.backward(torch.ones_like(y))

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    made = {output.value: node for node in ran for output in node.outputs}
    formula = [
        node for node in ran if node.formula.endswith("Backward0") and node.op != "aten.detach.default"
    ]
    twin = next(node for node in ran if node.node == formula[0].twin)

    def reached(values: Any) -> set[int]:
        found: set[int] = set()
        waiting = [value for value in values if value is not None]
        while waiting:
            value = waiting.pop()
            if value not in found:
                found.add(value)
                waiting += [one for one in (made[value].inputs if value in made else ()) if one is not None]
        return found

    assert twin.outputs[0].value in reached(value for node in formula for value in node.inputs)
    assert "failed" not in {gap.kind for gap in process.gaps}
    assert len(ops(process)) == len(ran)


def test_links_are_shown(tmp_path: Path) -> None:
    """`graphlens show RUN op N`, as text and as JSON."""

    def program() -> None:
        x = leaf()
        checkpoint(lambda t: t.sin().exp(), x, use_reentrant=False).sum().backward()

    process = recorded(program, tmp_path / "run.glens")
    ran = nodes_run(process)
    again = next(k for k, node in enumerate(ran) if node.remakes is not None)
    cosine = next(k for k, node in enumerate(ran) if node.op == "aten.cos.default")
    run = graphlens.load(tmp_path / "run.glens")
    first = op_answer(run, str(again))
    second = op_answer(run, str(cosine))

    assert (first["repeats"]["op"], first["forward"]) == ("aten.sin.default", None)
    assert (second["forward"]["op"], second["formula"]) == ("aten.sin.default", "SinBackward0")
    assert first["repeats"]["seq"] == second["forward"]["seq"] == 1
