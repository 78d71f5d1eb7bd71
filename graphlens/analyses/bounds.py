"""How large the numbers of a recorded function can become, when what enters it is finite.

A bound is the largest size that a value can have. Arithmetic is followed; an operation that can make
an infinity or NaN of numbers of that size is a suspect.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence

import numpy as np

from graphlens.analyses.causes import LARGEST
from graphlens.store import Process
from graphlens_tracers.events import GraphId, NodeSeen, ValueId

_MANY = 1e9
"""Numbers that are added up in one, at most."""
_KEEPS = frozenset(
    """
    Identity IdentityN Snapshot StopGradient Reshape ExpandDims Squeeze Transpose ConcatV2 Pack Unpack Split
    SplitV StridedSlice Slice Gather GatherV2 GatherNd Tile Pad PadV2 MirrorPad Reverse ReverseV2 Roll
    BroadcastTo Select SelectV2 Where Neg Abs Relu Relu6 Elu Selu Softplus Floor Ceil Round Rint Maximum
    Minimum
    ClipByValue Max Min Cast Fill ZerosLike OnesLike OneHot TensorScatterUpdate ResizeBilinear
    ResizeNearestNeighbor ReverseSequence MatrixDiagV3 MatrixBandPart Bitcast PreventGradient TopKV2
    PartitionedCall StatefulPartitionedCall If StatelessIf EnsureShape PlaceholderWithDefault CheckNumerics
    RandomUniform RandomStandardNormal TruncatedNormal StatelessRandomUniformV2 StatelessRandomNormalV2
    Sigmoid Tanh Softmax Cos Sin Atan Erf Sign Range LinSpace ExtractImagePatches AvgPool MaxPool
    """.split()
)
"""What makes nothing larger than the largest that it reads, and `_MORE`."""
_MORE = 10.0
"""Random numbers are not that large."""
_WHOLE = 1e6
"""Whole numbers that come out of something else than arithmetic: pixels, sizes."""
_ADDS = ("Add", "AddV2", "Sub", "AddN", "BiasAdd")
_DIVIDES = ("RealDiv", "Div")
_MULTIPLIES = ("Mul", "MatMul", "BatchMatMulV2")
_FLOATING = ("float16", "bfloat16", "half", "float32", "float64")


class Bounds:
    """The functions of a pipeline, looked at in the order in which they were made.

    Attributes:
        size: The largest that anything in the pipeline can be, as far as it was looked at.
        suspects: Operations that can have made what is not finite.
    """

    def __init__(self, process: Process, size: float) -> None:
        self._process = process
        self.size = size
        self.suspects: list[NodeSeen] = []

    def look(self, graph: GraphId) -> None:
        """Follow one function."""
        process = self._process
        known: dict[ValueId | None, float] = {}
        least: dict[ValueId | None, float] = {}  # the smallest size of constants
        for number in process.order(graph):
            node = process.nodes[number]
            inputs = process.inputs(graph, number)
            given = [known.get(value, self.size) for value in inputs]
            below = least.get(inputs[1], 0.0) if node.op in _DIVIDES and len(inputs) == 2 else 0.0
            bound = given[0] / below if below else self._of(node, given)
            if node.op == "Const":
                least.update((output.value, _least(node)) for output in node.outputs)
            if bound is None:
                self.suspects.append(node)
                bound = max([self.size, *given])
            known.update((output.value, bound) for output in node.outputs)
        self.size = max([self.size, *known.values()])

    def _of(self, node: NodeSeen, given: Sequence[float]) -> float | None:
        """How large what an operation makes can be; None: it may be infinite, or NaN."""
        floating = [output.spec.dtype for output in node.outputs if output.spec.dtype in _FLOATING]
        if not floating:
            return max([*given, _WHOLE])
        bound = _made(node, given)
        return None if bound is None or bound > min(LARGEST[dtype] for dtype in floating) else bound


def _least(node: NodeSeen) -> float:
    numbers = constant(node.form)
    return 0.0 if numbers is None or not numbers.size else float(abs(numbers).min())


def _made(node: NodeSeen, given: Sequence[float]) -> float | None:
    largest = max(given, default=0.0)
    if node.op == "Const":
        numbers = constant(node.form)
        return (
            None if numbers is None or not np.isfinite(numbers).all() else float(abs(numbers).max(initial=0))
        )
    if node.op in _KEEPS:
        return largest + _MORE
    if node.op in _ADDS:
        return sum(given)
    if node.op in _MULTIPLIES:
        return math.prod(given) * (1 if node.op == "Mul" else _MANY)
    if node.op in ("Square", "SquaredDifference"):
        return sum(given) ** 2
    if node.op in ("Sum", "Cumsum"):
        return largest * _MANY
    if node.op == "Exp":
        return math.exp(min(largest, 1000.0)) if largest < 700.0 else None
    return None


def constant(form: str) -> np.ndarray | None:
    """The numbers of a constant of TensorFlow; None where they are not in its form, or no numbers."""
    said = json.loads(form)[1].get("value")
    told = said.get("tensor", {}) if isinstance(said, dict) else {}
    if "proto" not in told:
        return None
    kinds = {4: told["dtype"], 5: "float32", 6: "float64"}  # tensor_content, float_val, double_val
    found = [
        np.frombuffer(data, kinds[field])
        for field, data in _fields(base64.b64decode(told["proto"]))
        if field in kinds and kinds[field] in ("float32", "float64")
    ]
    return np.concatenate(found) if found else None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message of Protocol Buffers that hold bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            length, at = _varint(data, at)
            yield tag >> 3, data[at : at + length]
            at += length
        elif tag & 7 == 0:
            _, at = _varint(data, at)
        else:
            at += 8 if tag & 7 == 1 else 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return value, at
