"""Keeps what an operation inside of a function has read and made, where what is not finite is born in it.

Behind each operation that can make it out of finite numbers stands a branch. It is taken where the range
of what was made is not finite, and gives out the elements: no memory is held for longer than without, and
no other step pays for more than the question.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Vector
from graphlens_tracers.tf.definitions import add_constant, add_node

BEARERS = frozenset((
    "Acos", "Acosh", "Asin", "Atanh", "Cholesky", "CholeskyGrad", "Cosh", "Digamma", "Div", "Erfinv", "Exp",
    "Expm1", "FloorMod", "Inv", "InvGrad", "Lgamma", "Log", "Log1p", "LogMatrixDeterminant", "LogSoftmax",
    "MatrixInverse", "MatrixSolve", "MatrixTriangularSolve", "Mod", "Ndtri", "Polygamma", "Pow", "RealDiv",
    "Reciprocal", "ReciprocalGrad", "Rsqrt", "RsqrtGrad", "SelfAdjointEigV2", "Sinh", "Softmax",
    "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "Sqrt", "SqrtGrad", "Svd", "Tan",
    "Xdivy", "Xlog1py", "Xlogy", "Zeta",
))  # fmt: skip
"""Types of which elements say what their ranges do not: which of them are zero, negative, too large."""
MARK = -1.0
"""What begins in a vector where a body's record would: no body has this number."""
LARGEST = 1 << 22
"""Elements of a tensor that are kept; of an operation with a larger one none."""
MOST_READ = 4
"""Tensors that such an operation may read."""
MOST = 1 << 14
"""Operations that are asked."""
_serial = itertools.count()


class Read(NamedTuple):
    """A tensor that an operation reads: the how many-th of its inputs, its name there, its type."""

    at: int
    name: str
    kind: int


class Born(NamedTuple):
    """What an operation has made and read, when something was born in it.

    Attributes:
        asked: The operation; `made`: its first output.
        read: By input, what of it is made of floating numbers.
    """

    asked: Asked
    made: npt.NDArray[Any]
    read: dict[int, npt.NDArray[Any]]


@dataclass(eq=False)
class Asked:
    """An operation that is asked.

    Attributes:
        number: What its elements begin with in a vector; `node`: in the FunctionDef.
        inputs: How many it has; `kinds`: types of its first output, and of those in `read`.
        said: Whether its elements have been given out.
    """

    number: int
    node: str
    inputs: int
    kinds: tuple[int, ...]
    read: tuple[int, ...]
    said: bool = False


class Births:
    """The operations of all functions that are asked, and which of them still are."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        self._branches: dict[tuple[int, ...], tuple[str, str]] = {}
        self._open = np.ones(MOST, bool)
        self._execute = compat.pywrap_tfe.TFE_Py_Execute  # before anybody looks at it
        self._name = f"graphlens_births_{next(_serial)}".encode()
        self._variable: Any = None
        self._accelerated: bool | None = None

    def ask(self, node: Any, made: int, read: Sequence[Read]) -> Asked | None:
        """An operation is to be asked; None for one that cannot be, or when there are too many.

        Args:
            made: The type of its first output.
        """
        fits = 0 < len(read) <= MOST_READ and len(self._asked) < MOST
        if node.op not in BEARERS or not fits or self._has_accelerator():
            return None
        inputs = sum(not name.startswith("^") for name in node.input)
        kinds = made, *(one.kind for one in read)
        asked = Asked(len(self._asked), node.name, inputs, kinds, tuple(one.at for one in read))
        self._asked.append(asked)
        return asked

    def branches(self, kinds: tuple[int, ...]) -> tuple[str, str]:
        """The functions for operations of these types: where all is finite, and where it is not.

        Both are given the number and the tensors, and give out a vector.
        """
        if kinds not in self._branches:
            if self._variable is None:
                self._make_variable()
            finite, keep, bad = (_Branch(f"graphlens_{word}_{next(_serial)}", kinds) for word in _WORDS)
            for one, result in ((finite, finite.nothing()), (keep, keep.elements())):
                one.register(result)
            bad.register(bad.if_open(self._name, keep.name, finite.name))
            self._branches[kinds] = finite.name, bad.name
        return self._branches[kinds]

    def read(self, vector: Vector, at: int) -> tuple[Born, int]:
        """The elements that begin at a place, and where they end. They are not given out again."""
        asked = self._asked[int(vector[at + 1])]
        at += 2
        found: list[npt.NDArray[Any]] = []
        for kind in asked.kinds:
            rank = int(vector[at : at + 1].view(np.int32)[0])
            shape = vector[at + 1 : at + 1 + rank].view(np.int32).tolist()
            at += 1 + rank
            held = _HELD.get(kind, np.float32)
            floats = int(np.prod(shape, dtype=np.int64)) * (np.dtype(held).itemsize // 4)
            array = np.frombuffer(vector[at : at + floats].tobytes(), held).reshape(shape)
            found.append(array.astype(compat.tf.as_dtype(kind).as_numpy_dtype))
            at += floats
        if not asked.said:
            asked.said, self._open[asked.number] = True, False
            self._assign()
        return Born(asked, found[0], dict(zip(asked.read, found[1:], strict=True))), at

    def _has_accelerator(self) -> bool:
        """Whether there is one: a branch would let the processor wait for it."""
        if self._accelerated is None:
            devices = compat.tf.config.list_logical_devices()
            self._accelerated = any(one.device_type != "CPU" for one in devices)
        return self._accelerated

    # ── which are still asked ────────────────────────────────────────────────────────────────

    def _make_variable(self) -> None:
        attributes: tuple[Any, ...] = (
            "container", "", "shared_name", self._name, "debug_name", "", "dtype", compat.BOOL,
            "shape", compat.tf.TensorShape([MOST]), "allowed_devices", [],
        )  # fmt: skip
        (self._variable,) = self._run("VarHandleOp", [], attributes, 1)
        self._assign()

    def _assign(self) -> None:
        value = compat.tf.constant(self._open)
        attributes = ("dtype", compat.BOOL, "validate_shape", False)
        self._run("AssignVariableOp", [self._variable, value], attributes, 0)

    def _run(self, op: str, inputs: list[Any], attributes: Sequence[Any], count: int) -> Any:
        there = compat.context.context()
        return self._execute(there._handle, "/device:CPU:0", op, inputs, attributes, count)


_WORDS = "finite", "elements", "not_finite"
_HELD = {
    compat.DOUBLE: np.float64,
    compat.COMPLEX64: np.complex64,
    compat.COMPLEX128: np.complex128,
}
"""As what the elements of a type are given out; all others as float32, which holds them exactly."""


class _Branch:
    """A function that is made node by node: of the number of an operation and its tensors, a vector."""

    def __init__(self, name: str, kinds: tuple[int, ...]) -> None:
        self.name = name
        self._kinds = kinds
        self._definition = compat.new_definition(name)
        signature = self._definition.signature
        signature.input_arg.add(name="number", type=compat.FLOAT)
        for k, kind in enumerate(kinds):
            signature.input_arg.add(name=f"t{k}", type=kind)
        signature.output_arg.add(name="vector", type=compat.FLOAT)
        self._count = 0

    def register(self, vector: str) -> None:
        """Say what it gives out, and let the runtime know it."""
        self._definition.ret["vector"] = vector
        compat.add(self._definition)

    def nothing(self) -> str:
        """A vector without numbers."""
        return self._constant([], compat.FLOAT)

    def if_open(self, variable: bytes, then: str, otherwise: str) -> str:
        """What `then` gives out, as long as the operation is asked."""
        handle = self._node(
            "VarHandleOp", [], "resource", container=b"", shared_name=variable, dtype=compat.BOOL,
            shape=(MOST,),
        )  # fmt: skip
        all_of_them = self._node("ReadVariableOp", [handle], "value", dtype=compat.BOOL)
        one = self._constant([1])
        number = self._node("Slice", ["number", one, one], "output", T=compat.FLOAT, Index=compat.INT32)
        number = self._node("Cast", [number], "y", SrcT=compat.FLOAT, DstT=compat.INT32)
        open_ = self._node(
            "GatherV2", [all_of_them, number, self._constant(0)], "output",
            Tparams=compat.BOOL, Tindices=compat.INT32, Taxis=compat.INT32,
        )  # fmt: skip
        open_ = self._node(
            "Reshape", [open_, self._constant([])], "output", T=compat.BOOL, Tshape=compat.INT32
        )
        given = ["number", *(f"t{k}" for k in range(len(self._kinds)))]
        return self._node(
            "StatelessIf", [open_, *given], "output", Tcond=compat.BOOL, Tin=[compat.FLOAT, *self._kinds],
            Tout=[compat.FLOAT], then_branch=then, else_branch=otherwise,
        )  # fmt: skip

    def elements(self) -> str:
        """The number, and of each tensor its rank, its shape and its elements; nothing where NaN was read.

        Nothing either where one of them is too large.
        """
        parts = ["number"]
        wanted: list[str] = []
        limit = self._constant(LARGEST)
        for k, kind in enumerate(self._kinds):
            tensor = f"t{k}"
            flat = self._flat(tensor, kind)
            size = self._node("Size", [tensor], "output", T=kind, out_type=compat.INT32)
            wanted.append(self._node("LessEqual", [size, limit], "z", T=compat.INT32))
            shape = self._node("Shape", [tensor], "output", T=kind, out_type=compat.INT32)
            rank = self._node("Size", [shape], "output", T=compat.INT32, out_type=compat.INT32)
            rank = self._flat(rank, compat.INT32)
            parts += [self._bits(rank, compat.INT32), self._bits(shape, compat.INT32)]
            floats = self._floats(flat, kind)
            if k:
                wanted.append(self._without_nan(floats, kind))
            parts.append(floats if kind not in _AS_DOUBLE else self._bits(floats, compat.DOUBLE))
        whole = self._joined(parts, compat.FLOAT)
        packed = self._node("Pack", wanted, "output", T=compat.BOOL, N=len(wanted), axis=0)
        every = self._node("All", [packed, self._constant([0])], "output", Tidx=compat.INT32, keep_dims=True)
        every = self._node("Cast", [every], "y", SrcT=compat.BOOL, DstT=compat.INT32)
        upto = self._node("Neg", [every], "y", T=compat.INT32)  # -1: to the end
        return self._node(
            "Slice", [whole, self._constant([0]), upto], "output", T=compat.FLOAT, Index=compat.INT32
        )

    def _floats(self, flat: str, kind: int) -> str:
        """Elements as float32 or float64, those of complex numbers as twice as many."""
        if kind in (compat.HALF, compat.BFLOAT16):
            return self._node("Cast", [flat], "y", SrcT=kind, DstT=compat.FLOAT)
        if kind in (compat.COMPLEX64, compat.COMPLEX128):
            part = compat.FLOAT if kind == compat.COMPLEX64 else compat.DOUBLE
            parts = self._node("Bitcast", [flat], "output", T=kind, type=part)
            return self._flat(parts, part)
        return flat

    def _without_nan(self, floats: str, kind: int) -> str:
        part = compat.DOUBLE if kind in _AS_DOUBLE else compat.FLOAT
        nan = self._node("IsNan", [floats], "y", T=part)
        any_ = self._node("Any", [nan, self._constant([0])], "output", Tidx=compat.INT32, keep_dims=False)
        return self._node("LogicalNot", [any_], "y")

    def _bits(self, tensor: str, kind: int) -> str:
        """The same bits as float32."""
        bits = self._node("Bitcast", [tensor], "output", T=kind, type=compat.FLOAT)
        return self._flat(bits, compat.FLOAT) if kind == compat.DOUBLE else bits

    def _flat(self, tensor: str, kind: int) -> str:
        return self._node("Reshape", [tensor, self._constant([-1])], "output", T=kind, Tshape=compat.INT32)

    def _joined(self, vectors: list[str], kind: int) -> str:
        zero = self._constant(0)
        return self._node("ConcatV2", [*vectors, zero], "output", T=kind, N=len(vectors), Tidx=compat.INT32)

    def _constant(self, value: list[int] | int, kind: int = compat.INT32) -> str:
        return f"{add_constant(self._definition, self._next(), value, kind)}:output:0"

    def _node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; gives its first output."""
        node = add_node(self._definition, self._next(), op, inputs, **attributes)
        return f"{node}:{output}:0"

    def _next(self) -> str:
        self._count += 1
        return f"n{self._count}"


_AS_DOUBLE = frozenset((compat.DOUBLE, compat.COMPLEX128))
