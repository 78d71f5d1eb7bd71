"""Which part of training an operation belongs to, from where the script is when it runs."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING

import torch
from torch import nn

from graphlens_tracers.events import Output, Phase, SiteId, ValueId
from graphlens_tracers.loops import Loop, follows
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import Tensors
from graphlens_tracers.pytorch.autograd import Inside
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.values import Values
from graphlens_tracers.sites import Place, Stacks, loading

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.record import Before


_REPLACES = ("aten.copy_.", "aten.set_.")
"""What they write is what they read, whatever it was before."""


class Moment:
    """Where the script is when an operation is about to run: what the slow side asks first.

    Attributes:
        stack: The user's frames, innermost first; `depth`: Python frames before the first of them.
        inner: Files of the framework's frames before it.
        loads: Whether a loader of batches is at work; `fetches`: on a batch, and not to begin an epoch.
        node: The autograd node whose backward runs; `inside`: what ran between it and the operation.
        loops: Those around it while `Optimizer.step` runs, innermost first, out to its caller.
    """

    __slots__ = (
        "depth", "fetches", "grad", "inner", "inside", "loads", "loops", "node", "optimizer", "stack",
    )  # fmt: skip

    def __init__(self, stacks: Stacks, frame: FrameType | None, optimizer: bool) -> None:
        self.stack, self.depth, self.inner = stacks.user(frame)
        self.loads, self.fetches = loading(
            frame, "/torch/utils/data/dataloader.py", "/torch/utils/data/_utils/fetch.py"
        )
        self.node = compat.current_autograd_node() if compat.current_autograd_node is not None else None
        self.inside = None if self.node is None else Inside(stacks, frame)
        self.grad = torch.is_grad_enabled()
        self.optimizer = optimizer
        self.loops: tuple[Loop, ...] = ()

    @property
    def direct(self) -> bool:
        """Whether the user's line asks a tensor itself, as for its number."""
        return all(file.endswith("/torch/_tensor.py") for file in self.inner)

    def framework(self, *parts: str) -> bool:
        """Whether a framework file on the way to the user's line has one of these in its path."""
        return any(part in file for file in self.inner for part in parts)


_OPTIMIZES = ("/torch/optim/", "/clip_grad.py", "/amp/grad_scaler.py")
"""Files of what changes gradients and parameters."""


class Kinds:
    """What the inputs of operations come from: the phase of what made them.

    A leaf counts as OTHER when it is a weight (a parameter, a buffer), and else as DATA.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._by_value: dict[ValueId, Phase] = {}
        self.weights = False
        """Whether any weight has been read."""
        self.stacks: dict[SiteId, list[Place]] = {}
        """Where operations of a forward phase stand, innermost place first."""

    def made(self, value: ValueId, phase: Phase) -> None:
        """This value is made by an operation of this phase, or is such a leaf."""
        self._by_value[value] = phase

    def forget(self) -> None:
        """Between two calls: no node is known any more."""
        self._by_value.clear()
        self.stacks.clear()

    def ran(self, outputs: Iterable[Output], phase: Phase, inputs: set[Phase]) -> None:
        """An operation of this phase has run on `inputs`."""
        if phase is Phase.OTHER and Phase.OTHER not in inputs:
            phase = Phase.DATA
        for output in outputs:
            self.made(output.value, phase)

    def of_leaf(self, tensor: torch.Tensor) -> Phase:
        """Of a tensor that comes from outside of the call."""
        if (
            isinstance(tensor, nn.Parameter)
            or (tensor.requires_grad and tensor.is_leaf)
            or self._modules.tensor_name(tensor) is not None
        ):
            self.weights = True
            return Phase.OTHER
        return Phase.DATA

    def of(self, before: Before, replaced: bool = False) -> set[Phase]:
        """Of the inputs of one operation; `replaced`: not of those that it writes."""
        known, written = self._by_value, before.written if replaced else ()
        return {
            # Those without a value are leaves that are new to the call.
            known[value] if value is not None and value in known else self.of_leaf(tensor)
            for value, tensor in zip(before.values, before.form.tensors, strict=True)
            if not any(tensor is one for one in written)
        }


def phase_of(
    before: Before,
    results: Tensors,
    differentiating: bool,
    here: Calls,
    modules: Modules,
    kinds: Kinds,
    values: Values,
) -> Phase:
    """Which part of training an operation belongs to; `differentiating`: the autograd engine runs.

    Where it is called says it for most. For what is called outside of modules and of the framework,
    what it is computed from does: from what the model or the loss made, it is forward; from
    gradients, or after a backward from weights alone, it is the optimizer's work; from weights
    alone it else is neither; and from nothing of these it makes the batch, or after the model what
    the loss compares with.
    """
    info, moment = before.info, before.moment
    # Before the engine is entered, the gradient of the root is made.
    if moment.node is not None or differentiating or moment.framework("/torch/autograd/__init__.py"):
        return Phase.BACKWARD
    if moment.loads:
        return Phase.DATA
    tensors = before.form.tensors
    asks = moment.grad and any(tensor.requires_grad for tensor in tensors)
    if moment.optimizer or moment.framework(*_OPTIMIZES):
        # But to scale the loss is part of it, and averages of weights are no step.
        scales = moment.framework("/grad_scaler.py") and asks
        makes = here.setting_up and moment.framework("/torch/optim/")
        if moment.optimizer or not (scales or makes or moment.framework("/optim/swa_utils.py")):
            return Phase.OPTIMIZER
    if info.profiler or moment.framework("/torch/_tensor_str.py"):
        return Phase.OTHER
    if info.name.startswith(("aten._local_scalar_dense", "aten.item")) and (modules.depth or moment.direct):
        return Phase.OTHER
    if modules.depth:
        return Phase.FORWARD
    if here.setting_up or moment.framework("/torch/nn/init.py", "/torch/nn/modules/"):
        return Phase.OTHER  # the latter make modules, outside of their calls
    differentiable = asks and any(map(_flows, results)) and not info.name.startswith("aten.detach")
    if here.stepped:
        return Phase.FORWARD if differentiable else Phase.OTHER
    inputs = kinds.of(before, replaced=info.name.startswith(_REPLACES))
    if not differentiable and (Phase.BACKWARD in inputs or Phase.OPTIMIZER in inputs):
        return Phase.OPTIMIZER
    if here.backward and not differentiable and inputs == {Phase.OTHER}:
        return Phase.OPTIMIZER
    if any(kinds.of_leaf(tensor) is Phase.OTHER for tensor in before.written):
        return Phase.OTHER  # loading, averaging
    if Phase.FORWARD in inputs or differentiable or (Phase.OTHER in inputs and Phase.DATA in inputs):
        return Phase.FORWARD
    if Phase.OTHER in inputs or here.steps.going is None:
        return Phase.OTHER
    begun = kinds.stacks.get(values.forward.site) if values.forward and values.forward.site else None
    if begun is not None and follows(moment.stack[::-1], begun[::-1]):
        return Phase.FORWARD  # what the loss is compared with
    known = modules.exist or kinds.weights or here.optimizers()
    return Phase.DATA if known else Phase.FORWARD


def _flows(tensor: torch.Tensor) -> bool:
    """Whether a tensor of this type can have a gradient."""
    return tensor.is_floating_point() or tensor.is_complex()
