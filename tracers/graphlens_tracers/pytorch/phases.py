"""Which part of training an operation belongs to, from where the script is when it runs."""

from __future__ import annotations

from types import FrameType

import torch

from graphlens_tracers.events import Phase
from graphlens_tracers.loops import innermost_loop
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import Form, OpInfo
from graphlens_tracers.pytorch.autograd import Inside
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.values import Values
from graphlens_tracers.sites import Stacks


class Moment:
    """Where the script is when an operation is about to run: what the slow side asks first.

    Attributes:
        stack: The user's frames, innermost first; `depth`: Python frames before the first of them.
        inner: Files of the framework's frames before it.
        node: The autograd node whose backward runs; `inside`: what ran between it and the operation.
    """

    __slots__ = ("depth", "grad", "inner", "inside", "node", "optimizer", "stack")

    def __init__(self, stacks: Stacks, frame: FrameType | None, optimizer: bool) -> None:
        self.stack, self.depth, self.inner = stacks.user(frame)
        self.node = compat.current_autograd_node() if compat.current_autograd_node is not None else None
        self.inside = None if self.node is None else Inside(stacks, frame)
        self.grad = torch.is_grad_enabled()
        self.optimizer = optimizer

    def framework(self, *parts: str) -> bool:
        """Whether a framework file on the way to the user's line has one of these in its path."""
        return any(part in file for file in self.inner for part in parts)


_OPTIMIZES = ("/torch/optim/", "/clip_grad.py", "/amp/grad_scaler.py")
"""Files of what changes gradients and parameters."""


def phase_of(
    info: OpInfo,
    moment: Moment,
    form: Form,
    differentiating: bool,
    calls: Calls,
    modules: Modules,
    values: Values,
) -> Phase:
    """Which part of training an operation belongs to; `differentiating`: the autograd engine runs."""
    # Before the engine is entered, the gradient of the root is made.
    if moment.node is not None or differentiating or moment.framework("/torch/autograd/__init__.py"):
        return Phase.BACKWARD
    if moment.framework("/torch/utils/data/"):
        return Phase.DATA
    differentiable = any(tensor.requires_grad for tensor in form.tensors)
    if moment.optimizer or moment.framework(*_OPTIMIZES):
        # But to scale the loss is part of it, and averages of weights are no step.
        scales = moment.framework("/grad_scaler.py") and moment.grad and differentiable
        if moment.optimizer or not (scales or moment.framework("/optim/swa_utils.py")):
            return Phase.OPTIMIZER
    if info.profiler or info.name.startswith("aten._local_scalar_dense"):
        return Phase.OTHER
    if modules.depth:
        return Phase.FORWARD
    if calls.setting_up or innermost_loop(moment.stack) is None:
        return Phase.OTHER
    if calls.stepped:
        return Phase.FORWARD if moment.grad and differentiable else Phase.OTHER
    if values.forward or calls.modules_seen or not modules.exist:
        return Phase.FORWARD
    return Phase.FORWARD if differentiable else Phase.DATA
