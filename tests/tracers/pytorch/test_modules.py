"""Which module an operation runs in, and by what name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from graphlens.store import Process
from recorded import recorded


def modules(process: Process) -> list[str]:
    """The paths of all modules that ran, in the order in which they were first met."""
    return [scope.path for scope in process.scopes.values()]


class Apart(nn.Module):
    """Keeps its parts in a list, where PyTorch does not look for them."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Linear(3, 3)
        self.inner = nn.Sequential(nn.Tanh())
        self.parts = [nn.Sequential(nn.Linear(3, 4), self.inner)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = nn.ReLU()(self.inner(self.parts[0][0](self.own(x))))
        return out


def test_parts_that_their_owner_does_not_name_name_their_own(tmp_path: Path) -> None:
    """The list's Sequential is known by its class, and what it holds by the names it has there."""

    class Guest(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.first, self.inner = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), [inner]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inner: torch.Tensor = self.inner[0](self.first(x))
            return inner

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(3, 3)
            self.guests = [Guest(self.last)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.guests[0](x)
            return out

    outer = Outer()
    process = recorded(lambda: outer(torch.ones(2, 3)).sum().backward(), tmp_path / "run.glens")
    weights = {leaf.name for leaf in process.leaves.values() if leaf.kind == "parameter"}

    assert modules(process) == [
        "Outer", "Outer.Guest", "Outer.Guest.first", "Outer.Guest.first.0", "Outer.Guest.first.1",
        "Outer.last",  # the innermost around it that names it is the root
    ]  # fmt: skip
    assert weights >= {"Outer.Guest.first.0.weight", "Outer.last.weight"}


def test_parts_that_are_called_past_their_owner(tmp_path: Path) -> None:
    """Nobody has entered the Sequential that names them: they are called by their classes."""
    net = Apart()
    process = recorded(lambda: net(torch.ones(2, 3)), tmp_path / "run.glens")

    assert modules(process) == [
        "Apart", "Apart.own", "Apart.Linear", "Apart.inner", "Apart.inner.0", "Apart.ReLU",
    ]  # fmt: skip


def test_a_loss_that_is_made_anew_in_each_step_is_the_same(tmp_path: Path) -> None:
    """`nn.MSELoss()(out, y)`: one name, one graph; while two live at the same time they are told apart."""
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def program() -> None:
        for _ in range(8):
            optimizer.zero_grad()
            loss = nn.MSELoss()(net(torch.ones(2, 3)), torch.zeros(2, 1))
            loss.backward()
            optimizer.step()
        kept = [nn.Tanh(), nn.Tanh()]
        for module in (*kept, kept[0]):
            module(torch.ones(2))

    process = recorded(program, tmp_path / "run.glens")
    train = [seen for seen in process.graphs() if seen.name.startswith("train")]

    assert modules(process) == ["Linear", "MSELoss", "Tanh", "Tanh#2"]
    assert [len(process.calls(seen.graph)) for seen in train] == [8]


def test_a_loader_that_looks_ahead_ends_no_step(tmp_path: Path) -> None:
    """Its sampler draws once more at the end of an epoch: in the middle of a step of two batches."""

    class Eight(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> torch.Tensor:
            return torch.full((3,), float(index))

    def ahead() -> Iterator[torch.Tensor]:
        batches = iter(DataLoader(Eight(), batch_size=1, sampler=RandomSampler(Eight())))
        batch = next(batches)
        for following in batches:
            yield batch
            batch = following
        yield batch

    def program() -> None:
        net = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(3):
            for k, x in enumerate(ahead()):
                (net(x).pow(2).mean() / 2).backward()
                if k % 2:
                    optimizer.step()
                    optimizer.zero_grad()

    calls = recorded(program, tmp_path / "run.glens").calls()

    assert [call.step for call in calls if call.role == "train"] == list(range(12))
