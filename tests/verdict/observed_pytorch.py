"""Where non-finite numbers are born in a PyTorch script, seen under a bare dispatch mode.

`python observed_pytorch.py CASE.py…` prints, for each case, what was born and what harm followed.
Backward operations are placed by the tracebacks that torch's anomaly mode keeps of the forward.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import runpy
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LOOPS = ("step", "iteration", "update", "epoch")  # what the cases call their training step
UNWRITTEN = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize_"}
# They hand a number on, or only ask what it is like.
LOOKS = {"lift_fresh", "set_", "detach", "alias", "_local_scalar_dense", "is_nonzero", "isnan", "isinf"}
LOOKS |= {"eq", "ne", "lt", "le", "gt", "ge"}


@dataclass(frozen=True)
class Event:
    """A number that was finite, or not there, before.

    Attributes:
        how: born (of finite numbers), indeterminate (NaN of infinities), constant, outside or unwritten.
        node: Name of the autograd node in whose backward it is.
    """

    op: str
    kind: str
    how: str
    line: int
    step: int
    phase: str
    module: str = ""
    node: str = ""
    inputs: str = ""


@dataclass
class Seen:
    """Everything that one run showed."""

    events: list[Event] = field(default_factory=list)
    unread: list[Event] = field(default_factory=list)  # memory that was given out unwritten
    harms: list[tuple[int, str, int]] = field(default_factory=list)  # after so many events, what, step
    ran: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    printed: str = ""
    error: str = ""
    unhealthy: list[str] = field(default_factory=list)


def kind_of(value: torch.Tensor) -> str:
    """nan, inf or ""."""
    if not (value.is_floating_point() or value.is_complex()) or value.is_meta or not value.numel():
        return ""
    value = value.detach()
    if value.is_sparse:
        value = value._values()
    if torch.isnan(value).any():
        return "nan"
    return "inf" if torch.isinf(value).any() else ""


def tensors(tree: Any) -> list[torch.Tensor]:
    """The tensors of nested arguments."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def storage(value: torch.Tensor) -> Any:
    """What the tensor shares with its views."""
    return value._values().untyped_storage() if value.is_sparse else value.untyped_storage()


class Observer(TorchDispatchMode):
    """Checks what goes into and comes out of every operation."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)
        self.seen = Seen()
        self.modules: list[tuple[nn.Module, dict[int, str]]] = []
        self.known: dict[int, Any] = {}  # storages that are known not to be finite; kept alive
        self.unwritten: dict[int, tuple[Any, Event]] = {}
        self.optimizers: dict[int, torch.optim.Optimizer] = {}
        self.roots: dict[int, nn.Module] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op, name = str(func), func.__name__.split(".")[0]
        view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        inputs = tensors((args, kwargs))
        written = self._written(func, args, kwargs)
        read = [t for t in inputs if not any(t is w for w in written) or not name.startswith(("copy_", "fill_", "zero_"))]
        before = [] if view or name in UNWRITTEN else [kind_of(t) for t in read]
        where = self._where(func)
        if where is not None and not where.node:
            self.seen.ran[where.line].add((op, where.module))
        if not view and name not in LOOKS and not self._only_writes(name):
            for value, kind in zip(read, before, strict=False):
                if kind and where is not None:
                    self._meet(value, kind, op, where)
        result = func(*args, **kwargs)
        if view or name in LOOKS:
            if name == "_local_scalar_dense" and any(before) and where is not None:
                self.harm("output", where.step)
            return result
        made = [*tensors(result), *written]
        kinds = [kind_of(t) for t in made]
        if where is None:
            return result
        for value, kind in zip(made, kinds, strict=True):
            key = storage(value)._cdata
            if name in UNWRITTEN:
                if kind:
                    event = self._event(where, op, kind, "unwritten", inputs)
                    self.unwritten[key] = (storage(value), event)
                    self.seen.unread.append(event)
            elif kind:
                self.known[key] = storage(value)
        if name in UNWRITTEN or not any(kinds):
            return result
        kind = "nan" if "nan" in kinds else "inf"
        constant = any(isinstance(a, float) and (a != a or a in (float("inf"), float("-inf"))) for a in tree_leaves((args, kwargs)))
        if not any(before):
            how = "constant" if constant else "born"
            self.seen.events.append(self._event(where, op, kind, how, inputs))
        elif kind == "nan" and "nan" not in before:
            self.seen.events.append(self._event(where, op, kind, "indeterminate", inputs))
        for value in filter(kind_of, written):
            self._spoiled(value, where.step)
        return result

    @staticmethod
    def _only_writes(name: str) -> bool:
        return name in {"normal_", "uniform_", "fill_", "zero_", "random_", "bernoulli_", "exponential_"}

    @staticmethod
    def _written(func: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
        """What the operation writes into."""
        found: list[torch.Tensor] = []
        for index, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[index] if index < len(args) else kwargs.get(argument.name)
            found += tensors(value)
        if func is torch.ops.aten.native_batch_norm.default and args[5]:
            found += tensors(args[3:5])  # its schema does not say so
        return found

    def _meet(self, value: torch.Tensor, kind: str, op: str, where: Event) -> None:
        """A number that is not finite is read: it may never have been written, or not by an operation."""
        key = storage(value)._cdata
        if key in self.known:
            return
        self.known[key] = storage(value)
        if key in self.unwritten:
            self.seen.events.append(self.unwritten[key][1])
        else:
            self.seen.events.append(self._event(where, op, kind, "outside", [value]))

    def _spoiled(self, value: torch.Tensor, step: int) -> None:
        """Something that was written into is not finite."""
        if value.is_leaf and value.requires_grad:
            self.harm("parameter", step)
        elif any(value is buffer for module in self.roots.values() for buffer in module.buffers()):
            self.harm("state", step)

    def _event(self, where: Event, op: str, kind: str, how: str, inputs: list[torch.Tensor]) -> Event:
        shown = ", ".join(
            f"[{t.detach().double().min():.3g}, {t.detach().double().max():.3g}]"
            for t in inputs
            if t.is_floating_point() and t.numel() and not t.is_sparse
        )
        return Event(op, kind, how, where.line, where.step, where.phase, where.module, where.node, shown)

    def _where(self, func: Any) -> Event | None:
        """The place of the operation that is about to run, as an event without numbers."""
        frame: FrameType | None = sys._getframe(2)
        line, step, phase, engine = 0, None, "forward", False
        outer = None
        while frame is not None:
            code = frame.f_code
            if code.co_filename == self.path:
                line, step = line or frame.f_lineno, self._step(frame, step)
                outer = frame
            elif not line:
                tail = code.co_filename.replace("\\", "/")
                if code.co_name == "_engine_run_backward":
                    engine = True
                elif "/torch/optim/" in tail or "/torch/nn/utils/clip_grad" in tail or "/torch/amp/" in tail:
                    phase = "optimizer" if "autocast" not in tail else phase
            if code.co_name == "_engine_run_backward":
                phase = "backward"
            frame = frame.f_back
        if outer is None:
            return None
        node: Any = torch._C._current_autograd_node() if phase == "backward" else None
        module = self.modules[-1][1].get(id(self.modules[-1][0]), "") if self.modules else ""
        if engine:
            if node is not None and "traceback_" in node.metadata:
                line = self._made_at(node) or line
            module = ""
        return Event(str(func), "", "", line, step or 0, phase, module, node.name() if node is not None else "")

    @staticmethod
    def _step(frame: FrameType, step: int | None) -> int | None:
        found = [frame.f_locals[n] for n in LOOPS if isinstance(frame.f_locals.get(n), int)]
        return found[0] if found else step

    def _made_at(self, node: Any) -> int:
        """The innermost line of the case in the traceback of the forward."""
        text = "".join(node.metadata["traceback_"])
        lines = re.findall(rf'File "{re.escape(self.path)}", line (\d+)', text)
        return int(lines[-1]) if lines else 0

    def harm(self, what: str, step: int) -> None:
        self.seen.harms.append((len(self.seen.events), what, step))

    def now(self) -> int:
        """The training step, for hooks."""
        frame: FrameType | None = sys._getframe(1)
        step = None
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                step = self._step(frame, step)
            frame = frame.f_back
        return step or 0

    def enter(self, module: nn.Module, *_: Any) -> None:
        names = self.modules[-1][1] if self.modules else {}
        if id(module) not in names:
            names = {id(part): name for name, part in module.named_modules()}
            self.roots[id(module)] = module
        self.modules.append((module, names))

    def leave(self, *_: Any) -> None:
        self.modules.pop()

    def before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self.optimizers[id(optimizer)] = optimizer
        with torch._C._DisableTorchDispatch():
            grads = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
            if any(map(kind_of, grads)):
                self.harm("gradient", self.now())

    def after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        with torch._C._DisableTorchDispatch():
            if any(kind_of(p) for g in optimizer.param_groups for p in g["params"]):
                self.harm("parameter", self.now())
            if any(map(kind_of, tensors([*optimizer.state.values()]))):
                self.harm("state", self.now())

    def finish(self, names: dict[str, Any]) -> None:
        """Look at what is left."""
        say = self.seen.unhealthy
        for module in [*self.roots.values(), *(v for v in names.values() if isinstance(v, nn.Module))]:
            say += [f"parameter {n}" for n, p in module.named_parameters() if kind_of(p)]
            say += [f"buffer {n}" for n, b in module.named_buffers() if "running" in n and kind_of(b)]
        for optimizer in self.optimizers.values():
            say += ["optimizer" for t in tensors([optimizer.param_groups, *optimizer.state.values()]) if kind_of(t)]
        loss = names.get("loss", 0.0)
        if not np.isfinite(float(torch.as_tensor(loss).detach())):
            say.append("loss")


@contextlib.contextmanager
def _hooked(observer: Observer) -> Iterator[None]:
    engine = torch.autograd.graph._engine_run_backward

    def backward(roots: Any, *args: Any, **kwargs: Any) -> Any:
        with torch._C._DisableTorchDispatch():
            bad = any(map(kind_of, tensors(roots)))
        if bad:
            observer.harm("loss", observer.now())
        return engine(roots, *args, **kwargs)

    handles = [
        nn.modules.module.register_module_forward_pre_hook(observer.enter),
        nn.modules.module.register_module_forward_hook(observer.leave, always_call=True),
        register_optimizer_step_pre_hook(observer.before_step),
        register_optimizer_step_post_hook(observer.after_step),
    ]
    torch.autograd._engine_run_backward = torch.autograd.graph._engine_run_backward = backward  # type: ignore[attr-defined]
    try:
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            yield
    finally:
        torch.autograd._engine_run_backward = torch.autograd.graph._engine_run_backward = engine  # type: ignore[attr-defined]
        for handle in handles:
            handle.remove()


def observed(path: Path) -> Seen:
    """Run a case and tell what was seen."""
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    observer, printed = Observer(path), io.StringIO()
    names: dict[str, Any] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed), _hooked(observer):
        warnings.simplefilter("ignore")
        try:
            with observer:
                names = runpy.run_path(str(path), run_name="__main__")
        except Exception as error:
            observer.seen.error = f"{type(error).__name__}: {error}"
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(False)
    torch.set_grad_enabled(True)
    observer.finish(names)
    observer.seen.printed = printed.getvalue()
    return observer.seen


def main() -> None:
    for name in sys.argv[1:]:
        seen = observed(Path(name).resolve())
        print(f"== {name} {seen.error}")
        told = set()
        for index, event in enumerate(seen.events):
            if (event.op, event.line, event.how) not in told:
                told.add((event.op, event.line, event.how))
                print("  ", index, event)
        print("   harms", seen.harms[:3], "left", sorted(set(seen.unhealthy))[:6])
        print("   printed", seen.printed[-300:].replace("\n", " | "))


if __name__ == "__main__":
    main()
