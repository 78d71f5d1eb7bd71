"""Operations in a function of their own: the kernel of one is its own then, and with it what it remembers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.routines import Op, outputs_named

OURS = "graphlens_alone_"
"""How the names of such functions begin."""
_serial = itertools.count()


def register(ops: Sequence[Op], types: Mapping[int, int]) -> str:
    """Register such a function, which gives what the last operation makes; gives its name.

    Args:
        types: By the values that it is given, in their order, of which type they are.
    """
    definition = compat.new_definition(f"{OURS}{next(_serial)}")
    signature = definition.signature
    names = {slot: f"given{k}" for k, slot in enumerate(types)}
    for slot, kind in types.items():
        signature.input_arg.add(name=names[slot], type=kind)
    for op in ops:
        node = definition.node_def.add()
        node.CopyFrom(op.node)
        node.attr.pop("_class", None)  # beside which other nodes it is
        del node.input[:]
        node.input.extend(names[slot] for slot in op.inputs)
        names.update(zip(op.outputs, (name for name, _ in outputs_named(node)), strict=True))
    last = definition.node_def[-1]
    for k, (name, kind) in enumerate(outputs_named(last)):
        signature.output_arg.add(name=f"made{k}", type=kind)
        definition.ret[f"made{k}"] = name
    signature.control_output.append("ran")
    definition.control_ret["ran"] = last.name
    signature.is_stateful = True
    compat.add(definition)
    return str(signature.name)
