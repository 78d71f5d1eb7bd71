"""Recursion, generators, context managers, decorators, comprehensions, closures, partial functions."""

import contextlib
import functools

import torch
from torch import nn


class Tree(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.left, self.right = (Tree(depth - 1), Tree(depth - 1)) if depth else (None, None)

    def forward(self, x):
        x = torch.tanh(self.layer(x))
        return x if self.left is None else self.left(x) + self.right(x)


def batches(count):
    for k in range(count):
        yield torch.full((3, 2), float(k))


@contextlib.contextmanager
def step_of(optimizer):
    optimizer.zero_grad()
    yield
    optimizer.step()


@functools.lru_cache
def constant(n):
    return torch.arange(n, dtype=torch.float32)


def power(x, n):
    return x if n == 1 else x * power(x, n - 1)


torch.manual_seed(0)
net = Tree(2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x in batches(4):
    with step_of(optimizer):
        loss = sum(row.pow(2).sum() for row in net(x)) + power(x.mean(), 4)
        loss.backward()
    print(loss.item())
half = functools.partial(torch.mul, other=torch.tensor(0.5))
print([half(constant(n)).sum().item() for n in (3, 4, 3)], list(map(torch.Tensor.item, constant(3))))
print(functools.reduce(torch.add, [torch.ones(2)] * 5).tolist(), (lambda: constant(4).max().item())())
