"""What a session runs of a graph: the operations that some fetches need, and what is looked at in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from graphlens_tracers.events import Spec
from graphlens_tracers.tf import compat, flow
from graphlens_tracers.tf.bodies import Ran, Tensor
from graphlens_tracers.tf.building import States
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.dumps import Dumps
from graphlens_tracers.tf.frames import NOTHING, Ends, Frame, Told, Walk, Ways, holds
from graphlens_tracers.tf.function import Function, Given, Made, in_order, spec_of
from graphlens_tracers.tf.handles import handles
from graphlens_tracers.tf.sessionlooks import Looked, references_of

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
"""Types that are variables: leaves, and no operations that run."""


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
        function: It as a graph of ours; `top`: what runs of it, and when.
        fetched: The tensors that are fetched beside what the script asks for, and when they are there.
        outputs: The same, as a session takes them.
        dumps: How the debugger looks at what cannot be fetched; None: there is nothing.
        fed: Truth values that are fed, by name.
    """

    function: Function
    top: Frame
    fetched: dict[Tensor, flow.Conditions]
    outputs: list[Any]
    dumps: Dumps | None
    fed: dict[Tensor, str]
    _ways: Ways = field(init=False)

    def begin(self, called: Callable[[Ran], None]) -> None:
        """Args: called: Told of each execution that goes a way that none has gone."""
        self._ways = Ways(len(self.function.live), called)

    def chosen(self, feeds: Mapping[str, Any]) -> list[int]:
        """Which of `outputs` are fetched, by what is fed."""
        known = self._fed(feeds)
        return [k for k, conditions in enumerate(self.fetched.values()) if holds(conditions, known)]

    def ran(
        self, arrays: Mapping[int, Any], dumped: Told | None, feeds: Mapping[str, Any]
    ) -> tuple[Ran, bool]:
        """What ran, and whether all is known of it that was looked at.

        Args:
            arrays: What was fetched, by place in `outputs`; `dumped`: what the debugger told.
        """
        tensors = list(self.fetched)
        told = {tensors[k]: [_ends(array)] for k, array in arrays.items()}
        walk = Walk(self.top, {**told, **(dumped or {})}, self._fed(feeds))
        if walk.lost:
            walk = Walk(self.top, told, self._fed(feeds))
        return self._ways.ran(walk), not walk.lost

    def _fed(self, feeds: Mapping[str, Any]) -> dict[Tensor, bool]:
        values = {truth: np.asarray(feeds[name]) for truth, name in self.fed.items()}
        return {truth: bool(value) for truth, value in values.items() if value.size == 1}


def _ends(array: Any) -> Ends:
    """Minimum and maximum; NaN where there is one."""
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
    title, given = asked.title(), list(needed.given.values())
    name = f"session {serial}: {title}"
    roots = [graph.get_tensor_by_name(fetch).op.name for fetch in asked.fetches]
    looked = Looked(
        name, order, needed.given, [*roots, *asked.targets], asked.optimised,
        references_of(needed.operations, VARIABLES), health,
    )  # fmt: skip
    function = Function(
        name, id(graph), order, given, [], [one.name for one in order],
        handles(given, order, functions.known), _lines(needed, functions), "session", title,
        f"graph {number}", frozenset(looked.looked),
    )  # fmt: skip
    functions.known[function.name] = function
    functions.declare(function.name)
    for row, operation in enumerate(function.live):
        found = looked.when(operation)
        if found is not None:
            found[0].rows.append((row, found[1]))
    outputs = [
        compat.Output(graph.get_operation_by_name(node).outputs[slot]) for node, slot in looked.fetched
    ]
    dumps = Dumps(looked.watched) if looked.watched else None
    return Part(function, looked.top, looked.fetched, outputs, dumps, looked.fed), looked


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
