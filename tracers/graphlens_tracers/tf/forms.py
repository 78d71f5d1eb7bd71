"""The arguments of an operation as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from graphlens_tracers.tf import compat

_json = json.JSONEncoder(separators=(",", ":")).encode
MOST_CONSTANT = 4096
"""Bytes of a constant that are kept in the form of its node."""


def form_of(definition: Any, inputs: int) -> str:
    """The arguments of an operation as JSON: its tensors as "$k", and its attributes.

    Args:
        definition: Its NodeDef; `inputs`: how many tensors it reads.
    """
    attr = definition.attr
    positional = _tensors(
        definition.op, inputs, lambda name: attr[name].i, lambda name: len(attr[name].list.type)
    )
    named = {name: _attribute(value) for name, value in sorted(attr.items()) if not name.startswith("_")}
    return _json([positional, named])


def eager_form(op: str, attributes: Sequence[Any], inputs: int) -> str:
    """The same of an operation that ran eagerly.

    Args:
        attributes: Their names and values in turn; `inputs`: how many tensors it has read.
    """
    given = dict(zip(attributes[::2], attributes[1::2], strict=True))
    positional = _tensors(op, inputs, lambda name: int(given[name]), lambda name: len(given.get(name, ())))
    kind = compat.op_def(op)
    kinds = {attr.name: attr.type for attr in kind.attr} if kind is not None else {}
    named = {name: _python(kinds.get(name, ""), value) for name, value in sorted(given.items())}
    return _json([positional, named])


def _python(kind: str, value: Any) -> Any:
    """An attribute as Python has it."""
    if value is None:
        return None
    if kind.startswith("list("):
        return [_python(kind[5:-1], one) for one in value]
    if kind == "type":
        return {"dtype": str(compat.tf.as_dtype(value).name)}
    if kind == "shape":
        shape = compat.tf.TensorShape(value)
        return {"shape": None if shape.rank is None else shape.as_list()}
    if kind == "func":
        return {"function": compat.text(getattr(value, "name", value))}
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (str, bytes)):
        return _text(value.encode() if isinstance(value, str) else value)
    return value if isinstance(value, (bool, int)) else str(value)


_Count = Callable[[str], int]


def _tensors(op: str, inputs: int, number: _Count, types: _Count) -> list[Any]:
    """The tensors that an operation reads, in lists where it has lists: attributes say how long those are."""
    kind = compat.op_def(op)
    positional: list[Any] = []
    at = 0
    for arg in kind.input_arg if kind is not None else ():
        if arg.number_attr:
            count = number(arg.number_attr)
        elif arg.type_list_attr:
            count = types(arg.type_list_attr)
        else:
            positional.append(f"${at}")
            at += 1
            continue
        positional.append([f"${k}" for k in range(at, at + count)])
        at += count
    return positional + [f"${k}" for k in range(at, inputs)]


def _attribute(value: Any) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case "i" | "b":
            return getattr(value, kind)
        case "f":
            return _number(value.f)
        case "s":
            return _text(value.s)
        case "type":
            return {"dtype": compat.type_name(value.type)}
        case "shape":
            return {"shape": _shape(value.shape)}
        case "func":
            return {"function": value.func.name}
        case "tensor":
            return _constant(value.tensor)
        case "list":
            for name, one in _LISTS.items():
                values = getattr(value.list, name)
                if len(values):
                    return [one(each) for each in values]
            return []
    return None


def _number(value: float) -> Any:
    finite = value == value and value not in (float("inf"), float("-inf"))
    return value if finite else {"float": str(value)}


def _text(value: bytes) -> Any:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(value).decode()}
    return f"${text}" if text.startswith("$") else text


def _shape(shape: Any) -> Any:
    return None if shape.unknown_rank else [None if dim.size < 0 else dim.size for dim in shape.dim]


_LISTS: dict[str, Callable[[Any], Any]] = {
    "i": int, "b": bool, "f": _number, "s": _text, "type": lambda kind: {"dtype": compat.type_name(kind)},
    "shape": lambda shape: {"shape": _shape(shape)}, "func": lambda func: {"function": func.name},
}  # fmt: skip


def _constant(tensor: Any) -> Any:
    """A constant: one number or a few as they are, more as TensorFlow keeps them, the largest not at all."""
    said: dict[str, Any] = {"dtype": compat.type_name(tensor.dtype), "shape": _shape(tensor.tensor_shape)}
    if tensor.ByteSize() <= MOST_CONSTANT:
        said["proto"] = base64.b64encode(tensor.SerializeToString()).decode()
    return {"tensor": said}
