"""The script has dispatch modes and function modes of its own, one inside the other."""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Counts(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Halves(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out / 2 if func is torch.ops.aten.sin.default else out


class Doubles(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out * 2 if func is torch.sin else out


torch.manual_seed(0)
net = torch.nn.Linear(2, 2)
for k in range(3):
    with Counts() as counts:
        with Halves():
            y = torch.sin(torch.ones(2))
        net(torch.randn(1, 2)).sum().backward()
    with Doubles(), Halves():
        z = torch.sin(torch.ones(2))
    with Doubles(), counts:
        net(torch.ones(1, 2))
    print(y.tolist(), z.tolist(), len(counts.seen), counts.seen[:3])
