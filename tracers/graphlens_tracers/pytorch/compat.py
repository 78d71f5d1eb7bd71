"""The only file that may ask what this torch offers. It answers in named capabilities.

Private functions of torch are reached here alone. What is missing is `None`, and its name is in
`LACKS`, which the log carries: the tracer then does without and says so.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.autograd
import torch.autograd.graph
import torch.utils._python_dispatch
import torch.utils.data

TORCH_DIRECTORY = os.path.dirname(os.path.abspath(torch.__file__))

LACKS: list[str] = []


def _find(owner: Any, name: str, capability: str) -> Any:  # Any: whatever torch keeps under that name
    found = getattr(owner, name, None)
    if found is None:
        LACKS.append(capability)
    return found


current_autograd_node: Callable[[], Any] | None = _find(torch._C, "_current_autograd_node", "backward twins")
"""The autograd node whose backward runs now on this thread; None outside of a backward."""

sequence_number: Callable[[], int] | None = _find(
    torch.autograd, "_get_sequence_nr", "backward twins by number"
)
"""The number that the next autograd node of this thread will get."""

get_dispatch_mode: Callable[[Any], Any] | None = _find(torch._C, "_get_dispatch_mode", "fake tensor modes")
"""The active fake, proxy or functional mode of that key."""

_KEYS = getattr(torch._C, "_TorchDispatchModeKey", None)
INFRA_MODES: tuple[Any, ...] = tuple(
    getattr(_KEYS, name) for name in ("FAKE", "PROXY", "FUNCTIONAL") if hasattr(_KEYS, name)
)

_disable_modes: Any = _find(torch._C, "_DisableTorchDispatch", "tensors of ours unseen by other modes")


def without_modes() -> contextlib.AbstractContextManager[object]:
    """Inside of it, operations pass by every dispatch mode and tensor subclass."""
    made: contextlib.AbstractContextManager[object]
    made = contextlib.nullcontext() if _disable_modes is None else _disable_modes()
    return made


without_torch_function: Any = (
    _find(torch._C, "DisableTorchFunction", "tensors unseen by function modes") or contextlib.nullcontext
)
"""Inside of it, functions pass by every function mode and `__torch_function__`."""

_neg_view: Callable[[torch.Tensor], torch.Tensor] | None = getattr(torch, "_neg_view", None)


def without_neg(tensor: torch.Tensor) -> torch.Tensor:
    """The memory of a tensor that is to be read as its negative, or a negated copy of the tensor."""
    return _neg_view(tensor) if _neg_view is not None else tensor.neg()


def has_no_rules(mode: type) -> None:
    """Spare torch the search for rules of this dispatch mode, which it makes at every operation.

    It keeps the function that searches from the first operation that a mode sees, so this comes before.
    """
    rules = sys.modules.get("torch._library.simple_registry")
    original: Any = getattr(rules, "find_torch_dispatch_rule", None)
    if original is None or hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def find_torch_dispatch_rule(op: Any, torch_dispatch_class: type) -> Any:
        return None if torch_dispatch_class is mode else original(op, torch_dispatch_class)

    setattr(rules, "find_torch_dispatch_rule", find_torch_dispatch_rule)  # noqa: B010  # torch's own name


mode_stack: Callable[[], list[Any]] | None = _find(
    torch.utils._python_dispatch, "_get_current_dispatch_mode_stack", "modules on autograd's own threads"
)
"""The dispatch modes of this thread, the innermost last."""

ENGINE_ENTRY = "_engine_run_backward"
"""The one Python function through which every backward starts."""
engine_holders: list[Any] = [
    module for module in (torch.autograd, torch.autograd.graph) if hasattr(module, ENGINE_ENTRY)
]
"""Modules that look the entry up in their own namespace."""
if not engine_holders:
    LACKS.append("backward phase")


def who() -> tuple[int | None, int, str]:
    """This process's rank, among how many, and its name as a worker, as far as known."""
    rank, world = None, 0
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        rank, world = int(distributed.get_rank()), int(distributed.get_world_size())
    worker = torch.utils.data.get_worker_info()
    return rank, world, "" if worker is None else f"DataLoader worker {worker.id}"


def group_name(given: Any) -> str | None:
    """The name of a process group that an operator was given; None for any other script object.

    The same group has the same name on every rank.
    """
    distributed = sys.modules.get("torch.distributed")
    unbox = getattr(getattr(distributed, "ProcessGroup", None), "unbox", None)
    if unbox is None or not given._type().qualified_name().endswith(".c10d.ProcessGroup"):
        return None
    return str(unbox(given).group_name)


_top_hooks: Callable[[bool], Any] | None = _find(
    getattr(torch._C, "_autograd", None), "_top_saved_tensors_default_hooks", "what checkpoints repeat"
)


def node_of(tensor: Any, written: bool = False) -> Any:
    """The autograd node that made a tensor; None for a leaf or where grad is off.

    Args:
        written: It was just changed in place. A view of which that is true gets a new node when
            one asks for it, which would shift the numbers of all later ones: its base has the writer's.
    """
    try:
        if written and tensor._is_view():
            tensor = tensor._base
        return tensor.grad_fn if tensor is not None else None
    except (AttributeError, RuntimeError, NotImplementedError):
        return None  # a subclass that does not tell


def nodes_of(outputs: Any) -> list[Any]:
    """The autograd nodes of what is being differentiated: tensors or graph edges."""
    found = []
    for output in outputs if isinstance(outputs, (tuple, list)) else ():
        node = output.grad_fn if isinstance(output, torch.Tensor) else getattr(output, "node", None)
        if node is not None:
            found.append(node)
    return found


def accumulates_into(node: Any) -> Any:
    """The leaf into whose `grad` an AccumulateGrad node adds."""
    return getattr(node, "variable", None)


def checkpoint_frame() -> Any:
    """What stands for the checkpoint without re-entry whose forward runs; None outside of one."""
    hooks = _top_hooks(False) if _top_hooks is not None else None
    pack: Any = hooks[0] if hooks else None
    if not getattr(pack, "__qualname__", "").startswith("_checkpoint_hook."):
        return None
    held = dict(zip(pack.__code__.co_freevars, pack.__closure__ or (), strict=True))
    return held["frame"].cell_contents if "frame" in held else None


def number_of(node: Any) -> int:
    """An autograd node's sequence number; -1 when it has none."""
    numbered = getattr(node, "_sequence_nr", None)
    return int(numbered()) if numbered is not None else -1


def in_infra_mode() -> bool:
    """Whether tensors are fake or being traced right now: there are no numbers to look at."""
    if get_dispatch_mode is None:
        return False
    return any(get_dispatch_mode(key) is not None for key in INFRA_MODES)


# ── torch.compile ────────────────────────────────────────────────────────────────────────────


def compiled_graph() -> Any:
    """TorchDynamo's class for a graph that is being compiled; None where it is not loaded, or has none."""
    module = sys.modules.get("torch._dynamo.output_graph")
    graph = getattr(module, "OutputGraph", None)
    return graph if hasattr(graph, "call_user_compiler") else None


def compiled_name(graph: Any) -> str:
    """What a compiled graph is of: "Net.forward", a function's name."""
    root = getattr(graph, "root_tx", None)
    code = getattr(root, "f_code", None)
    name = str(getattr(code, "co_qualname", "graph"))
    if name.startswith("wrap_inline."):  # around a module's own call
        called = getattr(root, "f_locals", {}).get("fn")
        owner = getattr(called, "__self__", called)
        if isinstance(owner, torch.nn.Module):
            return f"{type(owner).__name__}.forward"
    return name.replace("<locals>.", "")


def compiled_autograd() -> bool:
    """Whether backwards are compiled as a whole, hooks included."""
    module = sys.modules.get("torch._dynamo.compiled_autograd")
    return bool(getattr(module, "compiled_autograd_enabled", False))


_HOOKS = ("backward_pre", "backward", "forward_pre", "forward")


def hide_hooks(ours: list[Any]) -> Callable[[], object]:
    """Let compiled modules warn of others' global hooks only; gives what undoes it."""
    holder, name = torch.nn.modules.module, "_has_any_global_hook"
    original = getattr(holder, name, None)
    if original is None:
        return lambda: None

    def has_any_global_hook() -> bool:
        hooks = [hook for kind in _HOOKS for hook in getattr(holder, f"_global_{kind}_hooks", {}).values()]
        return any(hook not in ours for hook in hooks)

    setattr(holder, name, has_any_global_hook)
    return lambda: setattr(holder, name, original)


_CALL: Any = getattr(getattr(torch.nn.Module, "_call_impl", None), "__code__", None)
"""Where a module's forward is called, and its hooks."""


def in_module(frame: FrameType | None) -> bool:
    """Whether any module's forward is running, to judge by the frames."""
    while frame is not None:
        if frame.f_code is _CALL:
            return True
        frame = frame.f_back
    return _CALL is None


def hide_inner_call(module: torch.nn.Module, ours: list[Any], frame: FrameType | None) -> None:
    """A module raised: let the traceback be that of a module without hooks, if it has none but ours.

    Args:
        frame: Of the hook that torch calls for that reason, or of what calls the hook.
    """
    error = sys.exception()
    entry = error.__traceback__ if error is not None else None
    if error is None or entry is None or entry.tb_frame.f_code is not _CALL or entry.tb_next is None:
        return
    if frame is not None and frame.f_code is not _CALL:
        frame = frame.f_back
    if frame is not entry.tb_frame or entry.tb_next.tb_frame.f_code.co_name != "inner":
        return
    names = [f"_{kind}_hooks" for kind in _HOOKS]
    holder = torch.nn.modules.module
    everywhere = [hook for name in names for hook in getattr(holder, f"_global{name}", {}).values()]
    if any(getattr(module, name, None) for name in names) or any(hook not in ours for hook in everywhere):
        return
    call = next((one for one in dis.get_instructions(_CALL) if one.opname == "CALL_FUNCTION_EX"), None)
    if call is not None and call.positions is not None and call.positions.lineno is not None:
        error.__traceback__ = TracebackType(
            entry.tb_next.tb_next, entry.tb_frame, call.offset, call.positions.lineno
        )


_takes_functions: Any = getattr(torch._ops, "HigherOrderOperator", None)


def takes_functions(operator: Any) -> bool:
    """Whether it is an operator like `torch.cond`, which runs functions that it is given."""
    return _takes_functions is not None and isinstance(operator, _takes_functions)


def let_operators_compile(
    around: Callable[[], contextlib.AbstractContextManager[None]],
) -> Callable[[], None]:
    """Let operators that take functions (`torch.cond`) compile those inside of `around()`.

    They compile them whenever they are called, and cannot be differentiated otherwise. Gives what undoes it.
    """
    utils: Any = sys.modules.get("torch._higher_order_ops.utils")
    original: Any = getattr(utils, "_set_compilation_env", None)
    if original is None:
        LACKS.append("operators that take functions")
        return lambda: None

    @contextlib.contextmanager
    def set_compilation_env() -> Iterator[None]:
        with original(), around():
            yield

    utils._set_compilation_env = set_compilation_env
    return lambda: setattr(utils, "_set_compilation_env", original)


def leave_uncompiled(function: Any, callees: bool) -> None:
    """Let TorchDynamo pass by this function of ours, where what it could not compile runs as written.

    Args:
        callees: Pass by all that it calls, too: nothing in it is the script's.
    """
    frames = getattr(getattr(torch._C, "_dynamo", None), "eval_frame", None)
    strategy, action = getattr(frames, "_FrameExecStrategy", None), getattr(frames, "_FrameAction", None)
    if strategy is not None and action is not None:
        then = action.SKIP if callees else action.DEFAULT
        frames.set_code_exec_strategy(function.__code__, strategy(action.SKIP, then))  # type: ignore[union-attr]  # is there


_is_wrapped: Callable[[Any], bool] | None = getattr(
    getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", None
)


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Whether a tensor stands for another one, inside of `vmap` or `grad`."""
    return _is_wrapped is not None and _is_wrapped(tensor)


def has_accelerator() -> bool:
    """Whether a backward may run on threads of PyTorch's own, beside the one that called it.

    By what this torch was built for: to ask for a device would start its driver.
    """
    name = getattr(torch._C, "_get_privateuse1_backend_name", None)
    return (
        any(getattr(torch.version, kind, None) is not None for kind in ("cuda", "hip", "xpu"))
        or torch.backends.mps.is_built()
        or (name is not None and name() != "privateuseone")
    )


_AS_IMPORTLIB = "<frozen importlib._bootstrap_external>"


def unseen_by_warnings(*around: Any) -> None:
    """Functions of ours that the script's code runs inside of: `warnings` counts past their frames.

    So a warning with a `stacklevel` names the line that it names without us.
    """
    for function in around:
        function.__code__ = function.__code__.replace(co_filename=_AS_IMPORTLIB)
