"""Watched functions: what runs instead of a function of the script's, so that its numbers are seen.

A watched function is a copy of the script's, of its FunctionDef as the runtime has it, with the
minimum and maximum of every floating tensor beside it. The script's own graphs and functions stay
as they are: what it exports, prints or differentiates knows nothing of the copy.

The ranges of the outermost body are one more output. Bodies inside of it (branches, loops, called
functions) report theirs when they have run, each under a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.tf import compat

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

WIDE = frozenset((compat.DOUBLE, compat.COMPLEX128))
"""Kept as float64."""
NARROW = frozenset((compat.FLOAT, compat.HALF, compat.BFLOAT16, compat.COMPLEX64))
"""Kept as float32, which holds them exactly."""
_PARTS = {compat.COMPLEX64: compat.FLOAT, compat.COMPLEX128: compat.DOUBLE}

_ALIKE = frozenset((
    "Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "Transpose",
    "Snapshot", "CheckNumerics", "DeepCopy", "PlaceholderWithDefault", "EnsureShape", "ReverseV2", "Roll",
))  # fmt: skip
"""Types whose first output has just the numbers of their first input: one look is enough for both."""

INNER: dict[str, tuple[str, ...]] = {
    "PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",),
    "If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch"),
    "Case": ("branches",), "StatelessCase": ("branches",),
    "While": ("cond", "body"), "StatelessWhile": ("cond", "body"),
}  # fmt: skip
"""Types that enter functions, and by which attributes."""
_COMPILED = ("_XlaMustCompile", "_XlaCompile")
"""Attributes that let XLA compile, which knows no reports."""
DEEPEST = 32
"""Functions inside of functions that are watched; those further in run as they are."""


class Tensor(NamedTuple):
    """An output of a node of a FunctionDef, or one of its arguments (`slot` -1)."""

    node: str
    slot: int


class At(NamedTuple):
    """Where a range is found: in which of the two vectors, of minima and maxima in turn, and which pair."""

    wide: bool
    pair: int


@dataclass(eq=False)
class Body:
    """One function inside a watched one, at one place where it is entered.

    Attributes:
        function: Its name, as the script's.
        parent: The body in which `node` enters it; None for the outermost.
        attribute: By which of the node's attributes; `nth`: which of several branches.
        ranges: Where the range of an output is found in what it reports.
        fixed: Ranges of constants.
        reports: Whether it says that it ran: one that does not runs once more than the loop's body.
        counts: Whether it says in which iteration of the loop.
    """

    number: int
    function: str
    parent: Body | None = None
    node: str = ""
    attribute: str = ""
    nth: int = 0
    ranges: dict[Tensor, At] = field(default_factory=dict)
    fixed: dict[Tensor, tuple[float, float]] = field(default_factory=dict)
    reports: bool = False
    counts: bool = False
    inside: list[Body] = field(default_factory=list)


class Watched:
    """A function of the script's, and its copy.

    Attributes:
        name: Of the copy.
        bodies: By number; the first is the outermost.
        vectors: For each further output of the copy, whether it is the wide one.
        unwatched: Functions that it enters, and which run as they are.
        compiled: Those of its functions that XLA would compile.
        originals: By the name of each copy, what it is a copy of.
    """

    def __init__(self, function: str, number: int, look: bool = True) -> None:
        """
        Args:
            number: Of its first body; those of all watched functions are different.
            look: False: there is no copy, the function itself runs, and nothing is known but that.

        Raises:
            LookupError: The runtime does not know the function.
        """
        self.function = function
        self.first = number
        self.bodies: list[Body] = []
        self.vectors: list[bool] = []
        self.unwatched: list[str] = []
        self.compiled: list[str] = []
        self.originals: dict[str, str] = {}
        if not look:
            self.name = function
            self.bodies.append(Body(number, function))
            return
        definition = compat.definition(function)
        if definition is None:
            raise LookupError(f"the runtime knows no function {function}")
        self.name = self._body(definition, Body(number, function), (function,))

    def remove(self) -> None:
        """Take the copies away."""
        for name in self.originals:
            compat.remove(name)

    def _body(self, definition: Any, body: Body, path: tuple[str, ...]) -> str:
        """Register the copy of one function; gives its name."""
        self.bodies.append(body)
        signature = definition.signature
        signature.name = f"{body.function}_watched_{body.number}"
        if any(definition.attr[name].b for name in _COMPILED if name in definition.attr):
            self.compiled.append(body.function)
        for name in _COMPILED:
            definition.attr.pop(name, None)
        looking = _Looking(definition, body)
        for node in looking.live:
            for name in _COMPILED:
                node.attr.pop(name, None)
            self._enter(node, body, path)
        looking.look()
        if body.parent is None:
            self.vectors = looking.give_out()
        elif looking.seen or body.attribute != "cond":
            looking.report()
        compat.add(definition)
        self.originals[signature.name] = body.function
        return str(signature.name)

    def _enter(self, node: Any, body: Body, path: tuple[str, ...]) -> None:
        """Let a node enter copies of the functions that it enters."""
        for attribute in INNER.get(node.op, ()):
            for nth, function in enumerate(compat.functions(node.attr[attribute])):
                definition = compat.definition(function.name)
                if definition is None or function.name in path or len(path) >= DEEPEST:
                    self.unwatched.append(function.name)
                    continue
                number = self.first + len(self.bodies)
                inner = Body(number, function.name, body, node.name, attribute, nth)
                body.inside.append(inner)
                function.name = self._body(definition, inner, (*path, function.name))


class _Looking:
    """Adds to one FunctionDef what looks at its tensors."""

    def __init__(self, definition: Any, body: Body) -> None:
        self._definition = definition
        self._body = body
        self._signature = definition.signature
        self._nodes = {node.name: node for node in definition.node_def}
        self.live = list(self._live())
        self._prefix = _unused("graphlens", [*self._nodes, *(arg.name for arg in self._signature.input_arg)])
        self._ends: dict[bool, list[str]] = {False: [], True: []}
        self._constants: dict[str, str] = {}

    @property
    def seen(self) -> bool:
        """Whether any tensor is looked at."""
        return any(self._ends.values())

    def _live(self) -> Iterator[Any]:
        """The nodes that run, in the definition's order: the runtime leaves out what no output needs."""
        definition, ahead, found = self._definition, [], set()
        ahead += [*definition.ret.values(), *definition.control_ret.values()]
        while ahead:
            name = ahead.pop().lstrip("^").split(":")[0]
            if name not in found and name in self._nodes:
                found.add(name)
                ahead += self._nodes[name].input
        return (node for node in definition.node_def if node.name in found)

    def look(self) -> None:
        """Look at every floating output of every node that runs, at each set of numbers once."""
        types: dict[str, int] = {arg.name: arg.type for arg in self._signature.input_arg}
        names: dict[str, Tensor] = {name: Tensor(name, -1) for name in types}
        roots: dict[Tensor, Tensor] = {}
        looked: dict[Tensor, At] = {}
        for node in self.live:
            for slot, (name, kind) in enumerate(_outputs(node)):
                tensor = names[name] = Tensor(node.name, slot)
                types[name] = kind
                root, source = tensor, name
                if slot == 0 and node.op in _ALIKE and node.input[0] in names:
                    read = names[node.input[0]]
                    root = roots.get(read, read)
                    source = _name_of(root, names) if root.slot < 0 else node.input[0]
                roots[tensor] = root
                if kind not in WIDE and kind not in NARROW:
                    continue
                if root == tensor and node.op == "Const":
                    self._body.fixed[tensor] = _range_of(compat.array(node.attr["value"].tensor))
                elif root in self._body.fixed:
                    self._body.fixed[tensor] = self._body.fixed[root]
                else:
                    if root not in looked:
                        looked[root] = self._add(source, kind, node.device)
                    self._body.ranges[tensor] = looked[root]

    # ── nodes of ours ────────────────────────────────────────────────────────────────────────

    def _add(self, tensor: str, kind: int, device: str) -> At:
        """The minimum and maximum of a tensor."""
        wide = kind in WIDE
        ends = self._ends[wide]
        name = f"{self._prefix}/{len(ends)}{'w' if wide else ''}"
        if kind in _PARTS:
            parts = self._node(f"{name}/parts", "Bitcast", [tensor], device, T=kind, type=_PARTS[kind])
            tensor, kind = f"{parts}:output:0", _PARTS[kind]
        flat = self._node(
            f"{name}/flat", "Reshape", [tensor, self._constant("flat", [-1])], device,
            T=kind, Tshape=compat.INT32,
        )  # fmt: skip
        at = At(wide, len(ends) // 2)
        for what in ("Min", "Max"):
            end = self._node(
                f"{name}/{what.lower()}", what, [f"{flat}:output:0", self._constant("axis", [0])], device,
                T=kind, Tidx=compat.INT32, keep_dims=False,
            )  # fmt: skip
            end = f"{end}:output:0"
            if kind not in (compat.FLOAT, compat.DOUBLE):
                cast = self._node(
                    f"{name}/{what.lower()}/exact", "Cast", [end], device,
                    SrcT=kind, DstT=compat.FLOAT, Truncate=False,
                )  # fmt: skip
                end = f"{cast}:y:0"
            ends.append(end)
        return at

    def _node(self, node: str, op: str, inputs: list[str], device: str = "", **attributes: Any) -> str:
        new = self._definition.node_def.add(name=node, op=op, device=device)
        new.input.extend(inputs)
        for name, value in attributes.items():
            if isinstance(value, bool):
                new.attr[name].b = value
            elif isinstance(value, bytes):
                new.attr[name].s = value
            elif isinstance(value, list):
                new.attr[name].list.SetInParent()
                new.attr[name].list.type.extend(value)
            elif name in ("N", "axis"):
                new.attr[name].i = value
            else:
                new.attr[name].type = value
        return node

    def _constant(self, name: str, values: list[int] | int) -> str:
        """A tensor of whole numbers, made once."""
        if name not in self._constants:
            node = self._node(f"{self._prefix}/{name}", "Const", [], dtype=compat.INT32)
            tensor = self._definition.node_def[-1].attr["value"].tensor
            tensor.dtype = compat.INT32
            tensor.tensor_shape.SetInParent()
            if isinstance(values, list):
                tensor.tensor_shape.dim.add(size=len(values))
            tensor.int_val.extend(values if isinstance(values, list) else [values])
            self._constants[name] = f"{node}:output:0"
        return self._constants[name]

    def _vectors(self) -> list[tuple[bool, str]]:
        """All ranges of one kind as one tensor: (whether it is the wide one, its name)."""
        found = []
        for wide, ends in self._ends.items():
            if ends:
                kind = compat.DOUBLE if wide else compat.FLOAT
                name = f"{self._prefix}/{'wide' if wide else 'ranges'}"
                self._node(name, "Pack", ends, T=kind, N=len(ends), axis=0)
                found.append((wide, f"{name}:output:0"))
        return found

    def give_out(self) -> list[bool]:
        """The ranges are further outputs of the function; whether each is the wide one."""
        given = []
        for wide, tensor in self._vectors():
            name = _unused(
                "graphlens_wide" if wide else "graphlens_ranges",
                [arg.name for arg in (*self._signature.output_arg, *self._signature.input_arg)],
            )
            kind = compat.DOUBLE if wide else compat.FLOAT
            self._signature.output_arg.add(name=name, type=kind)
            self._definition.ret[name] = tensor
            given.append(wide)
        return given

    def report(self) -> None:
        """The ranges are reported when the body has run; its outputs wait for that."""
        body, signature = self._body, self._signature
        inputs, kinds = [self._constant("number", body.number)], [compat.INT32]
        first = signature.input_arg[0] if signature.input_arg else None
        body.reports = True
        body.counts = (
            body.attribute in ("cond", "body")
            and first is not None
            and first.type == compat.INT32
            and "loop_counter" in first.name
        )
        if body.counts and first is not None:
            inputs.append(first.name)
            kinds.append(compat.INT32)
        for wide, tensor in self._vectors():
            inputs.append(tensor)
            kinds.append(compat.DOUBLE if wide else compat.FLOAT)
        inputs += [f"^{inner}" for inner in dict.fromkeys(one.node for one in body.inside)]  # they come first
        says = self._node(
            f"{self._prefix}/report", "PyFunc", inputs, token=compat.REPORT.encode(), Tin=kinds, Tout=[]
        )
        # A side effect alone does not keep it alive in a branch or a loop's condition: the outputs do.
        types = {arg.name: arg.type for arg in signature.output_arg}
        for name, tensor in list(self._definition.ret.items()):
            if types[name] == compat.RESOURCE:
                continue
            waits = self._node(f"{self._prefix}/out/{name}", "Identity", [tensor, f"^{says}"], T=types[name])
            self._definition.ret[name] = f"{waits}:output:0"
        self._definition.control_ret[says] = says
        signature.control_output.append(says)


def _outputs(node: Any) -> Iterator[tuple[str, int]]:
    """The outputs of a node of a FunctionDef: their names there, and types."""
    kind = compat.op_def(node.op)
    for arg in kind.output_arg if kind is not None else ():
        if arg.type_list_attr:
            types = list(node.attr[arg.type_list_attr].list.type)
        else:
            single = arg.type or node.attr[arg.type_attr].type
            types = [single] * (node.attr[arg.number_attr].i if arg.number_attr else 1)
        for index, one in enumerate(types):
            yield f"{node.name}:{arg.name}:{index}", one


def _name_of(tensor: Tensor, names: dict[str, Tensor]) -> str:
    return tensor.node if tensor.slot < 0 else next(name for name, one in names.items() if one == tensor)


def _unused(wanted: str, names: list[str]) -> str:
    """A name that begins no other."""
    while any(name.startswith(wanted) for name in names):
        wanted += "_"
    return wanted


def _range_of(numbers: Any) -> tuple[float, float]:
    """Minimum and maximum; (inf, -inf) of nothing, NaN where there is one."""
    if numbers.dtype.kind == "c":
        numbers = np.stack([numbers.real, numbers.imag])
    if not numbers.size:
        return float("inf"), float("-inf")
    exact = numbers.astype(np.float64)
    return float(exact.min()), float(exact.max())
