"""Counts the operations of every process and thread of a script, without a line of the tracer's.

Put this directory in front of PYTHONPATH, and name a directory in TWIN_OUT: each thread that ran
something leaves a file PID-N.json there, a count by operation. A forked child counts from zero.
"""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import json
import os
import sys
import threading
from collections import Counter
from typing import Any

OUT = os.environ["TWIN_OUT"]
numbers = itertools.count()
modes: list[Any] = []


class Finder:
    """Sees torch being imported, once."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name != "torch":
            return None
        sys.meta_path.remove(Finder)
        spec = importlib.util.find_spec(name)
        loader: Any = spec and spec.loader
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            begin()

        loader.exec_module = exec_module
        return spec


def begin() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Bare(TorchDispatchMode):
        """Counts what passes."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
            self.seen: Counter[str] = Counter()
            modes.append(self)

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.seen[str(func)] += 1
            return func(*args, **(kwargs or {}))

    def run(thread: threading.Thread) -> None:
        with Bare():
            bootstrap(thread)

    bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
    threading.Thread._bootstrap_inner = run  # type: ignore[attr-defined]
    atexit.register(write)
    Bare().__enter__()  # type: ignore[no-untyped-call]  # torch's is not typed


def write() -> None:
    for mode in modes:
        if mode.seen:
            with open(os.path.join(OUT, f"{os.getpid()}-{next(numbers)}.json"), "w") as file:
                json.dump(mode.seen, file)
            mode.seen = Counter()


def forget() -> None:
    for mode in modes:
        mode.seen = Counter()


def leave(code: int) -> None:
    write()
    leave_now(code)


leave_now = os._exit
os._exit = leave  # type: ignore[assignment]
os.register_at_fork(after_in_child=forget)
sys.meta_path.insert(0, Finder)
