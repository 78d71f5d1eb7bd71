"""How often each operation runs in each phase, counted without a line of the tracer's.

The phase comes from the frames: whose method runs, not in which file. As a program:
`python histogram.py OUT.json SCRIPT [ARG…]` runs a script and leaves its counts, `[phase, operation,
count]` for each.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from collections import Counter
from types import CodeType, FrameType, ModuleType
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grad
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._python_dispatch import TorchDispatchMode

Counts = Counter[tuple[str, str]]


def codes(*functions: Any) -> set[CodeType]:
    return {inspect.unwrap(function).__code__ for function in functions}


_ENGINE = codes(torch.autograd.backward, torch.autograd.grad)
_CLIPPING = codes(*(function for _, function in inspect.getmembers(clip_grad, inspect.isfunction)))
_SCALE = codes(GradScaler.scale)


def _is_made(frame: FrameType | None) -> bool:
    """Whether an optimizer or a scheduler is being constructed around `frame`."""
    while frame is not None:
        own = frame.f_locals.get("self")
        if frame.f_code.co_name == "__init__" and isinstance(own, (torch.optim.Optimizer, LRScheduler)):
            return True
        frame = frame.f_back
    return False


def phase(frame: FrameType | None) -> str:
    """The phase of an operation that is called from `frame`: "backward", "optimizer" or "rest"."""
    if torch._C._current_autograd_node() is not None:
        return "backward"
    passed: list[CodeType] = []
    while frame is not None:
        code = frame.f_code
        if code in _ENGINE:
            return "backward"
        if code in _CLIPPING:
            return "optimizer"
        own = frame.f_locals.get("self")
        if isinstance(own, GradScaler):
            return "rest" if code in _SCALE else "optimizer"
        if isinstance(own, (torch.optim.Optimizer, LRScheduler)):
            if _is_made(frame):
                return "rest"
            closure = frame.f_locals.get("closure")
            if callable(closure) and getattr(inspect.unwrap(closure), "__code__", None) in passed:
                return "rest"
            return "optimizer"
        passed.append(code)
        frame = frame.f_back
    return "rest"


class Histogram(TorchDispatchMode):
    """Counts what passes."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.counts: Counts = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[phase(sys._getframe(1)), str(func)] += 1
        return func(*args, **(kwargs or {}))


class Threads:
    """Gives every thread that begins inside of the block a mode of its own that counts into one place."""

    def __init__(self, modes: list[Histogram]) -> None:
        self.modes = modes

    def __enter__(self) -> None:
        self.original = original = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]  # all pass it
        modes = self.modes

        def bootstrap(thread: threading.Thread) -> None:
            mode = Histogram()
            modes.append(mode)
            with mode:
                original(thread)

        threading.Thread._bootstrap_inner = bootstrap  # type: ignore[attr-defined]  # as above

    def __exit__(self, *_: object) -> None:
        threading.Thread._bootstrap_inner = self.original  # type: ignore[attr-defined]  # as above


def total(modes: list[Histogram]) -> list[tuple[str, str, int]]:
    """All counts together, in order of the phase and the operation."""
    counts: Counts = Counter()
    for mode in modes:
        counts.update(mode.counts)
    return [(where, op, count) for (where, op), count in sorted(counts.items())]


def main() -> None:
    out, script = sys.argv[1], sys.argv[2]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    here = os.getpid()
    module = ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    modes = [Histogram()]
    try:
        with Threads(modes), modes[0], open(script) as file:
            exec(compile(file.read(), script, "exec"), module.__dict__)
    finally:
        if os.getpid() == here:
            with open(out, "w") as file:
                json.dump(total(modes), file)


if __name__ == "__main__":
    main()
