"""Run a script under a bare dispatch mode of our own test's making, and note what passes.

`python bare.py OUT.json SCRIPT [ARG…]`. Independent of the tracer: it shares no line with it. The
note is a list of [operation, module path or null], in the order in which they ran.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode


class Bare(TorchDispatchMode):
    """Writes down the name of everything that is dispatched."""

    def __init__(self, stack: list[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.seen: list[tuple[str, str | None]] = []
        self.stack = stack

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        path = None
        if self.stack and torch._C._current_autograd_node() is None:
            root = self.stack[0]
            names = {id(module): name for name, module in root.named_modules()}
            path = ".".join(filter(None, [type(root).__name__, names.get(id(self.stack[-1]), "?")]))
        self.seen.append((str(func), path))
        return func(*args, **(kwargs or {}))


def leave(stack: list[nn.Module]) -> None:
    stack.pop()


def main() -> None:
    out, script = sys.argv[1], sys.argv[2]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    stack: list[nn.Module] = []
    register_module_forward_pre_hook(lambda module, args: stack.append(module))
    register_module_forward_hook(lambda module, args, result: leave(stack), always_call=True)
    mode = Bare(stack)
    try:
        with mode:
            runpy.run_path(script, run_name="__main__")
    finally:
        with open(out, "w") as file:
            json.dump(mode.seen, file)


if __name__ == "__main__":
    main()
