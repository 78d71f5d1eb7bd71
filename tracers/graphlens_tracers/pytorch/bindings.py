"""Torch's own functions for common operators: the same operation, called at less cost.

An operator object turns its arguments into a stack by its schema, and its results back; the Python
functions that scripts call are generated for one operator each, and do less. Which operator one of them
ends in is decided by the kinds of its arguments: here are those where it can be no other.
"""

from __future__ import annotations

from typing import Any

import torch

_METHODS = {
    "aten.add.Tensor": "add", "aten.add_.Tensor": "add_", "aten.addcdiv.default": "addcdiv",
    "aten.addcdiv_.default": "addcdiv_", "aten.addcmul.default": "addcmul",
    "aten.addcmul_.default": "addcmul_",
    "aten.bmm.default": "bmm", "aten.clone.default": "clone", "aten.copy_.default": "copy_",
    "aten.detach.default": "detach", "aten.div.Tensor": "div", "aten.div_.Tensor": "div_",
    "aten.exp.default": "exp", "aten.expand.default": "expand", "aten.fill_.Scalar": "fill_",
    "aten.lerp_.Scalar": "lerp_", "aten.log.default": "log", "aten.mm.default": "mm",
    "aten.mul.Tensor": "mul", "aten.mul_.Tensor": "mul_", "aten.neg.default": "neg",
    "aten.permute.default": "permute", "aten.pow.Tensor_Scalar": "pow", "aten.relu.default": "relu",
    "aten.relu_.default": "relu_", "aten.rsqrt.default": "rsqrt", "aten.sigmoid.default": "sigmoid",
    "aten.sqrt.default": "sqrt", "aten.sub.Tensor": "sub", "aten.sub_.Tensor": "sub_",
    "aten.sum.dim_IntList": "sum", "aten.t.default": "t", "aten.tanh.default": "tanh",
    "aten.transpose.int": "transpose", "aten.unsqueeze.default": "unsqueeze", "aten.view.default": "view",
    "aten.zero_.default": "zero_",
}  # fmt: skip
BINDINGS: dict[str, Any] = {
    **{op: getattr(torch.Tensor, name) for op, name in _METHODS.items()},
    "aten.addmm.default": torch.addmm,
}
"""By the name of the operator. All take its arguments as they are."""


def binding(name: str, args: tuple[Any, ...]) -> Any:
    """Torch's function for the operator of this name, called with arguments like these; None: use its own."""
    plain = all(
        type(arg) in (int, float, bool, torch.Tensor, torch.nn.Parameter)
        or (type(arg) is list and all(type(element) is int for element in arg))
        for arg in args
    )
    return BINDINGS.get(name) if plain else None
