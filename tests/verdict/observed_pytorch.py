"""Where non-finite numbers are born in a PyTorch script, seen under a bare dispatch mode.

`python observed_pytorch.py CASE.py…` prints, for each case, what was born and what harm followed.
Backward operations are placed by the tracebacks that torch's anomaly mode keeps of the forward.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import random
import re
import runpy
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

STEPS = ("step", "iteration", "update", "epoch", "episode")  # what the cases call their training step
UNWRITTEN = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize_"}
# They hand a number on, or only ask what it is like.
LOOKS = {"lift_fresh", "set_", "detach", "alias", "_local_scalar_dense", "is_nonzero", "isnan", "isinf"}
LOOKS |= {"eq", "ne", "lt", "le", "gt", "ge"}
# Their last output is memory of which they write a part: anything may be in the rest.
SCRATCH = {"aten._ctc_loss.default", "aten._ctc_loss.Tensor"}
FILLS = {"copy_", "fill_", "zero_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_"}
OPTIMIZERS = ("/torch/optim/", "/torch/nn/utils/clip_grad", "/torch/amp/grad_scaler")


@dataclass(frozen=True)
class Event:
    """A number that was finite, or not there, before.

    Attributes:
        how: born (of finite numbers), indeterminate (NaN of infinities), constant (the script says it),
            outside (no operation made it) or unwritten (memory that is read before it is written).
        node: Name of the autograd node in whose backward it is.
        inputs: The ranges of what went in.
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
    """Everything that one run showed.

    Attributes:
        unread: Memory that was given out unwritten.
        harms: After how many events, what, in which step.
        ran: On which line, which operations in which modules.
        left: What is not finite in the end.
    """

    events: list[Event] = field(default_factory=list)
    unread: list[Event] = field(default_factory=list)
    harms: list[tuple[int, str, int]] = field(default_factory=list)
    ran: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    left: set[str] = field(default_factory=set)
    printed: str = ""
    error: str = ""


def kind_of(value: torch.Tensor) -> str:
    """nan, inf or ""."""
    if not (value.is_floating_point() or value.is_complex()):
        return ""
    if value.is_meta or value._is_zerotensor():  # of forward-mode differentiation; they have no memory
        return ""
    with torch._C._DisableFuncTorch():  # of vmap we see what it maps over
        value = value.detach()
        if value.is_sparse:
            value = value._values()
        if bool(torch.isfinite(value).all()):
            return ""
        return "nan" if bool(torch.isnan(value).any()) else "inf"


def leaves(tree: Any) -> Iterator[Any]:
    """What nested arguments hold."""
    if isinstance(tree, (list, tuple)):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    else:
        yield tree


def tensors(tree: Any) -> list[torch.Tensor]:
    """The tensors of nested arguments."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, torch.Tensor)]


def storage(value: torch.Tensor) -> Any:
    """What the tensor shares with its views."""
    return value._values().untyped_storage() if value.is_sparse else value.untyped_storage()


def ranges(values: list[torch.Tensor]) -> str:
    """For a reader."""
    shown = [t.detach().double() for t in values if t.is_floating_point() and t.numel() and not t.is_sparse]
    return ", ".join(f"[{t.min():.3g}, {t.max():.3g}]" for t in shown)


@functools.cache
def signature(func: Any) -> tuple[str, str, bool, list[tuple[int, str]]]:
    """The operation's name, its short name, whether it only makes a view, and what it writes into."""
    schema = func._schema
    view = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    writes = [
        (index, argument.name)
        for index, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return str(func), func.__name__.split(".")[0], view, writes


class Observer(TorchDispatchMode):
    """Checks what goes into and comes out of every operation."""

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = str(path)
        self.seen = Seen()
        self.modules: list[tuple[nn.Module, dict[int, str]]] = []
        self.roots: dict[int, nn.Module] = {}
        self.optimizers: dict[int, torch.optim.Optimizer] = {}
        self.known: dict[int, Any] = {}  # storages that are known not to be finite; kept alive
        self.unwritten: dict[int, tuple[Any, Event]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op, name, view, writes = signature(func)
        where = self._where(op)
        if where is None:  # not of the script
            return func(*args, **kwargs)
        if not where.node:
            self.seen.ran[where.line].add((op, where.module))
        if view or name in LOOKS:
            if name == "_local_scalar_dense" and kind_of(args[0]):
                self.harm("output", where.step)
            return func(*args, **kwargs)
        written = tensors([args[i] if i < len(args) else kwargs.get(key) for i, key in writes])
        if func is torch.ops.aten.native_batch_norm.default and args[5]:
            written += tensors(args[3:5])  # its schema does not say so
        inputs = tensors((args, kwargs))
        if name in FILLS:
            inputs = [t for t in inputs if not any(t is w for w in written)]
        before = [kind_of(t) for t in inputs] if name not in UNWRITTEN else []
        for value, kind in zip(inputs, before, strict=False):
            if kind:
                self._meet(value, replace(where, kind=kind))
        result = func(*args, **kwargs)
        results = tensors(result)
        if op in SCRATCH:  # nor is it met as a number when the gradient reads it
            scratch = storage(results.pop())
            self.known[scratch._cdata] = scratch
        made = [t for t in [*results, *written] if kind_of(t)]
        if not made:
            return result
        kind = "nan" if any(kind_of(t) == "nan" for t in made) else "inf"
        event = replace(where, kind=kind, how="born")
        if name in UNWRITTEN:
            event = replace(event, how="unwritten")
            self.seen.unread.append(event)
            self.unwritten |= {storage(t)._cdata: (storage(t), event) for t in made}
            return result
        self.known |= {storage(t)._cdata: storage(t) for t in made}
        if not any(before):
            said = any(isinstance(a, float) and not math.isfinite(a) for a in leaves((args, kwargs)))
            self._note(event, "constant" if said else "born", inputs)
        elif kind == "nan" and "nan" not in before:
            self._note(event, "indeterminate", inputs)
        for value in filter(kind_of, written):
            self._spoiled(value, where.step)
        return result

    def _meet(self, value: torch.Tensor, where: Event) -> None:
        """A number that is not finite is read: it may never have been written, or not by an operation."""
        key = storage(value)._cdata
        if key not in self.known:
            self.known[key] = storage(value)
            if key in self.unwritten:
                self.seen.events.append(self.unwritten[key][1])
            else:
                self._note(where, "outside", [value])

    def _note(self, event: Event, how: str, inputs: list[torch.Tensor]) -> None:
        self.seen.events.append(replace(event, how=how, inputs=ranges(inputs)))

    def _spoiled(self, value: torch.Tensor, step: int) -> None:
        """Something that was written into is not finite."""
        modules, key = self.roots.values(), storage(value)._cdata
        parameters = [p for module in modules for p in module.parameters()]
        if (value.is_leaf and value.requires_grad) or any(storage(p)._cdata == key for p in parameters):
            self.harm("parameter", step)
        elif any(value is buffer for module in modules for buffer in module.buffers()):
            self.harm("state", step)

    def _where(self, op: str) -> Event | None:
        """The place of the operation that is about to run, as an event without numbers."""
        frame: FrameType | None = sys._getframe(2)
        line, step, phase, engine = 0, None, "forward", False
        while frame is not None:
            code = frame.f_code
            if code.co_filename == self.path:
                line, step = line or frame.f_lineno, self._step(frame, step)
            elif code.co_name == "_engine_run_backward":
                phase, engine = "backward", engine or not line
            elif not line and any(part in code.co_filename for part in OPTIMIZERS):
                phase = "optimizer"
            frame = frame.f_back
        if not line:
            return None
        node: Any = torch._C._current_autograd_node() if phase == "backward" else None
        module = self.modules[-1][1][id(self.modules[-1][0])] if self.modules else ""
        if engine and node is not None:
            line = self._made_at(node) or line
        return Event(op, "", "", line, step or 0, phase, module, node.name() if node is not None else "")

    @staticmethod
    def _step(frame: FrameType, step: int | None) -> int | None:
        found = [frame.f_locals[n] for n in STEPS if isinstance(frame.f_locals.get(n), int)]
        return found[0] if found else step

    def _made_at(self, node: Any) -> int:
        """The innermost line of the case in the traceback of the forward."""
        text = "".join(node.metadata.get("traceback_", []))
        lines = re.findall(rf'File "{re.escape(self.path)}", line (\d+)', text)
        return int(lines[-1]) if lines else 0

    def harm(self, what: str, step: int | None = None) -> None:
        """Note it, after the events so far."""
        if step is None:
            where = self._where("")
            step = where.step if where else 0
        self.seen.harms.append((len(self.seen.events), what, step))

    def enter(self, module: nn.Module, *_: Any) -> None:
        """A module is called."""
        names = self.modules[-1][1] if self.modules else {}
        if id(module) not in names:
            names = {id(part): name for name, part in module.named_modules()}
            self.roots[id(module)] = module
        self.modules.append((module, names))

    def leave(self, *_: Any) -> None:
        """It is done, or failed."""
        self.modules.pop()

    def before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """The gradients are about to be used."""
        self.optimizers[id(optimizer)] = optimizer
        with torch._C._DisableTorchDispatch():
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            if any(kind_of(p.grad) for p in parameters if p.grad is not None):
                self.harm("gradient")

    def after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """The state may have been spoiled without a parameter that is."""
        with torch._C._DisableTorchDispatch():
            if any(map(kind_of, tensors(list(optimizer.state.values())))):
                self.harm("state")

    def finish(self, names: dict[str, Any]) -> None:
        """Look at what is left."""
        for module in [*self.roots.values(), *(v for v in names.values() if isinstance(v, nn.Module))]:
            self.seen.left |= {name for name, p in module.named_parameters() if kind_of(p)}
            self.seen.left |= {name for name, b in module.named_buffers() if "running" in name and kind_of(b)}
        for optimizer in self.optimizers.values():
            if any(map(kind_of, tensors([optimizer.param_groups, list(optimizer.state.values())]))):
                self.seen.left.add("optimizer")
        if not torch.isfinite(torch.as_tensor(names.get("loss", 0.0))):
            self.seen.left.add("loss")


@contextlib.contextmanager
def _hooked(observer: Observer) -> Iterator[None]:
    engine = torch.autograd.graph._engine_run_backward

    def backward(roots: Any, *args: Any, **kwargs: Any) -> Any:
        with torch._C._DisableTorchDispatch():
            # What vmap wraps shows no values.
            bad = any(kind_of(root) for root in tensors(roots) if not is_functorch_wrapped_tensor(root))
        if bad:
            observer.harm("loss")
        return engine(roots, *args, **kwargs)

    handles = [
        nn.modules.module.register_module_forward_pre_hook(observer.enter),
        nn.modules.module.register_module_forward_hook(observer.leave, always_call=True),
        register_optimizer_step_pre_hook(observer.before_step),
        register_optimizer_step_post_hook(observer.after_step),
    ]
    anomaly = torch.autograd.set_detect_anomaly(True, check_nan=False)
    try:
        with patch.object(torch.autograd, "_engine_run_backward", backward), anomaly:
            yield
    finally:
        for handle in handles:
            handle.remove()


def _run(observer: Observer) -> None:
    printed = io.StringIO()
    names: dict[str, Any] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed), _hooked(observer):
        warnings.simplefilter("ignore")
        try:
            with observer:
                names = runpy.run_path(observer.path, run_name="__main__")
        except (Exception, SystemExit) as error:
            observer.seen.error = f"{type(error).__name__}: {error}"
    observer.seen.printed = printed.getvalue()
    observer.finish(names)


def observed(path: Path) -> Seen:
    """Run a case and tell what was seen."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums come out the same to the last bit
    observer = Observer(path)
    # In a thread its stack is short: anomaly mode writes all of it down for every autograd node.
    thread = threading.Thread(target=_run, args=(observer,))
    thread.start()
    thread.join()
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    return observer.seen


def main() -> None:
    """Print what is seen of the cases on the command line."""
    for name in sys.argv[1:]:
        seen = observed(Path(name).resolve())
        print(f"== {name} {seen.error[:200]}")
        for event in dict.fromkeys(replace(event, step=0, inputs="") for event in seen.events):
            first = next(e for e in seen.events if replace(e, step=0, inputs="") == event)
            print("  ", seen.events.index(first), first)
        print("   harms", seen.harms[:4], "left", sorted(seen.left)[:6])
        print("   printed", seen.printed[-300:].replace("\n", " | "))


if __name__ == "__main__":
    main()
