"""Watched functions: what runs instead of a function of the script's, so that its numbers are seen.

A watched function is a copy of the script's, of its FunctionDef as the runtime has it, with the
minimum and maximum of every floating tensor beside it. The script's own graphs and functions stay
as they are: what it exports, prints or differentiates knows nothing of the copy.

What was seen is one more output, a vector. That of a body holds its number, its ranges, and the
vectors of the bodies inside of it: branches and called functions give out theirs, a loop collects
those of its iterations in a list.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.tf import compat

Vector = npt.NDArray[np.float32]

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

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")
INNER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_CALLS, ("f",)),
    **dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch")),
    **dict.fromkeys(("Case", "StatelessCase"), ("branches",)),
    **dict.fromkeys(_LOOPS, ("cond", "body")),
}
"""Types that enter functions, and by which attributes."""
_COMPILED = ("_XlaMustCompile", "_XlaCompile")
"""Attributes that let XLA compile."""
DEEPEST = 32
"""Functions inside of functions that are watched; those further in run as they are."""
_serial = itertools.count()


class Tensor(NamedTuple):
    """An output of a node of a FunctionDef, or one of its arguments (`slot` -1)."""

    node: str
    slot: int


class At(NamedTuple):
    """Where a range is found: among those in float64 or those in float32, and the how many-th it is."""

    wide: bool
    pair: int


@dataclass(eq=False)
class Body:
    """One function inside a watched one, at one place where it is entered.

    Attributes:
        number: What its vector begins with.
        function: Its name, as the script's.
        parent: The body in which `node` enters it; None for the outermost.
        attribute: By which of the node's attributes; `nth`: which of several branches.
        ranges: Where the range of an output is found in its vector.
        narrow, wide: How many ranges there are, in float32 and in float64.
        fixed: Ranges of constants.
        names: Of all nodes of its FunctionDef: TensorFlow renames a node where an output has its name.
        told: Whether it has a vector: a loop's condition without floating tensors has none.
        copy: The name of its copy.
    """

    number: int
    function: str
    parent: Body | None = None
    node: str = ""
    attribute: str = ""
    nth: int = 0
    ranges: dict[Tensor, At] = field(default_factory=dict)
    narrow: int = 0
    wide: int = 0
    fixed: dict[Tensor, tuple[float, float]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    told: bool = True
    copy: str = ""
    inside: list[Body] = field(default_factory=list)


@dataclass(eq=False)
class Ran:
    """One execution of a body.

    Attributes:
        iteration: Of a loop; None outside of loops.
        narrow, wide: Its minima and maxima in turn; None when it told none.
        inside: What ran inside of it, in order.
    """

    body: Body
    iteration: int | None = None
    narrow: Vector | None = None
    wide: npt.NDArray[np.float64] | None = None
    inside: list[Ran] = field(default_factory=list)


class Watched:
    """A function of the script's, and its copy.

    Attributes:
        name: Of the copy.
        bodies: By number; the first is the outermost.
        outputs: How many more outputs the copy has.
        unwatched: Functions that it enters, and which run as they are.
        compiled: Those of its functions that XLA would compile.
        originals: By the name of each copy, what it is a copy of.
    """

    def __init__(self, function: str, look: bool = True) -> None:
        """`look`: False: there is no copy, the function itself runs, and nothing is known but that.

        Raises:
            LookupError: The runtime does not know the function.
        """
        self.function = function
        self.bodies: list[Body] = []
        self.outputs = int(look)
        self.unwatched: list[str] = []
        self.compiled: list[str] = []
        self.originals: dict[str, str] = {}
        if not look:
            self.name = function
            self._body_of(function)
            return
        definition = compat.definition(function)
        if definition is None:
            raise LookupError(f"the runtime knows no function {function}")
        self.name = self._copy(definition, self._body_of(function), (function,))

    def remove(self) -> None:
        """Take the copies away."""
        for name in self.originals:
            compat.remove(name)

    # ── what it told ─────────────────────────────────────────────────────────────────────────

    def ran(self, vector: Vector | None) -> Ran:
        """What ran in one execution, by the vector that it gave out; None: it told nothing."""
        if vector is None:
            return Ran(self.bodies[0])
        found, stop = self._read(vector, 0, None)
        assert stop == len(vector), f"{self.function}: {len(vector)} numbers told, {stop} understood"
        return found

    def _read(self, vector: Vector, at: int, iteration: int | None) -> tuple[Ran, int]:
        """The body whose vector begins at a place, and where it ends."""
        body = self.bodies[int(vector[at])]
        wide = at + 1 + 2 * body.narrow
        stop = wide + 4 * body.wide
        ran = Ran(body, iteration, vector[at + 1 : wide], vector[wide:stop].view(np.float64))
        for node, inner in itertools.groupby(body.inside, key=lambda one: one.node):
            entered = list(inner)
            if entered[0].attribute not in ("cond", "body"):
                one, stop = self._read(vector, stop, None)
                ran.inside.append(one)
                continue
            cond, again = entered
            assert cond.node == node
            for k in itertools.count():
                if cond.told:
                    one, stop = self._read(vector, stop, k)
                    ran.inside.append(one)
                else:
                    ran.inside.append(Ran(cond, k))
                if stop >= len(vector) or int(vector[stop]) != again.number:
                    break
                one, stop = self._read(vector, stop, k)
                ran.inside.append(one)
        return ran, stop

    # ── the copy ─────────────────────────────────────────────────────────────────────────────

    def _body_of(
        self, function: str, parent: Body | None = None, node: str = "", attribute: str = "", nth: int = 0
    ) -> Body:
        body = Body(len(self.bodies), function, parent, node, attribute, nth)
        self.bodies.append(body)
        if parent is not None:
            parent.inside.append(body)
        return body

    def _copy(self, definition: Any, body: Body, path: tuple[str, ...], told: str = "vector") -> str:
        """Register the copy of one function; gives its name.

        Args:
            told: "vector": it is one more output; "list": it is put into one, which is its last argument.
        """
        if any(definition.attr[name].b for name in _COMPILED if name in definition.attr):
            self.compiled.append(body.function)
        looking = Looking(definition, body)
        looking.look()
        vectors = [vector for node in looking.live for vector in self._enter(looking, node, body, path)]
        if told == "vector":
            looking.give_out(looking.vector(vectors))
        elif body.parent is not None:
            cond = body.parent.inside[body.parent.inside.index(body) - 1]
            before = [looking.condition(cond.copy)] if cond.told else []
            looking.put_into_list(looking.vector(vectors, before))
        body.copy = self._register(definition, body)
        return body.copy

    def _register(self, definition: Any, body: Body) -> str:
        for part in (definition, *definition.node_def):
            for name in _COMPILED:
                part.attr.pop(name, None)
        name = definition.signature.name = f"{body.function}_watched_{next(_serial)}"
        compat.add(definition)
        self.originals[name] = body.function
        return str(name)

    def _enter(self, looking: Looking, node: Any, body: Body, path: tuple[str, ...]) -> list[str]:
        """Let a node enter copies of the functions that it enters; gives the vectors that come of it."""
        entered = [
            (attribute, nth, function)
            for attribute in INNER.get(node.op, ())
            for nth, function in enumerate(compat.functions(node.attr[attribute]))
        ]
        definitions = [compat.definition(function.name) for _, _, function in entered]
        if not entered:
            return []
        if None in definitions or len(path) >= DEEPEST or any(one.name in path for _, _, one in entered):
            self.unwatched += [function.name for _, _, function in entered]
            return []
        inner = [
            self._body_of(function.name, body, node.name, attribute, nth)
            for attribute, nth, function in entered
        ]
        if node.op in _LOOPS:
            return self._loop(looking, node, inner, definitions, path)
        for one, definition, (_, _, function) in zip(inner, definitions, entered, strict=True):
            function.name = self._copy(definition, one, (*path, one.function))
        return [looking.one_more_output(node)]

    def _loop(
        self,
        looking: Looking,
        node: Any,
        inner: list[Body],
        definitions: Sequence[Any],
        path: tuple[str, ...],
    ) -> list[str]:
        """A loop: its iterations put their vectors into a list."""
        (cond, again), (condition, iteration) = inner, definitions
        seen = Looking(condition, cond)
        cond.told = seen.is_pure() and seen.has_floats()
        if not cond.told and seen.has_floats():
            self.unwatched.append(cond.function)
        if cond.told:
            self._copy(compat.definition(cond.function), cond, (*path, cond.function))
        again_name = self._copy(iteration, again, (*path, again.function), "list")
        seen.one_more_argument()
        node.attr["cond"].func.name = self._register(condition, cond)
        node.attr["body"].func.name = again_name
        outputs = len(node.attr["T"].list.type)
        vectors = [looking.collect(node)]
        if cond.told:  # once more than the body
            given = [f"{node.name}:output:{k}" for k in range(outputs)]
            vectors.append(looking.condition(cond.copy, given, list(node.attr["T"].list.type)[:outputs]))
        return vectors


class Looking:
    """Adds to one FunctionDef what looks at its tensors."""

    def __init__(self, definition: Any, body: Body) -> None:
        self._definition = definition
        self._body = body
        self._signature = definition.signature
        self._arguments = [(arg.name, arg.type) for arg in self._signature.input_arg]
        self._nodes = {node.name: node for node in definition.node_def}
        body.names = list(self._nodes)
        self.live = list(self._live())
        self._prefix = _unused("graphlens", [*self._nodes, *(name for name, _ in self._arguments)])
        self._ends: dict[bool, list[str]] = {False: [], True: []}
        self._constants: dict[str, str] = {}
        self._count = 0

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

    def is_pure(self) -> bool:
        """Whether it may run twice: it neither changes nor reads anything but its arguments."""
        kinds = [compat.op_def(node.op) for node in self.live]
        return all(kind is not None and not kind.is_stateful for kind in kinds) and not any(
            node.op in INNER for node in self.live
        )

    def has_floats(self) -> bool:
        """Whether any of its nodes makes numbers that are looked at."""
        return any(
            kind in WIDE or kind in NARROW
            for node in self.live
            if node.op != "Const"
            for _, kind in _outputs(node)
        )

    def look(self) -> None:
        """Look at every floating output of every node that runs, at each set of numbers once."""
        names: dict[str, Tensor] = {name: Tensor(name, -1) for name, _ in self._arguments}
        said = {tensor: name for name, tensor in names.items()}
        roots: dict[Tensor, Tensor] = {}
        looked: dict[Tensor, At] = {}
        for node in self.live:
            for slot, (name, kind) in enumerate(_outputs(node)):
                tensor = names[name] = Tensor(node.name, slot)
                said[tensor] = name
                root = tensor
                if slot == 0 and node.op in _ALIKE and node.input[0] in names:
                    read = names[node.input[0]]
                    root = roots.get(read, read)
                roots[tensor] = root
                if kind not in WIDE and kind not in NARROW:
                    continue
                if root == tensor and node.op == "Const":
                    self._body.fixed[tensor] = _range_of(compat.array(node.attr["value"].tensor))
                elif root in self._body.fixed:
                    self._body.fixed[tensor] = self._body.fixed[root]
                else:
                    if root not in looked:
                        looked[root] = self._add(said[root], kind, node.device)
                    self._body.ranges[tensor] = looked[root]

    # ── what it tells ────────────────────────────────────────────────────────────────────────

    def vector(self, inner: list[str], before: Sequence[str] = ()) -> str:
        """The body's vector, `before` it others, and those inside of it."""
        body = self._body
        number = self._constant("number", float(body.number))
        narrow, wide = self._ends[False], self._ends[True]
        body.narrow, body.wide = len(narrow) // 2, len(wide) // 2
        parts = [*before, self._packed([number, *narrow], compat.FLOAT)]
        if wide:
            halves = self._node(
                "Bitcast", [self._packed(wide, compat.DOUBLE)], T=compat.DOUBLE, type=compat.FLOAT
            )
            parts.append(self._flat(f"{halves}:output:0", compat.FLOAT))
        parts += inner
        return self._joined(parts)

    def give_out(self, vector: str) -> None:
        """The vector is one more output of the function."""
        name = self._unused_name("graphlens_seen")
        self._signature.output_arg.add(name=name, type=compat.FLOAT)
        self._definition.ret[name] = vector

    def one_more_argument(self) -> str:
        """A list is one more argument of the function; gives its name."""
        name = self._unused_name("graphlens_list")
        self._signature.input_arg.add(name=name, type=compat.VARIANT)
        return name

    def put_into_list(self, vector: str) -> None:
        """The vector is put into a list, which is one more argument and one more output."""
        given = self.one_more_argument()
        longer = self._node("TensorListPushBack", [given, vector], element_dtype=compat.FLOAT)
        name = self._unused_name("graphlens_list_out")
        self._signature.output_arg.add(name=name, type=compat.VARIANT)
        self._definition.ret[name] = f"{longer}:output_handle:0"

    def one_more_output(self, node: Any) -> str:
        """What a node enters gives out one more vector, and so does the node; gives its name."""
        types = node.attr["Tout"].list.type
        types.append(compat.FLOAT)
        self._shaped(node, 1)
        return f"{node.name}:output:{len(types) - 1}"

    def collect(self, node: Any) -> str:
        """A loop carries a list, empty at first; gives all that is in it in the end as one vector."""
        empty = self._node(
            "EmptyTensorList", [self._constant("any", [-1]), self._constant("unbounded", -1)],
            element_dtype=compat.FLOAT, shape_type=compat.INT32,
        )  # fmt: skip
        types = node.attr["T"].list.type
        controls = [name for name in node.input if name.startswith("^")]
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend([*data, f"{empty}:handle:0", *controls])
        types.append(compat.VARIANT)
        self._shaped(node, 0)
        no_lengths = self._constant("no lengths", [], compat.INT64)
        joined = self._node(
            "TensorListConcatV2",
            [f"{node.name}:output:{len(types) - 1}", self._constant("any", [-1]), no_lengths],
            element_dtype=compat.FLOAT, shape_type=compat.INT32,
        )  # fmt: skip
        return f"{joined}:tensor:0"

    def condition(self, name: str, given: Sequence[str] = (), types: Sequence[int] = ()) -> str:
        """The vector of a loop's condition, which a copy of it computes anew; by default of the arguments."""
        given = given or [argument for argument, _ in self._arguments]
        types = types or [kind for _, kind in self._arguments]
        call = self._node("PartitionedCall", given, Tin=list(types), Tout=[compat.BOOL, compat.FLOAT], f=name)
        return f"{call}:output:1"

    def _shaped(self, node: Any, rank: int) -> None:
        if "output_shapes" not in node.attr:
            return
        shapes = node.attr["output_shapes"].list.shape
        if len(shapes):  # none is said: nothing is known
            shape = shapes.add()
            shape.SetInParent()
            for _ in range(rank):
                shape.dim.add(size=-1)

    # ── nodes of ours ────────────────────────────────────────────────────────────────────────

    def _add(self, tensor: str, kind: int, device: str) -> At:
        """The minimum and maximum of a tensor."""
        wide = kind in WIDE
        if kind in _PARTS:
            parts = self._node("Bitcast", [tensor], device, T=kind, type=_PARTS[kind])
            tensor, kind = f"{parts}:output:0", _PARTS[kind]
        flat = self._flat(tensor, kind, device)
        ends = self._ends[wide]
        at = At(wide, len(ends) // 2)
        for op in ("Min", "Max"):
            end = self._node(
                op, [flat, self._constant("first", [0])], device, T=kind, Tidx=compat.INT32, keep_dims=False
            )
            end = f"{end}:output:0"
            if kind not in (compat.FLOAT, compat.DOUBLE):
                end = f"{self._node('Cast', [end], device, SrcT=kind, DstT=compat.FLOAT, Truncate=False)}:y:0"
            ends.append(end)
        return at

    def _flat(self, tensor: str, kind: int, device: str = "") -> str:
        flat = self._node(
            "Reshape", [tensor, self._constant("any", [-1])], device, T=kind, Tshape=compat.INT32
        )
        return f"{flat}:output:0"

    def _packed(self, scalars: list[str], kind: int) -> str:
        return f"{self._node('Pack', scalars, T=kind, N=len(scalars), axis=0)}:output:0"

    def _joined(self, vectors: list[str]) -> str:
        if len(vectors) == 1:
            return vectors[0]
        joined = self._node(
            "ConcatV2",
            [*vectors, self._constant("zero", 0)],
            T=compat.FLOAT,
            N=len(vectors),
            Tidx=compat.INT32,
        )
        return f"{joined}:output:0"

    def _node(self, op: str, inputs: Sequence[str], device: str = "", **attributes: Any) -> str:
        """Add a node; gives its name. Attributes: types by number, lists of them, functions by name."""
        name = f"{self._prefix}/{self._count}"
        self._count += 1
        new = self._definition.node_def.add(name=name, op=op, device=device)
        new.input.extend(inputs)
        for key, value in attributes.items():
            if isinstance(value, bool):
                new.attr[key].b = value
            elif isinstance(value, str):
                new.attr[key].func.name = value
            elif isinstance(value, list):
                new.attr[key].list.SetInParent()
                new.attr[key].list.type.extend(value)
            elif key in ("N", "axis"):
                new.attr[key].i = value
            else:
                new.attr[key].type = value
        return name

    def _constant(self, name: str, value: list[int] | int | float, kind: int = compat.INT32) -> str:
        """A number or a list of them, made once."""
        if name not in self._constants:
            kind = compat.FLOAT if isinstance(value, float) else kind
            node = self._node("Const", [], dtype=kind)
            tensor = self._definition.node_def[-1].attr["value"].tensor
            tensor.dtype = kind
            tensor.tensor_shape.SetInParent()
            if isinstance(value, list):
                tensor.tensor_shape.dim.add(size=len(value))
            values = value if isinstance(value, list) else [value]
            (tensor.float_val if kind == compat.FLOAT else tensor.int_val).extend(values)
            self._constants[name] = f"{node}:output:0"
        return self._constants[name]

    def _unused_name(self, wanted: str) -> str:
        taken = [arg.name for arg in (*self._signature.output_arg, *self._signature.input_arg)]
        return _unused(wanted, taken)


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
