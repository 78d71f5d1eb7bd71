"""A binding is its operator: the same operation is dispatched, with the same arguments and results."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from graphlens_tracers.pytorch.bindings import BINDINGS, binding


def matrix() -> torch.Tensor:
    return torch.arange(1.0, 17).reshape(4, 4) / 16


ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "add": [(matrix(),), (2,), (0.5,), (True,)], "add_": [(matrix(),), (2,), (0.5,)],
    "addcdiv": [(matrix(), matrix())], "addcdiv_": [(matrix(), matrix())],
    "addcmul": [(matrix(), matrix())], "addcmul_": [(matrix(), matrix())], "mm": [(matrix(),)],
    "addmm": [(matrix(), matrix())], "copy_": [(matrix(),), (matrix().double(), True)],
    "div": [(matrix(),), (3,), (0.1,)], "div_": [(matrix(),), (0.1,)], "expand": [([2, 4, 4],), ([4, -1],)],
    "fill_": [(3,), (0.5,)], "lerp_": [(matrix(), 0.1), (matrix(), 1)], "mul": [(matrix(),), (3,), (0.1,)],
    "mul_": [(matrix(),), (0.1,), (-0.0,)], "permute": [([1, 0],)], "pow": [(2,), (0.5,)],
    "sub": [(matrix(),), (2,), (0.5,)], "sub_": [(matrix(),), (0.5,)],
    "sum": [([0],), ([0, 1], True), ([],)], "transpose": [(0, 1)], "unsqueeze": [(0,), (-1,)],
    "view": [([16],), ([2, 8],), ([-1, 4],)],
}  # fmt: skip


class Seen(TorchDispatchMode):
    """What was dispatched, with its arguments."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.calls: list[tuple[str, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append((str(func), [described(arg) for arg in args], kwargs))
        return func(*args, **(kwargs or {}))


def described(arg: Any) -> Any:
    return (arg.dtype, arg.shape, arg.tolist()) if isinstance(arg, torch.Tensor) else arg


def operator(name: str) -> Any:
    library, op, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, library), op), overload)


@pytest.mark.parametrize("name", sorted(BINDINGS.keys() - {"aten.bmm.default"}))
def test_a_binding_is_its_operator(name: str) -> None:
    method = BINDINGS[name].__name__
    for rest in ARGUMENTS.get(method, [()]):
        args: tuple[Any, ...] = (matrix(), *rest)
        with Seen() as one:
            expected = operator(name)(*args), args[0].tolist()
        args = (matrix(), *rest)
        with Seen() as other:
            called = binding(name, args)
            got = called(*args), args[0].tolist()

        assert called is BINDINGS[name]
        assert other.calls == one.calls
        assert torch.equal(got[0], expected[0])
        assert got[0].stride() == expected[0].stride()
        assert got[1] == expected[1]
        assert [line[0] for line in other.calls].count(name) == 1


def test_batches_of_matrices() -> None:
    batch = matrix().reshape(1, 4, 4)
    assert torch.equal(BINDINGS["aten.bmm.default"](batch, batch), batch @ batch)


def test_other_arguments_are_the_operators_own() -> None:
    class Mine(torch.Tensor):
        pass

    assert binding("aten.mul.Tensor", (matrix().as_subclass(Mine), 2)) is None
    assert binding("aten.mul.Tensor", (matrix(), 2j)) is None
    assert binding("aten.sum.dim_IntList", (matrix(), None)) is None
    assert binding("aten.svd.default", (matrix(),)) is None
