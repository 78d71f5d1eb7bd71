"""Errors inside of operations, modules, backwards and hooks, caught, with their tracebacks."""

import traceback
import warnings

import torch
from torch import nn


class Picky(nn.Module):
    def forward(self, x):
        if x.sum() > 2:
            raise ValueError("too much")
        return x @ torch.ones(3, 3)


def failing_hook(grad):
    raise KeyError("in a hook")


net = nn.Sequential(nn.Linear(3, 3), Picky())
for step in range(3):
    for x in (torch.ones(1, 3), torch.ones(1, 4), torch.zeros(1, 3)):
        try:
            nn.init.ones_(net[0].weight)
            print(net(x).shape)
        except (ValueError, RuntimeError) as error:
            frames = traceback.extract_tb(error.__traceback__)
            print(type(error).__name__, str(error)[:60], [frame.name for frame in frames])
    w = torch.ones(2, requires_grad=True)
    w.register_hook(failing_hook)
    try:
        (w * 2).sum().backward()
    except KeyError as error:
        print(error, [frame.name for frame in traceback.extract_tb(error.__traceback__)])
    try:
        torch.ones(2).add_(torch.ones(3))
    except RuntimeError:
        print(traceback.format_exc().splitlines()[-1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    nn.functional.mse_loss(torch.ones(2), torch.ones(1, 2))
    torch.ones(3).T
    print([(w.category.__name__, w.filename.endswith("python_exceptions.py")) for w in caught])
