"""The arguments of an operation as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
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
    kind = compat.op_def(definition.op)
    positional: list[Any] = []
    at = 0
    for arg in kind.input_arg if kind is not None else ():
        if arg.number_attr:
            count = definition.attr[arg.number_attr].i
        elif arg.type_list_attr:
            count = len(definition.attr[arg.type_list_attr].list.type)
        else:
            positional.append(f"${at}")
            at += 1
            continue
        positional.append([f"${k}" for k in range(at, at + count)])
        at += count
    positional += [f"${k}" for k in range(at, inputs)]
    named = {
        name: _attribute(value) for name, value in sorted(definition.attr.items()) if not name.startswith("_")
    }
    return _json([positional, named])


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
