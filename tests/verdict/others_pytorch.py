"""Other tools that look for NaN in scripts of PyTorch, as their documentation says to use them."""

from __future__ import annotations

import copy
import importlib
import re
import runpy
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from verdict.said import SILENT, Said


class Found(BaseException):
    """A tool has said something; the case must not catch it."""


def run(case: Path) -> str:
    """Run a case, on one thread; the error that ends it, if any."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        runpy.run_path(str(case), run_name="__main__")
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def detect_anomaly(case: Path) -> Said:
    """`torch.autograd.set_detect_anomaly(True)` before the first line: NaN of a backward is an error.

    The traceback of the forward operation comes as a warning.
    """
    with warnings.catch_warnings(record=True) as warned, torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        error = run(case)
    found = re.search(r"Function '(\w+)' returned nan values", error)
    if found is None:
        return SILENT
    told = [str(one.message) for one in warned if "Traceback of forward call" in str(one.message)]
    lines = re.findall(rf'File "{re.escape(str(case))}", line (\d+)', told[0]) if told else []
    op = re.sub(r"Backward\d*$", "", found[1])
    return Said(True, int(lines[-1]) if lines else 0, op)


class Watch(TorchDispatchMode):
    """Notes whether any operation gave out what is not finite."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.bad = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, torch.Tensor) and one.is_floating_point() and not self.bad:
                self.bad = not bool(torch.isfinite(one).all())
        return result


def torchlens(case: Path) -> Said:
    """`torchlens.debug.find_nan` on outermost calls of modules, with what the script calls them with.

    It runs the module once more, on a copy of what was there before the call, from the same random state. The
    first call in which it finds something is what it says. Where no operation of a call gave out what is not
    finite, and the module holds nothing of that kind, it has nothing to find, and is not asked: it takes half
    a second.
    """
    failures: list[str] = []
    call = nn.Module.__call__
    inside = False

    def outermost(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside:
            return call(module, *args, **kwargs)
        inside = True
        try:
            before = _before(module, args, kwargs)
            with Watch() as watch:
                result = call(module, *args, **kwargs)
            if watch.bad or _holds_bad(module):
                _ask(before, failures, _called_at(case))
        finally:
            inside = False
        return result

    with warnings.catch_warnings(), patch.object(nn.Module, "__call__", outermost):
        warnings.simplefilter("ignore")
        try:
            run(case)
        except Found as said:
            return _place(said.args[0], said.args[1], case)
    return Said(False, failed=failures[0] if failures else "")


def _before(module: nn.Module, args: Any, kwargs: Any) -> tuple[nn.Module, Any, Any, torch.Tensor]:
    """Module, arguments and random state, of their own."""
    try:
        model = copy.deepcopy(module)
    except (RuntimeError, TypeError):  # it holds what autograd has made
        model = module
    given = tree_map_only(torch.Tensor, _apart, (list(args), kwargs))
    return model, *given, torch.get_rng_state()


def _holds_bad(module: nn.Module) -> bool:
    held = [one for one in (*module.parameters(), *module.buffers()) if one.is_floating_point()]
    return not all(bool(torch.isfinite(one).all()) for one in held)


def _called_at(case: Path) -> int:
    """The line of the case that is running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename != str(case):
        frame = frame.f_back
    return 0 if frame is None else frame.f_lineno


def _ask(before: tuple[nn.Module, Any, Any, torch.Tensor], failures: list[str], line: int) -> None:
    """Raise what it finds, with the line that called; an error of its own goes to `failures`."""
    model, args, kwargs, state = before
    find_nan = importlib.import_module("torchlens.debug").find_nan
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(state)
            found = find_nan(model, args, input_kwargs=kwargs)
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}"[:200])
        return
    if found.found:
        raise Found(found, line)


def _apart(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _place(found: Any, called: int, case: Path) -> Said:
    """The line it names; where that is in a library, the innermost of the case in its stack."""
    frames = [] if found.op is None else found.op.code_context or []
    stack = [str(found.source_line), *(f"{frame.file}:{frame.line_number}" for frame in reversed(frames))]
    lines = [line for line in (_in_case(place, case) for place in stack) if line]
    return Said(True, lines[0] if lines else called, str(found.func_name))


def _in_case(place: str, case: Path) -> int:
    file, _, line = place.rpartition(":")
    return int(line) if file and Path(file).name == case.name else 0


for _name in ("torch._dynamo", "torchlens.debug"):
    importlib.import_module(_name)  # once, not in each process
TOOLS: Mapping[str, Callable[[Path], Said]] = {"detect_anomaly": detect_anomaly, "torchlens": torchlens}
