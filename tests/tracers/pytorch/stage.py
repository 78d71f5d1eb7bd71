"""Runs scripts in forked children of a process that has imported torch: three ways, and cheaply.

`python stage.py` reads lines `[WAY, SCRIPT, FOLDER]` and answers each with a line when the child has
ended. In FOLDER it leaves `WAY.out` and `WAY.err`, what the script printed, and `WAY.json`: its exit
code, a digest of all that it left in its variables, the random state, the number of the next
autograd node, and the histogram where it was counted. What was recorded is in `run.glens`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import torch
import torch._dynamo  # every optimizer imports it: once for all children
from histogram import Histogram, Threads, total
from torch.autograd import _get_sequence_nr  # type: ignore[attr-defined]  # private, and there

from recorded import recording
from stepper import stepped


class Digest:
    """Of the tensors that variables hold, however deep in lists, modules and optimizers."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.seen: set[int] = set()
        self.held: list[Any] = []  # so that no address is used twice

    def add(self, name: str, value: Any) -> None:
        if isinstance(value, (torch.Tensor, torch.nn.Module, torch.optim.Optimizer, list, tuple, dict)):
            if id(value) in self.seen:
                return
            self.seen.add(id(value))
            self.held.append(value)
        if isinstance(value, torch.Tensor):
            self._tensor(name, value)
        elif isinstance(value, torch.nn.Module):
            self.add(name, dict(value.named_parameters()) | dict(value.named_buffers()))
        elif isinstance(value, torch.optim.Optimizer):
            self.add(name, list(value.state.values()))
        elif isinstance(value, (list, tuple)):
            for k, element in enumerate(value):
                self.add(f"{name}[{k}]", element)
        elif isinstance(value, dict):
            for key, element in value.items():
                if isinstance(key, (str, int)):
                    self.add(f"{name}.{key}", element)
        elif isinstance(value, (int, float, str, bool, complex)):
            self.hash.update(f"{name}={value!r}".encode())
        elif isinstance(value, numpy.ndarray):
            self.hash.update(name.encode() + value.tobytes())

    def _tensor(self, name: str, tensor: torch.Tensor) -> None:
        self.hash.update(
            f"{name} {tuple(tensor.shape) if not tensor.is_nested else ''} {tensor.dtype}".encode()
        )
        if tensor.is_meta or type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            return
        with torch.no_grad():
            if tensor.is_quantized:
                tensor = tensor.int_repr()
            elif tensor.layout is torch.strided and not tensor.is_nested:
                pass
            elif tensor.is_nested:
                self.add(f"{name}()", list(tensor.unbind()))
                return
            else:
                tensor = tensor.to_dense()
            tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
            self.hash.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
        if tensor.is_leaf and tensor.grad is not None:
            self.add(f"{name}.grad", tensor.grad)


def exit_code(error: BaseException | None) -> int:
    """As Python ends a script that raised this."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    if error is not None:
        traceback.print_exception(error)
        return 1
    return 0


@contextlib.contextmanager
def counting(modes: list[Histogram]) -> Iterator[None]:
    modes.append(Histogram())
    with Threads(modes), modes[0]:
        yield


def run(way: str, script: str, folder: Path) -> None:
    """In the child: run the script, and leave what it did in the folder."""
    modes: list[Histogram] = []
    ways: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
        "plain": contextlib.nullcontext,
        "counted": functools.partial(counting, modes),
        "recorded": functools.partial(recording, folder / "run.glens"),
        "stepped": functools.partial(stepped, folder, folder.name),
    }
    around = ways[way]()
    sys.argv = [script]
    sys.path[0] = os.path.dirname(script)
    module = ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    code = compile(Path(script).read_bytes(), script, "exec")
    failure = None
    with around:
        try:
            exec(code, module.__dict__)
        except BaseException as error:
            failure = error
        random = torch.get_rng_state()
        number = _get_sequence_nr()
    ended = exit_code(failure)
    sys.stdout.flush()
    digest = Digest()
    for name, value in sorted(module.__dict__.items()):
        if not name.startswith("__"):
            digest.add(name, value)
    said = {
        "code": ended,
        "digest": digest.hash.hexdigest(),
        "random": hashlib.sha256(random.numpy().tobytes()).hexdigest(),
        "number": number,
        "counts": total(modes),
    }
    (folder / f"{way}.json").write_text(json.dumps(said))


def one(line: str) -> None:
    """A child for one line; the answer is its exit status."""
    way, script, where = json.loads(line)
    folder = Path(where)
    child = os.fork()
    if child == 0:
        for descriptor, end in ((1, "out"), (2, "err")):
            os.dup2(
                os.open(folder / f"{way}.{end}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), descriptor
            )
        try:
            run(way, script, folder)
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def unseen(*functions: Callable[..., Any]) -> None:
    """Frames of ours pass for Python's own: whoever looks for the script's loops finds none here."""
    for function in functions:
        function.__code__ = function.__code__.replace(co_filename="<frozen stage>")


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        one(line)


if __name__ == "__main__":
    unseen(main, one, run)
    # The module's own frame is in no loop.
    main()
