"""Adds to a FunctionDef what looks at its tensors, and what hands on what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.births import BEARERS, MARK, Births, Read
from graphlens_tracers.tf.bodies import INNER, At, Body, Open, Tensor
from graphlens_tracers.tf.definitions import add_constant, add_node

WIDE = frozenset((compat.DOUBLE, compat.COMPLEX128))
"""Kept as float64."""
NARROW = frozenset((compat.FLOAT, compat.HALF, compat.BFLOAT16, compat.COMPLEX64))
"""Kept as float32, which holds them exactly."""
_PARTS = {compat.COMPLEX64: compat.FLOAT, compat.COMPLEX128: compat.DOUBLE}

ALIKE = frozenset((
    "Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "Transpose",
    "Snapshot", "CheckNumerics", "DeepCopy", "PlaceholderWithDefault", "EnsureShape", "ReverseV2", "Roll",
))  # fmt: skip
"""Types whose first output has just the numbers of their first input: one look is enough for both."""


_UNKNOWN = Tensor("", 0)
"""An output of a node of which we know nothing."""
OURS = "graphlens"
"""How the names of our nodes begin."""


class Looking:
    """Adds to one FunctionDef what looks at its tensors."""

    def __init__(
        self, definition: Any, body: Body, outer: Looking | None = None, given: Sequence[str] = ()
    ) -> None:
        """Nothing is looked at yet.

        Args:
            outer: The function around it; None: what its arguments are there is of no use.
            given: What those are there, in order.
        """
        self._definition = definition
        self._body = body
        self._outer, self._given = outer, given
        self._signature = definition.signature
        self._arguments = [(arg.name, arg.type) for arg in self._signature.input_arg]
        self._nodes = {node.name: node for node in definition.node_def}
        body.names = list(self._nodes)
        self.live = list(self._live())
        self._prefix = _unused(OURS, [*self._nodes, *(name for name, _ in self._arguments)])
        self._ends: dict[bool, list[str]] = {False: [], True: []}
        self._constants: dict[str, str] = {}
        self._shapes: list[str] = []
        self._kinds = dict(self._arguments)  # by name, the type of a tensor
        self._born: list[str] = []
        self._lookers: dict[Tensor, list[str]] = {}  # by root, the nodes of ours that read it
        self._count = 0
        self._names = {name: Tensor(name, -1) for name, _ in self._arguments}
        self._said = {tensor: name for name, tensor in self._names.items()}
        self._roots: dict[Tensor, Tensor] = {}  # by tensor, the one whose numbers it has
        self._has_told = False
        self._loops: dict[str, Looking] = {}

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
        return _is_pure(self.live, ())

    def is_telling(self) -> bool:
        """Whether there is anything to tell of it: numbers that are looked at, or what it enters."""
        return any(
            node.op in INNER or any(kind in WIDE or kind in NARROW for _, kind in outputs_of(node))
            for node in self.live
            if node.op != "Const"
        )

    def look(self) -> None:
        """Look at every floating output of every node that runs, at each set of numbers once."""
        body = self._body
        found: list[tuple[Tensor, int, str]] = []
        for node in self.live:
            for slot, (name, kind) in enumerate(outputs_of(node)):
                tensor = self._names[name] = Tensor(node.name, slot)
                self._kinds[name] = kind
                self._said[tensor] = name
                if slot == 0 and node.op in ALIKE and node.input[0] in self._names:
                    self._roots[tensor] = self._root(node.input[0])
                if kind in WIDE or kind in NARROW:
                    found.append((tensor, kind, node.device))
                    if node.op == "Const":
                        body.fixed[tensor] = range_of(compat.array(node.attr["value"].tensor))
        self._locate()
        for tensor, kind, device in found:
            root = self._roots.get(tensor, tensor)
            if root in body.fixed:
                body.fixed[tensor] = body.fixed[root]
            elif root in body.ranges or not self._is_elsewhere(root):
                body.ranges[tensor] = self._look_at(root, kind, device)
            elif root != tensor:
                body.alike[tensor] = root

    def _look_at(self, root: Tensor, kind: int, device: str = "") -> At:
        ranges = self._body.ranges
        if root not in ranges:
            at = ranges[root] = self._add(self._said[root], kind, device)
            ends = self._ends[at.wide][-2:]
            self._lookers.setdefault(root, []).extend(end.partition(":")[0] for end in ends)
        return ranges[root]

    # ── what is known elsewhere ──────────────────────────────────────────────────────────────

    def _root(self, name: str) -> Tensor:
        """The first tensor that has just the numbers of this one."""
        tensor = self._names.get(name, _UNKNOWN)
        return self._roots.get(tensor, tensor)

    def _locate(self) -> None:
        """Say what its arguments are around it, and what it gives out."""
        body, outer = self._body, self._outer
        body.arguments = [Tensor(name, -1) for name, _ in self._arguments]
        results = self._definition.ret
        body.gives = [self._root(results[arg.name]) for arg in self._signature.output_arg]
        if outer is not None:
            body.gets = [outer._root(name) for name in self._given]
            if body.attribute == "body":
                outer._loops[body.node] = self

    def _is_elsewhere(self, root: Tensor) -> bool:
        """Whether the range of a tensor is told by the function around, or by another iteration."""
        if root.slot < 0:
            return self._is_given(root)
        return root in self._body.popped or self._is_popped(root)

    def _is_given(self, argument: Tensor) -> bool:
        """Whether an argument's range is told: around, and in a loop also by the iteration before."""
        if self._outer is None:
            return False
        at = self._body.arguments.index(argument)
        back = self._body.gives[at] if self._body.attribute == "body" else argument
        return (back.slot >= 0 or back == argument) and self._outer._tells(self._given[at])

    def _tells(self, name: str) -> bool:
        """Whether the range of a tensor is told, from now on if need be."""
        body, root = self._body, self._root(name)
        if root in body.ranges or root in body.fixed or root in body.popped:
            return True
        if root.slot < 0 and self._is_given(root):
            return True
        if root.slot < 0 and not self._has_told:
            self._look_at(root, dict(self._arguments)[root.node])
            return True
        return False

    def _is_popped(self, root: Tensor) -> bool:
        """Whether a tensor was put into a list by an earlier loop, of which each iteration here takes one."""
        node, body = self._nodes.get(root.node), self._body
        if node is None or node.op != "TensorListPopBack" or root.slot != 1 or self._outer is None:
            return False
        taken = self._root(node.input[0])
        if taken not in body.arguments or body.attribute != "body":
            return False
        at = body.arguments.index(taken)
        end = self._outer._root(self._given[at])
        loop = self._outer._loops.get(end.node)
        pushed = loop._pushed(end.slot) if loop is not None else None
        if pushed is None or body.gives[at] != Tensor(root.node, 0):
            return False
        body.popped[root] = pushed
        return True

    def _pushed(self, at: int) -> tuple[Body, Tensor] | None:
        """What each iteration of this loop puts into a list, empty at first, that it hands on."""
        body, outer = self._body, self._outer
        push = self._nodes.get(body.gives[at].node)
        if outer is None or push is None or push.op != "TensorListPushBack":
            return None
        begin = outer._nodes.get(outer._root(self._given[at]).node)
        is_list = self._root(push.input[0]) == body.arguments[at]
        if not is_list or begin is None or begin.op != "EmptyTensorList" or not self._tells(push.input[1]):
            return None
        return body, self._root(push.input[1])

    def look_at_shapes(self, wanted: Sequence[Open]) -> None:
        """Look at the shapes of these outputs, as far as they run."""
        running = {node.name for node in self.live}
        for one in wanted:
            node = self._nodes[self._body.names[one.at]]
            if node.name in running:
                name, kind = list(outputs_of(node))[one.slot]
                shape = self._node("Shape", [name], node.device, T=kind, out_type=compat.INT32)
                self._shapes.append(f"{shape}:output:0")
                self._body.open.append(one)
                tensor = Tensor(node.name, one.slot)
                self._lookers.setdefault(self._roots.get(tensor, tensor), []).append(shape)

    def ask_for_births(self, births: Births, spared: Collection[int]) -> None:
        """Ask the operations that can make what is not finite for their elements, when they have.

        Args:
            spared: Which operations of the FunctionDef are not asked.
        """
        names = {self._body.names[at] for at in spared}
        summed = {self._root(name) for node in self.live if node.op == "AddN" for name in node.input}
        for node in self.live:
            at = self._body.ranges.get(Tensor(node.name, 0)) if node.op in BEARERS else None
            made = next(outputs_of(node), None)
            if at is None or made is None or node.name in names:
                continue
            kinds = [self._kinds.get(name, -1) for name in node.input if not name.startswith("^")]
            read = [
                Read(k, node.input[k], kind) for k, kind in enumerate(kinds) if kind in WIDE or kind in NARROW
            ]
            # A sum adds into memory that nobody else holds, and must not find that a branch still does.
            free = summed.isdisjoint(self._root(name) for name in (made[0], *(one.name for one in read)))
            asked = births.ask(node, made[1], read) if free else None
            if asked is not None:
                kind = compat.DOUBLE if at.wide else compat.FLOAT
                low, high = self._ends[at.wide][2 * at.pair : 2 * at.pair + 2]
                width = self._node("Sub", [high, low], node.device, T=kind)
                finite = self._node("IsFinite", [f"{width}:z:0"], node.device, T=kind)
                number = add_constant(self._definition, self._next(), [MARK, asked.number], compat.FLOAT)
                then, otherwise = births.branches(asked.kinds)
                branch = self._node(
                    "If", [f"{finite}:y:0", f"{number}:output:0", made[0], *(one.name for one in read)],
                    Tcond=compat.BOOL, Tin=[compat.FLOAT, *asked.kinds], Tout=[compat.FLOAT],
                    then_branch=then, else_branch=otherwise, _lower_using_switch_merge=True,
                )  # fmt: skip
                self._born.append(f"{branch}:output:0")

    def let_sums_wait(self) -> None:
        """Let AddN run only when its inputs have been looked at.

        It sums into the first of them that nobody else holds, and begins with that one: were one being
        looked at meanwhile, the same numbers would be added in another order.
        """
        for node in self.live:
            if node.op == "AddN":
                added = [self._names[name] for name in node.input if name in self._names]
                for root in sorted({self._roots.get(one, one) for one in added}):
                    node.input.extend(f"^{looker}" for looker in self._lookers.get(root, ()))

    # ── what it tells ────────────────────────────────────────────────────────────────────────

    def vector(self, inner: list[str], before: Sequence[str] = ()) -> str:
        """The body's vector, `before` it others, and those inside of it."""
        body, self._has_told = self._body, True
        number = self._constant("number", float(body.number))
        narrow, wide = self._ends[False], self._ends[True]
        body.narrow, body.wide = len(narrow) // 2, len(wide) // 2
        parts = [*before, self._packed([number, *narrow], compat.FLOAT)]
        if wide:
            halves = self._node(
                "Bitcast", [self._packed(wide, compat.DOUBLE)], T=compat.DOUBLE, type=compat.FLOAT
            )
            parts.append(self._flat(f"{halves}:output:0", compat.FLOAT))
        if self._shapes:
            shapes = self._joined(self._shapes, compat.INT32)
            bits = self._node("Bitcast", [shapes], T=compat.INT32, type=compat.FLOAT)
            parts.append(f"{bits}:output:0")
        parts += [*self._born, *inner]
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
            "EmptyTensorList", [self._constant("last", [-1]), self._constant("unbounded", -1)],
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
            [f"{node.name}:output:{len(types) - 1}", self._constant("last", [-1]), no_lengths],
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
                op, [flat, self._constant("last", [-1])], device, T=kind, Tidx=compat.INT32, keep_dims=False
            )
            end = f"{end}:output:0"
            if kind not in (compat.FLOAT, compat.DOUBLE):
                end = f"{self._node('Cast', [end], device, SrcT=kind, DstT=compat.FLOAT, Truncate=False)}:y:0"
            ends.append(end)
        return at

    def _flat(self, tensor: str, kind: int, device: str = "") -> str:
        flat = self._node(
            "Reshape", [tensor, self._constant("last", [-1])], device, T=kind, Tshape=compat.INT32
        )
        return f"{flat}:output:0"

    def _packed(self, scalars: list[str], kind: int) -> str:
        return f"{self._node('Pack', scalars, T=kind, N=len(scalars), axis=0)}:output:0"

    def _joined(self, vectors: list[str], kind: int = compat.FLOAT) -> str:
        if len(vectors) == 1:
            return vectors[0]
        joined = self._node(
            "ConcatV2",
            [*vectors, self._constant("zero", 0)],
            T=kind,
            N=len(vectors),
            Tidx=compat.INT32,
        )
        return f"{joined}:output:0"

    def _node(self, op: str, inputs: Sequence[str], device: str = "", **attributes: Any) -> str:
        """Add a node; gives its name. Attributes as `add_node` takes them."""
        return add_node(self._definition, self._next(), op, inputs, device, **attributes)

    def _constant(self, name: str, value: list[int] | int | float, kind: int = compat.INT32) -> str:
        """A number or a list of them, made once."""
        if name not in self._constants:
            kind = compat.FLOAT if isinstance(value, float) else kind
            self._constants[name] = f"{add_constant(self._definition, self._next(), value, kind)}:output:0"
        return self._constants[name]

    def _next(self) -> str:
        self._count += 1
        return f"{self._prefix}/{self._count - 1}"

    def _unused_name(self, wanted: str) -> str:
        taken = [arg.name for arg in (*self._signature.output_arg, *self._signature.input_arg)]
        return _unused(wanted, taken)


def _is_pure(nodes: Iterable[Any], path: tuple[str, ...]) -> bool:
    """Whether these nodes, and what they enter, only compute; `path`: the functions they are in."""
    for node in nodes:
        kind = compat.op_def(node.op)
        if kind is None or kind.is_stateful:
            return False
        for attribute in INNER.get(node.op, ()):
            for function in compat.functions(node.attr[attribute]):
                inside = None if function.name in path else compat.definition(function.name)
                if inside is None or not _is_pure(inside.node_def, (*path, function.name)):
                    return False
    return True


def outputs_of(node: Any) -> Iterator[tuple[str, int]]:
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


def range_of(numbers: Any) -> tuple[float, float]:
    """Minimum and maximum; (inf, -inf) of nothing, NaN where there is one."""
    if numbers.dtype.kind == "c":
        numbers = np.stack([numbers.real, numbers.imag])
    if not numbers.size:
        return float("inf"), float("-inf")
    exact = numbers.astype(np.float64)
    return float(exact.min()), float(exact.max())
