"""Operations that oneDNN computes as one when TensorFlow runs a function as a whole, Grappler or not.

It rounds once where two operations would round twice, and sums in another order. Where one of them runs by
itself, it is run beside the other in a small function, so that the same happens to it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from graphlens_tracers.tf import compat

_ROUNDED = frozenset(
    one.as_datatype_enum for one in (compat.tf.bfloat16, compat.tf.float16, compat.tf.float32)
)


def pairs_of(nodes: Sequence[Any], results: Sequence[str]) -> dict[str, Any]:
    """By the name of a node, the one that it is computed with: what that reads has to be there by then.

    Args:
        nodes: Those of a FunctionDef that run; `results`: names of the tensors that it gives.
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return {}
    known = {node.name: node for node in nodes}
    readers = Counter(one.lstrip("^").partition(":")[0] for node in nodes for one in node.input)
    readers.update(name.partition(":")[0] for name in results)
    filters: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for node in nodes:
        if node.op == "Conv2DBackpropFilter" and _is_rounded(node):
            filters.setdefault(node.input[2], node)
    for node in nodes:
        if not node.input:
            continue
        if node.op == "BiasAdd" and _is_rounded(node):
            convolution = known.get(node.input[0].partition(":")[0])
            if convolution is not None and convolution.op == "Conv2D" and readers[convolution.name] == 1:
                found[node.name] = convolution
        elif node.op == "BiasAddGrad" and (partner := filters.pop(node.input[0], None)) is not None:
            found[node.name], found[partner.name] = partner, node
    return found


def _is_rounded(node: Any) -> bool:
    return node.attr["T"].type in _ROUNDED
