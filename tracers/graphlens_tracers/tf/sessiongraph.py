"""What a session runs of a graph: the operations that some fetches need, and what is looked at in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.events import Spec
from graphlens_tracers.tf import compat, flow
from graphlens_tracers.tf.bodies import At, Body, Ran, Tensor
from graphlens_tracers.tf.building import States
from graphlens_tracers.tf.concrete import FLOATS, Function, Functions, Given, Made, in_order, spec_of
from graphlens_tracers.tf.looking import range_of

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
"""Types that are variables: leaves, and no operations that run."""


NUMBER = -1
"""Of the body of a part: no watched function has one of that number."""


class Asked(NamedTuple):
    """What a run is asked for, by names.

    Attributes:
        fetches: Tensors; `targets`: operations, `feeds`: tensors.
        optimised: Whether Grappler rewrites it before it runs.
    """

    fetches: frozenset[str]
    targets: frozenset[str]
    feeds: frozenset[str]
    optimised: bool

    def title(self) -> str:
        """What it is called: after what it is for."""
        names = [*sorted(self.targets), *sorted(name.removesuffix(":0") for name in self.fetches)]
        return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


@dataclass(eq=False)
class Part:
    """The part of a graph that a run needs.

    Attributes:
        function: It as a graph of ours; `body`: where in the numbers of a run its ranges are found.
        outputs: The tensors that are fetched beside what is asked for: first those that are looked at.
        wide: For each that is looked at, whether its range is kept in float64.
        truths: What those behind them are: they say which branches ran.
        fed: The same of tensors that are fed: their names.
        unknown: Rows of operations of which it is never known whether they ran.
        conditional: Rows of those of which it is known, and when they did.
    """

    function: Function
    body: Body
    outputs: list[Any]
    wide: list[bool]
    truths: list[Tensor]
    fed: dict[Tensor, str]
    unknown: frozenset[int]
    conditional: list[tuple[int, flow.Conditions]]

    def ran(self, arrays: Sequence[Any] | None, feeds: dict[str, Any]) -> Ran:
        """What ran, by the tensors that were fetched beside; None: none were."""
        if arrays is None:
            return Ran(self.body, left_out=self.unknown | {row for row, _ in self.conditional})
        ends = [_ends(array) for array in arrays[: len(self.wide)]]
        narrow = [end for end, wide in zip(ends, self.wide, strict=True) if not wide]
        wide = [end for end, wide in zip(ends, self.wide, strict=True) if wide]
        told = zip(self.truths, arrays[len(self.wide) :], strict=True)
        truths = {truth: bool(array) for truth, array in told}
        truths |= {truth: bool(feeds[name]) for truth, name in self.fed.items()}
        left_out = {
            row
            for row, conditions in self.conditional
            if any(truths[truth] != bool(which) for truth, which in conditions)
        }
        return Ran(
            self.body,
            narrow=np.array(narrow, np.float32).reshape(-1),
            wide=np.array(wide, np.float64).reshape(-1),
            left_out=self.unknown | left_out,
        )


def _ends(array: Any) -> tuple[float, float]:
    """Minimum and maximum; (inf, -inf) of nothing, NaN where there is one."""
    flat: npt.NDArray[Any] = np.asarray(array).reshape(-1)
    if not flat.size:
        return float("inf"), float("-inf")
    if flat.dtype.kind == "c":
        flat = np.ascontiguousarray(flat).view(flat.real.dtype)
    elif flat.dtype.kind == "V":  # of NumPy's own types none is bfloat16
        flat = flat.astype(np.float32)
    with np.errstate(all="ignore"):
        return float(flat.min()), float(flat.max())


class Needed:
    """The operations of a graph that a run needs, as they are now.

    Attributes:
        operations: Those, by name, in the order in which they were made.
        given: Its leaves, by the name that inputs have for them.
        made: The operations that are nodes.
    """

    def __init__(self, graph: Any, number: int, asked: Asked, states: States) -> None:
        self._number = number
        self._asked = asked
        found: set[str] = set()
        ahead = [graph.get_tensor_by_name(name).op for name in asked.fetches]
        ahead += [graph.get_operation_by_name(name) for name in asked.targets]
        while ahead:
            op = ahead.pop()
            if op.name not in found:
                found.add(op.name)
                ahead += [tensor.op for tensor in op.inputs if tensor.name not in asked.feeds]
                ahead += op.control_inputs
        places = [(at, op) for at, op in enumerate(graph.get_operations()) if op.name in found]
        self.operations = {op.name: op for _, op in places}
        self.given: dict[str, Given] = {}
        self.made = [self._made(op, states.of(at)) for at, op in places if op.type not in VARIABLES]

    def _made(self, op: Any, state: Any) -> Made:
        return Made(
            op.name, op.type, op.node_def, tuple(self._input(op, tensor) for tensor in op.inputs),
            tuple(control.name for control in op.control_inputs),
            tuple(map(spec_of, op.outputs)), state,
        )  # fmt: skip

    def _input(self, op: Any, tensor: Any) -> Tensor:
        name, shown = tensor.name, tensor.name.removesuffix(":0")
        if name in self._asked.feeds:
            self.given.setdefault(name, Given(name, shown, spec_of(tensor), False, None, "batch"))
        elif op.type in flow.MERGES and tensor.op.type in flow.NEXT:
            # What the iteration before has left: else the graph would be a circle.
            self.given.setdefault(name, Given(name, shown, spec_of(tensor), False, None, "earlier"))
        elif tensor.op.type in VARIABLES:
            key = f"graph {self._number}: {tensor.op.name}"
            self.given.setdefault(name, Given(name, tensor.op.name, _content(tensor), False, key))
        else:
            return Tensor(tensor.op.name, tensor.value_index)
        return Tensor(name, 0)


class Looked:
    """What is looked at in a part of a graph, and what tells which branches ran."""

    def __init__(self, graph: Any, needed: Needed, asked: Asked, order: Sequence[Made], health: bool) -> None:
        self._graph = graph
        self.where = flow.places(order)
        roots = [graph.get_tensor_by_name(name).op.name for name in asked.fetches]
        self._surely = flow.surely(order, [*roots, *asked.targets], asked.optimised)
        self.fixed: dict[Tensor, tuple[float, float]] = {}
        self.ranges: dict[Tensor, At] = {}
        self.wanted: list[Tensor] = []
        self.truths: list[Tensor] = []
        self.fed: dict[Tensor, str] = {}
        self.rewritten = self.in_branches = 0
        if health:
            self._look(needed, order)
            self._ask(needed, asked)

    def _look(self, needed: Needed, order: Sequence[Made]) -> None:
        operations = needed.operations
        references = {
            Tensor(name, slot)
            for name, op in operations.items()
            for slot, tensor in enumerate(op.outputs)
            if tensor.dtype._is_ref_dtype
        }
        references |= {Tensor(op.outputs[0].name, 0) for op in operations.values() if op.type in VARIABLES}
        writes = any(tensor.node in self.where for tensor in references)
        memory = flow.shared(order, references)
        kinds: dict[Tensor, str] = {}
        for one in order:
            for slot, spec in enumerate(one.outputs):
                tensor = Tensor(one.name, slot)
                if spec.dtype not in FLOATS or tensor in references:
                    continue
                if one.kind == "Const":
                    self.fixed[tensor] = range_of(compat.array(one.definition.attr["value"].tensor))
                elif writes and tensor in memory:
                    self.rewritten += 1
                elif not self.where[one.name].always:
                    self.in_branches += not self.where[one.name].loops
                elif self._may_fetch(one.name):
                    kinds[tensor] = FLOATS[spec.dtype]
        same = flow.alike(order, kinds)
        counts = {"f4": 0, "f8": 0}
        for tensor, kind in kinds.items():
            if tensor not in same:
                self.wanted.append(tensor)
                self.ranges[tensor] = At(kind == "f8", counts[kind])
                counts[kind] += 1
        self.ranges |= {tensor: self.ranges[root] for tensor, root in same.items()}

    def _ask(self, needed: Needed, asked: Asked) -> None:
        """Find what is to be known for the branches to be known."""
        truths = {truth for where in self.where.values() for truth, _ in where.conditions or ()}
        for truth in sorted(truths):
            given = needed.given.get(truth.node)
            if given is not None and given.kind == "batch":
                self.fed[truth] = given.name
            elif truth.node in self.where and self.where[truth.node].always and self._may_fetch(truth.node):
                self.truths.append(truth)

    def _may_fetch(self, name: str) -> bool:
        """Whether fetching it can change nothing: it is computed anyway, and the script allows it."""
        return name in self._surely and self._graph.is_fetchable(self._graph.get_operation_by_name(name))

    def conditions(self, name: str) -> flow.Conditions | None:
        """When an operation runs; None where it is not known, or not once in a run."""
        where = self.where[name]
        known = {*self.truths, *self.fed}
        if where.loops or where.conditions is None or any(one not in known for one, _ in where.conditions):
            return None
        return where.conditions


def part_of(
    graph: Any, number: int, serial: int, asked: Asked, states: States, functions: Functions, health: bool
) -> tuple[Part, Looked]:
    """Declare the part of a graph that a run needs.

    Args:
        number: The graph's; `serial`: the part's.
        health: Whether it is looked at.
    """
    needed = Needed(graph, number, asked, states)
    order = in_order(needed.made)
    looked = Looked(graph, needed, asked, order, health)
    title = asked.title()
    function = Function(
        f"session {serial}: {title}", id(graph), order, list(needed.given.values()),
        [one.name for one in order], _lines(needed, functions), "session", title, f"graph {number}",
        frozenset((*looked.ranges, *looked.fixed)),
    )  # fmt: skip
    functions.known[function.name] = function
    functions.declare(function.name)
    rows = {name: looked.conditions(name) for name in function.live}
    outputs = [*looked.wanted, *looked.truths]
    part = Part(
        function,
        Body(NUMBER, function.name, ranges=looked.ranges, fixed=looked.fixed),
        [compat.Output(graph.get_operation_by_name(name).outputs[slot]) for name, slot in outputs],
        [looked.ranges[tensor].wide for tensor in looked.wanted],
        looked.truths,
        looked.fed,
        frozenset(row for row, conditions in enumerate(rows.values()) if conditions is None),
        [(row, conditions) for row, conditions in enumerate(rows.values()) if conditions],
    )
    return part, looked


def _lines(needed: Needed, functions: Functions) -> dict[str, Any]:
    return {one.name: functions.users(needed.operations[one.name].traceback) for one in needed.made}


def _content(tensor: Any) -> Spec:
    """What a variable holds."""
    if tensor.dtype.name != "resource":
        return replace(spec_of(tensor), dtype=tensor.dtype.base_dtype.name)
    attributes = tensor.op.node_def.attr
    shape = attributes["shape"].shape
    sizes = None if shape.unknown_rank else tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return Spec(sizes, compat.type_name(attributes["dtype"].type), tensor.device or "cpu")


def names(tensors: Iterable[Any]) -> frozenset[str]:
    """Of tensors or operations."""
    return frozenset(one.name for one in tensors)
