"""What tracing keeps: no tensor, and of a script that never does the same twice only so much."""

from __future__ import annotations

import gc
import random
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from graphlens_tracers.pytorch import calls
from graphlens_tracers.pytorch.modules import ModuleCall
from graphlens_tracers.pytorch.plan import Leaf, Node, Place
from recorded import recorded, recording

KINDS = (Place, Node, Leaf, ModuleCall)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """A script may turn the garbage collector off: what is not needed must go without it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> Counter[type]:
    """How many things of ours there are."""
    return Counter(kind for kind in map(type, gc.get_objects()) if kind in KINDS)


def grown(step: Callable[[int], object], path: Path, rounds: int) -> tuple[Counter[type], int]:
    """What a training loop leaves behind, and the most places that there were at the end of a step."""
    most = 0
    before = kept()
    with recording(path / "run.glens"):
        for number in range(rounds):
            step(number)
            if number % 10 == 9:
                most = max(most, (kept() - before)[Place])
        return kept() - before, most


def training(forward: Callable[[int, torch.Tensor], torch.Tensor]) -> Callable[[int], None]:
    """A step that trains a matrix."""
    weight = nn.Parameter(torch.eye(4))
    optimizer = torch.optim.SGD([weight], lr=0.01)

    def step(number: int) -> None:
        optimizer.zero_grad()
        forward(number, weight).mean().backward()
        optimizer.step()

    return step


@pytest.mark.usefixtures("without_collector")
def test_ways_that_are_never_taken_again_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_PLACES", 100)
    chosen = random.Random(0)

    def forward(number: int, x: torch.Tensor) -> torch.Tensor:
        for _ in range(12):
            x = x.tanh() if chosen.random() < 0.5 else x.sin()
        return x

    after, most = grown(training(forward), tmp_path, 60)

    assert 100 < most < 400  # a call more than there is room for
    assert after[Node] < 200


@pytest.mark.usefixtures("without_collector")
def test_modules_that_are_made_anew_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is another module to us, with operations and parameters of its own."""
    monkeypatch.setattr(calls, "MOST_PLACES", 200)

    after, most = grown(training(lambda _, x: nn.Sequential(nn.Linear(4, 4), nn.ReLU())(x)), tmp_path, 60)

    assert most < 500
    assert after[Node] < 600 and after[ModuleCall] < 100 and after[Leaf] < 200


def test_a_long_step_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little room there is: it would never be recognised otherwise."""
    monkeypatch.setattr(calls, "MOST_PLACES", 20)

    def forward(number: int, x: torch.Tensor) -> torch.Tensor:
        for _ in range(50):
            x = x.tanh()
        return x

    step = training(forward)
    process = recorded(lambda: [step(number) for number in range(6)], tmp_path / "run.glens")
    trained = [call.graph for call in process.calls() if call.role == "train"]

    assert len(set(trained[-3:])) == 1


# ── tensors ──────────────────────────────────────────────────────────────────────────────────


def alive() -> list[str]:
    """A training loop, and which of its tensors are there at each point of it."""
    torch.manual_seed(0)
    layers = [nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)]
    net = nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(net.parameters())
    seen: list[tuple[str, weakref.ref[Any]]] = []
    found: list[str] = []

    def watch(name: str, tensor: torch.Tensor) -> torch.Tensor:
        seen.append((name, weakref.ref(tensor.untyped_storage())))
        return tensor

    def look(point: str) -> None:
        found.append(point + ": " + " ".join(name for name, storage in seen if storage() is not None))

    def hooked(name: str) -> Callable[..., None]:
        return lambda module, args, result: (watch(name, result), None)[1]

    for name, layer in net.named_children():
        layer.register_forward_hook(hooked(name))
    for number in range(6):
        seen.clear()
        x = watch("batch", torch.randn(4, 8) * 2)
        out = net(x)
        look("forward")
        loss = watch("loss", (out * watch("half", out.detach() * 0.5)).square().mean())
        del out, x
        look("loss")
        loss.backward(retain_graph=number == 2)
        look("backward")
        for parameter in net.parameters():
            assert parameter.grad is not None
            watch("grad", parameter.grad)
        optimizer.step()
        optimizer.zero_grad()
        look("optimizer")
        del loss
        look("end")
        with torch.no_grad():
            watch("evaluated", net(torch.zeros(1, 8)))
        look("evaluation")
        try:
            torch.mm(watch("given", torch.ones(2, 3)), torch.ones(2, 3))
        except RuntimeError:
            look("failure")
    return found


@pytest.mark.usefixtures("without_collector")
def test_tensors_live_as_long_as_without_us(tmp_path: Path) -> None:
    """Activations, gradients, what is saved for backward and what only ran through, at every point."""
    plain = alive()
    traced: list[str] = []
    recorded(lambda: traced.extend(alive()), tmp_path / "run.glens")

    assert {"half" in line for line in plain} == {True, False}
    assert traced == plain
