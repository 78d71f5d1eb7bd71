"""Run a script under a dispatch mode and hooks of its own, and note what passes.

`python beside.py OUT.json SCRIPT [ARG…]`. It shares no line with the tracer. The note: every operation
with the module it ran in, in order, and how often an optimizer stepped.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import weakref
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode


class Beside(TorchDispatchMode):
    """Writes down the name of everything that is dispatched, and the module around it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.seen: list[tuple[str, str | None]] = []
        self.steps = 0
        self._stack: list[tuple[nn.Module, str]] = []
        self._roots: dict[str, list[weakref.ref[nn.Module]]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # In a backward it is the forward operation's module, which a dispatch mode does not know.
        forward = torch._C._current_autograd_node() is None
        self.seen.append((str(func), (self._stack[-1][1] if self._stack else "") if forward else None))
        return func(*args, **(kwargs or {}))

    def enter(self, module: nn.Module) -> None:
        self._stack.append((module, self._path(module)))

    def _path(self, module: nn.Module) -> str:
        """By the name that the innermost module around it has for it, else by its class."""
        for outer, path in reversed(self._stack):
            for name, part in outer.named_modules():
                if part is module:
                    return f"{path}.{name}" if name else path
        title = type(module).__name__
        if self._stack:
            return f"{self._stack[-1][1]}.{title}"
        roots = self._roots.setdefault(title, [])
        for k, root in enumerate(roots, 1):
            if root() is module:
                return title if k == 1 else f"{title}#{k}"
        free = next((k for k, root in enumerate(roots) if root() is None), len(roots))
        roots[free : free + 1] = [weakref.ref(module)]
        return f"{title}#{free + 1}" if free else title

    def leave(self) -> None:
        self._stack.pop()

    def stepped(self) -> None:
        self.steps += 1


def main() -> None:
    out, script = sys.argv[1], sys.argv[2]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    mode = Beside()
    register_module_forward_pre_hook(lambda module, args: mode.enter(module))
    register_module_forward_hook(lambda module, args, result: mode.leave(), always_call=True)
    register_optimizer_step_post_hook(lambda optimizer, args, kwargs: mode.stepped())
    try:
        with mode:
            runpy.run_path(script, run_name="__main__")
    finally:
        with open(out, "w") as file:
            json.dump({"ops": mode.seen, "steps": mode.steps}, file)


if __name__ == "__main__":
    main()
