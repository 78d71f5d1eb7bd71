"""What keeps a function from being run operation by operation."""

from __future__ import annotations

from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER
from graphlens_tracers.tf.routines import live

_TOGETHER = ("Collective", "Nccl", "_Nccl", "XlaAllReduce")
"""How types begin that wait for each other, on several devices."""
_FAR = ("TPU", "_TPU", "RemoteCall", "_Send", "_Recv", "_HostSend", "_HostRecv", "XlaLaunch", "_Xla")


def obstacle_of(function: str, around: tuple[str, ...] = ()) -> str | None:
    """Why not, in words; None where nothing does.

    Args:
        around: The functions that it is in: what runs on several devices at once does so with those.
    """
    definition = compat.definition(function)
    if definition is None:
        return "its definition cannot be read"
    if not around and definition.attr["_XlaMustCompile"].b:
        return "XLA compiles it"
    for node in live(definition):
        why = _obstacle(node)
        is_together = node.op.startswith(_TOGETHER)
        if why is not None and (is_together or not around):
            return why
        for attribute in INNER.get(node.op, ()):
            for inner in compat.functions(node.attr[attribute]):
                if inner.name not in (function, *around):
                    why = obstacle_of(inner.name, (*around, function))
                    if why is not None and compat.definition(inner.name) is not None:
                        return why
    return None


def _obstacle(node: Any) -> str | None:
    if node.op.startswith(_TOGETHER):
        return "it runs on several devices at once"
    if node.op.startswith(_FAR) or "/job:" in node.device.replace("/job:localhost", ""):
        return "a part of it runs elsewhere"
    kind = compat.op_def(node.op)
    if kind is None:
        return None if compat.definition(node.op) is not None else f"nobody knows {node.op}"
    if any(arg.is_ref for arg in (*kind.input_arg, *kind.output_arg)):
        return "it has variables of TensorFlow 1 that are no resources"
    return None
