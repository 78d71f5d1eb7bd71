"""Adds nodes to a FunctionDef."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphlens_tracers.tf import compat


def add_node(
    definition: Any, name: str, op: str, inputs: Sequence[str], device: str = "", **attributes: Any
) -> str:
    """Add a node; gives its name.

    Args:
        attributes: Types by number, and lists of them; functions by name; bytes; shapes as tuples.
    """
    new = definition.node_def.add(name=name, op=op, device=device)
    new.input.extend(inputs)
    for key, value in attributes.items():
        if isinstance(value, bool):
            new.attr[key].b = value
        elif isinstance(value, bytes):
            new.attr[key].s = value
        elif isinstance(value, str):
            new.attr[key].func.name = value
        elif isinstance(value, list):
            new.attr[key].list.SetInParent()
            new.attr[key].list.type.extend(value)
        elif isinstance(value, tuple):
            new.attr[key].shape.SetInParent()
            for size in value:
                new.attr[key].shape.dim.add(size=size)
        elif key in ("N", "axis"):
            new.attr[key].i = value
        else:
            new.attr[key].type = value
    return name


def add_constant(definition: Any, name: str, value: Sequence[float] | float, kind: int = compat.INT32) -> str:
    """Add a number or a list of them, of a type by number; gives its name."""
    add_node(definition, name, "Const", [], dtype=kind)
    tensor = definition.node_def[-1].attr["value"].tensor
    tensor.dtype = kind
    tensor.tensor_shape.SetInParent()
    if isinstance(value, Sequence):
        tensor.tensor_shape.dim.add(size=len(value))
    values = value if isinstance(value, Sequence) else [value]
    (tensor.float_val if kind == compat.FLOAT else tensor.int_val).extend(values)
    return name
