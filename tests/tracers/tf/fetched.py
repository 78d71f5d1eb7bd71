"""The numbers of a function's tensors as TensorFlow itself hands them out, by a session."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens_tracers.tf.compat import tf

Numbers = npt.NDArray[Any]


def fetched(graph: Any, given: list[Numbers]) -> dict[tuple[str, int], Numbers]:
    """By operation and output, every tensor of a function's graph that is made of numbers.

    Args:
        graph: One without variables; `given`: its arguments.
    """
    with tf.Graph().as_default() as again:
        tf.import_graph_def(graph.as_graph_def(), name="")
        wanted = {
            f"{op.name}:{slot}": tensor
            for op in again.get_operations()
            for slot, tensor in enumerate(op.outputs)
            if tensor.dtype.is_floating or tensor.dtype.is_complex
        }
        options = tf.compat.v1.ConfigProto()
        options.graph_options.rewrite_options.disable_meta_optimizer = True
        names = [tensor.name for tensor in graph.inputs]
        with tf.compat.v1.Session(graph=again, config=options) as session:
            found = session.run(wanted, dict(zip(names, given, strict=True)))
    return {(name.rpartition(":")[0], int(name.rpartition(":")[2])): value for name, value in found.items()}


def bounds(numbers: Any) -> tuple[float, float]:
    """Minimum and maximum, of real and imaginary parts; NaN where there is one, (inf, -inf) of nothing."""
    if np.iscomplexobj(numbers):
        numbers = np.stack([numbers.real, numbers.imag])
    if not numbers.size:
        return float("inf"), float("-inf")
    exact = numbers.astype(np.float64)
    return float(exact.min()), float(exact.max())
