"""Tensor subclasses of both protocols, and objects that only look like tensors."""

import torch
from torch.utils._pytree import tree_map


class Named(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        calls.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


class Wrapped(torch.Tensor):
    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, requires_grad=inner.requires_grad)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        seen.append(str(func))
        args = tree_map(lambda a: a.inner if isinstance(a, Wrapped) else a, args)
        return tree_map(lambda a: Wrapped(a) if isinstance(a, torch.Tensor) else a, func(*args, **(kwargs or {})))


class Like:
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return f"{func.__name__} of something else"


torch.manual_seed(0)
calls, seen = [], []
for k in range(3):
    a = torch.randn(3).as_subclass(Named)
    b = (a * 2 + torch.ones(3)).sum()
    w = Wrapped(torch.randn(2, 2))
    v = (w @ w).sin() + 1
    print(type(b).__name__, float(b), v.inner.sum().item())
x = torch.rand(3, requires_grad=True)
(x.as_subclass(Named).exp() * 3).sum().backward()
print(x.grad.tolist(), torch.nn.Parameter(a).__class__.__name__, torch.add(Like(), 1))
print(calls[:6], seen, torch.nn.Buffer(torch.ones(1)).shape)
