"""What a session runs of a graph: the operations that some fetches need, and what is looked at in them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from graphlens_tracers.events import Spec
from graphlens_tracers.tf import compat, flow
from graphlens_tracers.tf.bodies import At, Body, Ran, Tensor, Vector
from graphlens_tracers.tf.building import States
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.function import FLOATS, Function, Given, Made, in_order, spec_of
from graphlens_tracers.tf.handles import handles
from graphlens_tracers.tf.looking import range_of

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
"""Types that are variables: leaves, and no operations that run."""


NOTHING = (float("inf"), float("-inf"))
"""The range of no numbers."""
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
        outputs: The tensors that are looked at, and behind them those that say which branches ran.
        places: For each that is looked at, where its range goes; `when`: when it is there to be looked at.
        truths: What those behind them are.
        fed: The same of tensors that are fed: their names.
        unknown: Rows of operations of which it is never known whether they ran.
        conditional: Rows of those of which it is known, and when they did.
    """

    function: Function
    body: Body
    outputs: list[Any]
    places: list[At]
    when: list[flow.Conditions]
    truths: list[Tensor]
    fed: dict[Tensor, str]
    unknown: frozenset[int]
    conditional: list[tuple[int, flow.Conditions]]
    _known: dict[tuple[frozenset[int], bool], Ran] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.body.wide = sum(at.wide for at in self.places)
        self.body.narrow = len(self.places) - self.body.wide

    def chosen(self, feeds: Mapping[str, Any]) -> list[int]:
        """Which of `outputs` are fetched, by what is fed."""
        known = self._fed(feeds)
        looked = [k for k, conditions in enumerate(self.when) if _holds(conditions, known)]
        return looked + list(range(len(self.when), len(self.outputs)))

    def ran(self, arrays: Mapping[int, Any] | None, feeds: Mapping[str, Any]) -> Ran:
        """What ran, by the tensors that were fetched, by their places in `outputs`; None: none were."""
        if arrays is None:
            return self._ran_so(self.unknown | {row for row, _ in self.conditional}, None)
        ends = {
            wide: np.tile(np.array(NOTHING, np.float64), (sum(at.wide is wide for at in self.places), 1))
            for wide in (False, True)
        }
        for k, at in enumerate(self.places):
            if k in arrays:
                ends[at.wide][at.pair] = _ends(arrays[k])
        known = self._fed(feeds)
        known |= {truth: bool(arrays[k]) for k, truth in enumerate(self.truths, len(self.when))}
        left_out = {row for row, conditions in self.conditional if not _holds(conditions, known)}
        narrow, wide = ends[False].astype(np.float32).reshape(-1), ends[True].reshape(-1)
        told = np.concatenate([np.array([NUMBER], np.float32), narrow, wide.view(np.float32)])
        return self._ran_so(self.unknown | left_out, told)

    def _ran_so(self, left_out: frozenset[int], told: Vector | None) -> Ran:
        """The same one each time that the same has run."""
        key = left_out, told is None
        ran = self._known.get(key)
        if ran is None:
            ran = self._known[key] = Ran(self.body, at=-1 if told is None else 0, left_out=left_out)
        ran.told = told
        return ran

    def _fed(self, feeds: Mapping[str, Any]) -> dict[Tensor, bool]:
        values = {truth: np.asarray(feeds[name]) for truth, name in self.fed.items()}
        return {truth: bool(value) for truth, value in values.items() if value.size == 1}


def _holds(conditions: flow.Conditions, known: Mapping[Tensor, bool]) -> bool:
    return all(truth in known and known[truth] == bool(which) for truth, which in conditions)


def _ends(array: Any) -> tuple[float, float]:
    """Minimum and maximum; (inf, -inf) of nothing, NaN where there is one."""
    flat: Any = np.asarray(array).reshape(-1)
    if not flat.size:
        return NOTHING
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
            self.given.setdefault(name, Given(name, shown, spec_of(tensor), False, None, kind="batch"))
        elif op.type in flow.MERGES and tensor.op.type in flow.NEXT:
            # What the iteration before has left: else the graph would be a circle.
            self.given.setdefault(name, Given(name, shown, spec_of(tensor), False, None, kind="earlier"))
        elif tensor.op.type in VARIABLES:
            key = f"graph {self._number}: {tensor.op.name}"
            self.given.setdefault(
                name,
                Given(name, tensor.op.name, _content(tensor), False, key, tensor.dtype.name == "resource"),
            )
        else:
            return Tensor(tensor.op.name, tensor.value_index)
        return Tensor(name, 0)


class Looked:
    """What is looked at in a part of a graph, and what tells which branches ran."""

    def __init__(self, graph: Any, needed: Needed, asked: Asked, order: Sequence[Made], health: bool) -> None:
        self._flow = flow.Flow(order)
        self.where = self._flow.where
        roots = [graph.get_tensor_by_name(name).op.name for name in asked.fetches]
        self._surely = flow.surely(order, [*roots, *asked.targets], asked.optimised)
        self.fixed: dict[Tensor, tuple[float, float]] = {}
        self.ranges: dict[Tensor, At] = {}
        self.wanted: dict[Tensor, flow.Conditions] = {}
        self.truths: list[Tensor] = []
        self.fed: dict[Tensor, str] = {}
        self.rewritten = self.in_branches = 0
        if health:
            self._ask(needed)
            self._look(needed, order)

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
        found: dict[Tensor, tuple[str, flow.Conditions]] = {}
        for one in order:
            for slot, spec in enumerate(one.outputs):
                tensor = Tensor(one.name, slot)
                when = self._when(tensor, self.fed)
                if spec.dtype not in FLOATS or tensor in references:
                    continue
                if one.kind == "Const":
                    self.fixed[tensor] = range_of(compat.array(one.definition.attr["value"].tensor))
                elif writes and tensor in memory:
                    self.rewritten += 1
                elif when is None:
                    # What a Switch hands on has been seen where it comes from.
                    self.in_branches += not self.where[one.name].loops and one.kind not in flow.SWITCHES
                elif one.name in self._surely:
                    found[tensor] = FLOATS[spec.dtype], when
        same = flow.alike(order, found)
        counts = {"f4": 0, "f8": 0}
        for tensor, (kind, when) in found.items():
            if tensor not in same:
                self.wanted[tensor] = when
                self.ranges[tensor] = At(kind == "f8", counts[kind])
                counts[kind] += 1
        self.ranges |= {tensor: self.ranges[root] for tensor, root in same.items()}

    def _ask(self, needed: Needed) -> None:
        """Find what is to be known for the branches to be known."""
        truths = {truth for where in self.where.values() for truth, _ in where.conditions or ()}
        for truth in sorted(truths):
            given = needed.given.get(truth.node)
            if given is not None and given.kind == "batch":
                self.fed[truth] = given.name
            elif truth.node in self._surely and self._when(truth, ()) is not None:
                self.truths.append(truth)

    def conditions(self, name: str) -> flow.Conditions | None:
        """When an operation runs; None where it is not known, or not once in a run."""
        return _told(self.where[name], {*self.truths, *self.fed})

    def _when(self, tensor: Tensor, known: Container[Tensor]) -> flow.Conditions | None:
        """The same of a tensor, where no more is known than this."""
        return _told(self._flow.of(tensor), known)


def _told(where: flow.Where, known: Container[Tensor]) -> flow.Conditions | None:
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
    title, given = asked.title(), list(needed.given.values())
    function = Function(
        f"session {serial}: {title}", id(graph), order, given, [], [one.name for one in order],
        handles(given, order, functions.known), _lines(needed, functions), "session", title,
        f"graph {number}", frozenset((*looked.ranges, *looked.fixed)),
    )  # fmt: skip
    functions.known[function.name] = function
    functions.declare(function.name)
    rows = {name: looked.conditions(name) for name in function.live}
    outputs = [*looked.wanted, *looked.truths]
    part = Part(
        function,
        Body(NUMBER, function.name, ranges=looked.ranges, fixed=looked.fixed),
        [compat.Output(graph.get_operation_by_name(name).outputs[slot]) for name, slot in outputs],
        [looked.ranges[tensor] for tensor in looked.wanted],
        list(looked.wanted.values()),
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
