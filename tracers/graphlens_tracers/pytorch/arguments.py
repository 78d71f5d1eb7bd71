"""What an operation was called with and what came out: tensors, scalars, and the rest as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import torch

from graphlens_tracers.events import Spec
from graphlens_tracers.pytorch import compat

Tensors = list[torch.Tensor]
PLAIN = frozenset((torch.Tensor, torch.nn.Parameter))
"""Types of tensors that are just that."""
Geometry = tuple[int, tuple[int, ...], tuple[int, ...], str]
"""Where in its storage a tensor lies: offset, shape, strides, `kind_of` it."""

_BATCH_NORMS = {
    "aten.native_batch_norm.default": (3, 4, 5),
    "aten.cudnn_batch_norm.default": (3, 4, 5),
    "aten.miopen_batch_norm.default": (3, 4, 5),
}
"""These write their running statistics (arguments 3 and 4) when argument 5, training, is true, and
their schemas do not say so."""

_UNDECLARED = {"fsdp.all_gather_copy_in.default": (1,)}
"""Operations that write arguments of which their schemas do not say so. Collectives of `c10d` whose
names end in "_" write their first one."""

_UNINITIALISED = ("aten.empty", "aten.new_empty", "aten.resize", "aten.set_", "aten.empty_")


_SCRATCH: dict[str, tuple[int | None, int | None]] = {
    "aten._ctc_loss.default": (1, None),
    "aten._ctc_loss.Tensor": (1, None),
    "aten._ctc_loss_backward.default": (None, 4),
    "aten._ctc_loss_backward.Tensor": (None, 6),
}
"""Of operations the output and the input that nobody looks at: where a target is shorter than the longest of
its batch, nothing is written, and anything may be there."""


class OpInfo:
    """What is the same in every call of one overload.

    Attributes:
        name: "aten.addmm.default".
        writes: Positions of arguments written in place; names of keyword arguments.
        looks: Whether its outputs hold numbers worth looking at (not uninitialised memory, and not
            what a collective has only begun to write).
        profiler: A marker of the profiler, not a computation; `closes`: the end of a marked stretch.
        dynamic: Its output shapes depend on numbers.
        rehomes: It gives its first argument another storage.
        inside: It runs functions that it is given, and what they run is inside of it.
        scratch: The output, and of its tensors the input, that are memory of which only a part is written.
    """

    __slots__ = (
        "closes", "dynamic", "func", "inside", "looks", "name", "norm", "profiler", "rehomes", "scratch",
        "writes",
    )  # fmt: skip

    def __init__(self, func: Any) -> None:  # Any: an OpOverload or a higher-order operator
        self.func = func
        self.name = str(func)
        schema = getattr(func, "_schema", None)
        arguments = schema.arguments if schema is not None else ()
        self.writes: tuple[int | str, ...] = tuple(
            argument.name if argument.kwarg_only else position
            for position, argument in enumerate(arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        )
        if self.name.startswith("c10d.") and self.name.split(".")[1].endswith("_"):
            self.writes = (0,)
        self.writes = _UNDECLARED.get(self.name, self.writes)
        self.norm = _BATCH_NORMS.get(self.name)
        # What a collective returns is still being written, by another thread.
        pending = self.name.startswith(("c10d.", "_c10d_functional.")) and "wait_tensor" not in self.name
        self.looks = not (pending or self.name.startswith(_UNINITIALISED))
        self.scratch = _SCRATCH.get(self.name, (None, None))
        self.profiler = self.name.startswith("profiler.")
        self.closes = self.name.startswith("profiler._record_function_exit")
        self.rehomes = self.name.startswith("aten.set_.")
        self.inside = compat.takes_functions(func)
        tags = getattr(func, "tags", ())
        self.dynamic = torch.Tag.dynamic_output_shape in tags

    def written(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensors:
        """The tensors that this call changes in place, in argument order."""
        found: Tensors = []
        for where in self.writes:
            given = (
                kwargs.get(where) if isinstance(where, str) else args[where] if where < len(args) else None
            )
            collect(given, found)
        if self.norm is not None and len(args) > self.norm[2] and args[self.norm[2]]:
            collect(args[self.norm[0] : self.norm[1] + 1], found)
        return found


def collect(given: Any, into: Tensors) -> None:
    """Append the tensors of an argument or a result, lists and tuples opened, in order."""
    if isinstance(given, torch.Tensor):
        into.append(given)
    elif isinstance(given, (list, tuple)):
        for element in given:
            collect(element, into)
    elif isinstance(given, dict):
        for element in given.values():
            collect(element, into)


class Form:
    """The arguments of one call, taken apart.

    Attributes:
        tensors: In argument order; a tensor given twice stands twice. A storage stands there as the
            bytes that it holds.
        storages: Which of the tensors stand for a storage.
        scalars: ints and floats in order; `lists`: for each, how many elements of its list follow it.
        text: JSON, numbers exact, tensors as "$k".
        skeleton: The same with every number replaced: what makes two calls the same node.
    """

    __slots__ = ("_given", "lists", "scalars", "skeleton", "storages", "tensors")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.tensors: Tensors = []
        self.storages: set[int] = set()
        self.scalars: list[float] = []
        self.lists: list[int] = []
        self._given = [
            [self._plain(arg) for arg in args],
            {name: self._plain(arg) for name, arg in kwargs.items()},
        ]
        self.skeleton = _BLANK.encode(self._given)

    @property
    def text(self) -> str:
        """JSON of the arguments, exact."""
        return _EXACT.encode(self._given)

    def _plain(self, given: Any) -> Any:
        if isinstance(given, torch.Tensor):
            self.tensors.append(given)
            return f"${len(self.tensors) - 1}"
        if given is None or isinstance(given, bool):
            return given
        if type(given) in (int, float):
            self.scalars.append(given)
            self.lists.append(0)
            return _Number(given)
        if isinstance(given, (list, tuple)):
            first = len(self.scalars)
            plain = [self._plain(element) for element in given]
            if len(self.scalars) - first == len(given):  # a flat list of numbers
                for k in range(first, len(self.scalars)):
                    self.lists[k] = len(self.scalars) - 1 - k
            return plain
        if isinstance(given, dict):
            return {str(name): self._plain(element) for name, element in given.items()}
        if isinstance(given, str):
            return f"${given}" if given.startswith("$") else given
        if isinstance(given, torch.UntypedStorage):
            self.storages.add(len(self.tensors))
            self.tensors.append(_bytes_of(given))
            return {"storage": f"${len(self.tensors) - 1}"}
        return _named(given)


def _bytes_of(storage: torch.UntypedStorage) -> torch.Tensor:
    with compat.without_torch_function():
        whole = torch.empty(0, dtype=torch.uint8, device=storage.device)
        return whole.set_(storage, 0, (storage.nbytes(),), (1,))


class _Number:
    """Stands for a number until it is known whether it is to be written or left out."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value


def _exact(number: _Number) -> Any:
    value = number.value
    if isinstance(value, float) and not math.isfinite(value):
        sign = "-" if math.isnan(value) and math.copysign(1, value) < 0 else ""
        return {"float": f"{sign}{value}"}
    return value


def _blank(_: _Number) -> str:
    return "#"


_EXACT = json.JSONEncoder(separators=(",", ":"), default=_exact)
_BLANK = json.JSONEncoder(separators=(",", ":"), default=_blank)


def _named(given: Any) -> dict[str, Any]:
    if isinstance(given, torch.dtype):
        return {"dtype": str(given).removeprefix("torch.")}
    if isinstance(given, torch.device):
        return {"device": str(given)}
    if isinstance(given, (torch.layout, torch.memory_format)):
        return {"enum": str(given).removeprefix("torch.")}
    if isinstance(given, complex):
        return {"complex": [str(given.real), str(given.imag)]}
    group = compat.group_name(given) if isinstance(given, torch.ScriptObject) else None
    return {"object": type(given).__name__} if group is None else {"group": group}


def spec_of(tensor: torch.Tensor) -> Spec:
    """What a tensor is; strides only where it is not contiguous."""
    layout = str(tensor.layout).removeprefix("torch.")
    dtype = str(tensor.dtype).removeprefix("torch.")
    device = str(tensor.device)
    try:
        shape = tuple(_size(size) for size in tensor.shape)
    except (RuntimeError, TypeError):
        return Spec(None, dtype, device, layout=layout)  # nested tensors have no one shape
    if layout != "strided" or None in shape:
        return Spec(shape, dtype, device, layout=layout)
    try:
        strides = None if tensor.is_contiguous() else tuple(int(step) for step in tensor.stride())
        offset = int(tensor.storage_offset())
    except (RuntimeError, NotImplementedError):
        return Spec(shape, dtype, device)  # a wrapper without memory of its own
    return Spec(shape, dtype, device, strides, offset, conj=tensor.is_conj(), neg=tensor.is_neg())


def spec_before(tensor: torch.Tensor, geometry: Geometry | None) -> Spec:
    """What a tensor was when it lay so: an operation may have given it another shape since."""
    spec = spec_of(tensor)
    if geometry is None or spec.shape is None or None in spec.shape:
        return spec
    offset, shape, strides, _ = geometry
    return replace(
        spec, shape=shape, strides=None if strides == contiguous(shape) else strides, offset=offset
    )


def _size(size: Any) -> int | None:
    """A dimension; None for one that differs between the parts of a jagged tensor."""
    return size if type(size) is int else None


def home_of(tensor: torch.Tensor) -> Any:
    """What stands for the tensor's memory: its storage; the tensor itself where it has none."""
    try:
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError):
        return tensor  # sparse, nested, opaque


def geometry_of(tensor: torch.Tensor) -> Geometry | None:
    """Where in its storage a tensor lies; None for one without a storage of its own."""
    try:
        shape = tuple(map(int, tensor.shape))
        # As in its `Spec`: the stride of a dimension of one element is anything.
        strides = contiguous(shape) if tensor.is_contiguous() else tuple(map(int, tensor.stride()))
        return int(tensor.storage_offset()), shape, strides, kind_of(tensor)
    except (RuntimeError, NotImplementedError, TypeError, AttributeError):
        return None  # no storage, or a size that is no number (jagged)


def shape_of(tensor: torch.Tensor) -> Any:
    """Its shape; None for a nested one, or one that has none yet."""
    try:
        return tensor.shape
    except RuntimeError:
        return None


def kind_of(tensor: torch.Tensor) -> str:
    """How the bytes of a tensor are read: its type, and whether they are its conjugate or negative."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout is not torch.strided:
        return dtype
    return dtype + ("*" if tensor.is_conj() else "") + ("-" if tensor.is_neg() else "")


def is_part(tensor: torch.Tensor) -> bool:
    """Whether a tensor is smaller than its storage."""
    try:
        return int(tensor.numel()) * int(tensor.element_size()) < int(tensor.untyped_storage().nbytes())
    except (RuntimeError, NotImplementedError, TypeError):
        return False  # it has none


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor of this shape whose elements follow each other in C order."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))
