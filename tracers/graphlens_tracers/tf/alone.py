"""One operation in a function of its own: its kernel is its own, and with it what the kernel remembers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.routines import Op, outputs_named

OURS = "graphlens_alone_"
"""How the names of such functions begin."""
_serial = itertools.count()


def register(op: Op, types: Sequence[int]) -> str:
    """Register such a function; gives its name.

    Args:
        types: Of the inputs, by number.
    """
    definition = compat.new_definition(f"{OURS}{next(_serial)}")
    node, signature = definition.node_def.add(), definition.signature
    node.CopyFrom(op.node)
    node.attr.pop("_class", None)  # beside which other nodes it is
    del node.input[:]
    for k, kind in enumerate(types):
        signature.input_arg.add(name=f"given{k}", type=kind)
        node.input.append(f"given{k}")
    for k, (name, kind) in enumerate(outputs_named(node)):
        signature.output_arg.add(name=f"made{k}", type=kind)
        definition.ret[f"made{k}"] = name
    signature.control_output.append("ran")
    definition.control_ret["ran"] = node.name
    signature.is_stateful = True
    compat.add(definition)
    return str(signature.name)
