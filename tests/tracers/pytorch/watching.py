"""What really happened: a dispatch mode that keeps the bytes of everything, and no line of the tracer's.

It stands between the tracer and torch, keeps no tensor, and looks at memory by address.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes


@dataclass(frozen=True, slots=True)
class Picture:
    """A tensor at one moment: its whole memory, and where in it the tensor lies."""

    memory: bytes
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    conj: bool
    neg: bool

    @staticmethod
    def of(tensor: torch.Tensor) -> Picture:
        """What `tensor` is right now."""
        storage = tensor.untyped_storage()
        size = storage.nbytes()
        return Picture(
            ctypes.string_at(storage.data_ptr(), size) if size else b"",
            tensor.dtype,
            int(tensor.storage_offset()),
            tuple(tensor.shape),
            tuple(tensor.stride()),
            tensor.is_conj(),
            tensor.is_neg(),
        )

    def memory_again(self) -> torch.UntypedStorage:
        """New memory with the same bytes."""
        storage = torch.UntypedStorage(len(self.memory))
        if self.memory:
            ctypes.memmove(storage.data_ptr(), self.memory, len(self.memory))
        return storage

    def laid_over(self, storage: torch.UntypedStorage) -> torch.Tensor:
        """A tensor that lies in `storage` as the one of this picture did in its own."""
        tensor = torch.empty(0, dtype=self.dtype)
        tensor.set_(storage, self.offset, self.shape, self.strides)
        if self.conj:
            tensor = torch._conj(tensor)
        return torch._neg_view(tensor) if self.neg else tensor

    def elements(self) -> torch.Tensor:
        """The tensor itself, in memory of its own."""
        return self.laid_over(self.memory_again())

    def contents(self) -> tuple[torch.dtype, tuple[int, ...], bytes]:
        """What it is to somebody who reads it: its elements in order, to the bit."""
        return self.dtype, self.shape, raw(self.elements())


def raw(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor's elements in C order."""
    whole = tensor.resolve_conj().resolve_neg().contiguous()
    size = whole.numel() * whole.element_size()
    return ctypes.string_at(whole.data_ptr(), size) if size else b""


@dataclass(slots=True)
class Seen:
    """One operation: its inputs just before it, its outputs just after, and the random state before.

    One that raised has those outputs that it may have changed.
    """

    op: str
    before: list[Picture]
    after: list[Picture] = field(default_factory=list)
    random: torch.Tensor | None = None
    raised: bool = False


def flat(given: Any) -> list[torch.Tensor]:
    """The tensors in arguments or results, in order; a storage counts as the bytes it holds."""
    if isinstance(given, torch.Tensor):
        return [given]
    if isinstance(given, torch.UntypedStorage):
        with _disable_current_modes():  # the tracer's too: this is no operation of the program's
            whole = torch.empty(0, dtype=torch.uint8)
            return [whole.set_(given, 0, (given.nbytes(),), (1,))]
    if isinstance(given, dict):
        return [tensor for element in given.values() for tensor in flat(element)]
    if isinstance(given, (list, tuple)):
        return [tensor for element in given for tensor in flat(element)]
    return []


class Watching(TorchDispatchMode):
    """Keeps a `Seen` for every operation.

    Its frames pass for Python's own, so that the tracer finds the same places as without it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.seen: list[Seen] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if str(func).startswith("profiler."):
            self.seen.append(Seen(str(func), []))
            return func(*args, **kwargs)
        inputs = [*flat(args), *flat(kwargs)]
        seen = Seen(str(func), [Picture.of(tensor) for tensor in inputs])
        self.seen.append(seen)
        generator = kwargs.get("generator")
        if generator is None:
            generator = next((arg for arg in args if isinstance(arg, torch.Generator)), None)
        if generator is not None or torch.Tag.nondeterministic_seeded in func.tags:
            seen.random = (generator or torch.default_generator).get_state()
        try:
            result = func(*args, **kwargs)
        except BaseException:
            seen.raised = True
            seen.after = [Picture.of(tensor) for tensor in _once(written(func, args, kwargs))]
            raise
        made = flat(result)
        outputs = made + _once(written(func, args, kwargs), but=made)
        seen.after = [Picture.of(tensor) for tensor in outputs]
        return result


NORM = "aten.native_batch_norm.default"


def written(func: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """The tensors that an operation changes in place."""
    found: list[torch.Tensor] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found += flat(kwargs.get(argument.name) if position >= len(args) else args[position])
    if str(func) == NORM and args[5]:
        found += flat(args[3:5])  # which its schema does not say
    return found


def _once(tensors: list[torch.Tensor], but: Sequence[torch.Tensor] = ()) -> list[torch.Tensor]:
    """Each object once, and those of `but` not at all."""
    found: list[torch.Tensor] = []
    for tensor in tensors:
        if not any(tensor is known for known in (*but, *found)):
            found.append(tensor)
    return found


def _pass_for_python(function: Callable[..., Any]) -> None:
    function.__code__ = function.__code__.replace(co_filename="<frozen watching>")


_pass_for_python(Watching.__torch_dispatch__)
assert sys.version_info >= (3, 11)
