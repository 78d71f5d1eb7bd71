"""What the benchmarks train: a step of each, made anew, with whatever it needs.

torch is imported inside of the functions: the process that prints the table has no use for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Training:
    """A model and one training step of it: zero_grad, forward, loss, backward, optimizer.

    Attributes:
        inputs: What the model is called with.
    """

    step: Callable[[], None]
    model: Any
    inputs: tuple[Any, ...]


def mlp(ill: bool = False) -> Training:
    """Five layers; `ill`: every parameter is NaN, and so is everything made of them."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    if ill:
        for parameter in model.parameters():
            nn.init.constant_(parameter, float("nan"))
    optimizer = torch.optim.AdamW(model.parameters())
    inputs, labels = torch.randn(4, 8), torch.randint(4, (4,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return Training(step, model, (inputs,))


def attention(hidden: float) -> Training:
    """Twelve layers of causal attention in the open; `hidden`: what later places are masked with.

    So that numbers change from step to step, each one has another batch.
    """
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.qkv, self.out = nn.LayerNorm(64), nn.Linear(64, 192), nn.Linear(64, 64)
            self.register_buffer("later", torch.ones(32, 32, dtype=torch.bool).triu(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = (
                part.unflatten(-1, (4, 16)).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1)
            )
            scores = (q @ k.transpose(-2, -1) / 4).masked_fill(self.later, hidden)
            out: torch.Tensor = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            return out

    model = nn.Sequential(*(Layer() for _ in range(12)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs = torch.randn(4, 32, 64)

    def step() -> None:
        optimizer.zero_grad()
        batch = inputs + torch.rand(())
        model(batch).square().mean().backward()
        optimizer.step()

    return Training(step, model, (inputs,))


def cnn() -> Training:
    """Eighteen layers with residual connections, batch normalisation and a momentum."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, wide_in: int, wide: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(wide_in, wide, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(wide)
            self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(wide)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut: nn.Module = nn.Identity()
            if stride != 1 or wide_in != wide:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(wide_in, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.relu(self.norm1(self.conv1(x)))
            out: torch.Tensor = self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))
            return out

    stages = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    stages += [(128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
    model = nn.Sequential(*stem, *(Residual(*stage) for stage in stages), *head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    inputs, labels = torch.randn(2, 3, 64, 64), torch.randint(1000, (2,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return Training(step, model, (inputs,))


def gpt2(optimizes: bool = True) -> Training:
    """Twelve layers; not `optimizes`: forward and backward alone."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config())
    model.loss_type = "ForCausalLM"
    model.train()
    optimizer = torch.optim.AdamW(model.parameters())
    tokens = torch.randint(50257, (1, 64))

    def step() -> None:
        optimizer.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        if optimizes:
            optimizer.step()

    return Training(step, model, (tokens,))


# ── steps of which no two are alike ──────────────────────────────────────────────────────────


def lbfgs() -> Training:
    """An optimizer that calls its closure as often as it likes."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4, line_search_fn="strong_wolfe")
    inputs = torch.randn(4, 8)

    def step() -> None:
        batch, labels = torch.randn(4, 8), torch.randint(4, (4,))

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(batch), labels)
            loss.backward()
            return loss

        optimizer.step(closure)

    return Training(step, model, (inputs,))


def experts() -> Training:
    """A mixture of eight experts: which of them run, and in which order, is drawn for every step."""
    import torch
    from torch import nn

    chosen = random.Random(0)
    model = nn.ModuleList(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)) for _ in range(8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs = torch.randn(4, 16)

    def step() -> None:
        optimizer.zero_grad()
        x = inputs
        for k in chosen.sample(range(8), 4):
            x = x + model[k](x)
        x.square().mean().backward()
        optimizer.step()

    return Training(step, model, (inputs,))


def recurrent() -> Training:
    """A recurrent loop in Python, over sequences of any length from 5 to 60."""
    import torch
    from torch import nn

    chosen = random.Random(0)
    model = nn.GRUCell(8, 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs = torch.randn(4, 8)

    def step() -> None:
        optimizer.zero_grad()
        hidden = torch.zeros(4, 16)
        for _ in range(chosen.randrange(5, 61)):
            hidden = model(inputs, hidden)
        hidden.square().mean().backward()
        optimizer.step()

    return Training(step, model, (inputs,))
