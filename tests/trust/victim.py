"""Runs a small training in forked children that are recorded, and lets one call of ours in each of them fail.

`python victim.py` reads a line of JSON a child (see `Fault`) and answers each with one: how the child
ended, and how often which call of ours was made. It has imported torch before, so a child takes no second.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
import torch._dynamo  # every optimizer imports it: once for all children
from torch import nn

import graphlens_tracers.arrival
from graphlens_tracers.pytorch import tracer as _tracer  # loaded once for all children

OURS = str(Path(graphlens_tracers.__file__).parent)
BOOTSTRAP = Path(OURS, "bootstrap", "sitecustomize.py")
assert _tracer
SYSTEM = "open close pwrite write ftruncate unlink posix_fallocate makedirs urandom".split()
"""Calls of the system that our code makes in the script's process."""

AROUND = ("_else", "_other", "_shared", "quick", "run")
"""Inside of these an operation of the script runs: what they do for themselves is guarded in them."""


class Fault(NamedTuple):
    """What fails in a child.

    Attributes:
        kind: "system": the n-th call of the system that our code makes; "call": the n-th function of
            ours that is called by another of ours.
        n: 0: none fails.
        error: Name of an errno, of an exception, or "short" for a write of half of the bytes.
        sticky: All later ones fail, too.
    """

    kind: str
    n: int
    error: str
    sticky: bool
    run: str
    pages: str
    out: str


class Squares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = ctx.saved_tensors[0]
        return grads[0] * 2 * x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(6, 8), nn.Linear(8, 3), nn.BatchNorm1d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.norm(self.first(x)).relu()
        squares: torch.Tensor = Squares.apply(self.second(torch.dropout(hidden, 0.2, self.training)))  # type: ignore[no-untyped-call]  # torch's
        return squares


def program() -> None:
    """What the script does: it prints all that it has computed, and the random state."""
    torch.manual_seed(3)
    random.seed(3)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    seen: list[str] = []
    model.second.register_forward_hook(lambda _m, _a, y: seen.append(f"{float(y.detach().sum()):.9g}"))
    for step in range(4):
        x, y = torch.randn(5, 6), torch.randint(0, 3, (5,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(step, repr(loss.item()))
    with torch.no_grad():
        model.eval()
        bad = torch.tensor([0.0, 1.0]).log()
        print(bad.tolist(), (bad - bad).isnan().tolist(), float(model(torch.ones(2, 6)).sum()))
    try:
        torch.ones(2, 3) @ torch.ones(2, 3)
    except RuntimeError as error:
        print(type(error).__name__, str(error), len(traceback.extract_tb(error.__traceback__)))
    others: list[float] = []
    thread = threading.Thread(target=lambda: others.append(float(torch.arange(6.0).view(2, 3).mul_(2).sum())))
    thread.start()
    thread.join()
    digest = hashlib.sha256()
    for tensor in (*model.state_dict().values(), torch.get_rng_state()):
        digest.update(tensor.numpy().tobytes())
    print(others, seen, random.random(), digest.hexdigest())


class Injector:
    """Counts calls of ours, and lets the n-th fail.

    Attributes:
        counts: How many there were, a kind of call.
        hits: How many failed, and where.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.count = 0
        self.hits = 0
        self.where = ""

    def error(self) -> BaseException:
        name = self.fault.error
        code = getattr(errno, name, None)
        if code is not None:
            return OSError(code, os.strerror(code))
        made: BaseException = {
            "MemoryError": MemoryError, "KeyError": KeyError, "RuntimeError": RuntimeError,
        }[name](*(["injected"] if name != "MemoryError" else []))  # fmt: skip
        return made

    def due(self) -> bool:
        """Whether the call that is being made has to fail."""
        self.count += 1
        fails = self.fault.n == self.count or (self.fault.sticky and 0 < self.fault.n < self.count)
        self.hits += fails
        return fails

    def system(self) -> None:
        """Let calls of the system fail that our code makes, and no others."""
        for name in SYSTEM:
            setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1)
            if not caller.f_code.co_filename.startswith(OURS) or not self.due():
                return real(*args, **kwargs)
            if name == "write" and self.count != self.fault.n:
                return real(*args, **kwargs)  # of what fails for good, standard error can still tell
            self.where = self.where or f"{name} in {caller.f_code.co_name}"
            if self.fault.error == "short" and name != "pwrite":
                return real(*args, **kwargs)
            if name == "close":
                real(*args)  # the descriptor is gone even when close() fails
            if self.fault.error == "short":
                if self.hits > 1:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(args[0], args[1][: len(args[1]) // 2], *args[2:])
            raise self.error()

        return call

    def calls(self) -> None:
        """Let functions of ours fail that ours call: what the script or torch calls is guarded inside."""

        def profile(frame: FrameType, event: str, _argument: object) -> None:
            if event != "call" or not frame.f_code.co_filename.startswith(OURS):
                return
            caller = frame.f_back
            if caller is None or not caller.f_code.co_filename.startswith(OURS):
                return
            if frame.f_code.co_flags & 0x20 or frame.f_code.co_name in AROUND:
                return  # a generator that is resumed, or what the script's operation runs inside of
            if self.due():
                self.where = (
                    f"{frame.f_code.co_qualname} called by {caller.f_code.co_qualname}:{caller.f_lineno}"
                )
                raise self.error()

        sys.setprofile(profile)
        threading.setprofile(profile)


def child(fault: Fault) -> None:
    """Be the script: never returns."""
    out = os.open(fault.out + ".out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    err = os.open(fault.out + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ["GRAPHLENS_RUN"], os.environ["GRAPHLENS_PAGES"] = fault.run, fault.pages
    bootstrap: dict[str, Any] = {"__file__": str(BOOTSTRAP), "__name__": "bootstrap", "_chain": None}
    # All of it but its last lines, which are for the start of an interpreter.
    text = BOOTSTRAP.read_text().partition("\n_leave_path()\n")[0]
    exec(compile(text, str(BOOTSTRAP), "exec"), bootstrap)
    injector = Injector(fault)
    code = 0
    if fault.kind == "system":
        injector.system()
    elif fault.kind == "call":
        injector.calls()
    bootstrap["_unseen"]("after", "torch")
    try:
        program()
    except BaseException:
        traceback.print_exc()
        code = 1
    bootstrap["_unseen"]("finish")
    sys.setprofile(None)
    sys.stdout.flush()
    sys.stderr.flush()
    Path(fault.out + ".json").write_text(json.dumps([injector.count, injector.hits, injector.where]))
    os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        fault = Fault(*json.loads(line))
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            child(fault)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
