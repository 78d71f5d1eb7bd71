"""Functions of the runtime's, ready to be run operation by operation: in which order, and how each runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER, LOOPS
from graphlens_tracers.tf.flow import ENTERS, EXITS, MERGES, NEXT, SWITCHES
from graphlens_tracers.tf.looking import outputs_of
from graphlens_tracers.tf.pairs import pairs_of

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_SEEDS = ("seed", "seed2")
_FLOW = frozenset((*MERGES, *SWITCHES, *ENTERS, *EXITS, *NEXT))
_LISTS = {"int": "i", "float": "f", "bool": "b", "type": "type", "string": "s"}


class How(Enum):
    """How an operation runs."""

    PLAIN = "by a kernel that all operations like it share"
    ALONE = "by a kernel of its own, in a function of its own"
    CONSTANT = "once"
    ENTERS = "by what is inside of it"
    NOTHING = "not at all"


@dataclass(eq=False, slots=True)
class Op:
    """An operation of a function.

    Attributes:
        node: Its NodeDef; `kind`: its type.
        inputs, outputs: Where its tensors are among the function's values.
        drops: Values that nobody reads any more when it has run.
        attributes: As the runtime takes them: name, value, name, value.
        enters: The functions that it may enter, by attribute.
        controls: Operations that it waits for.
        partner: The one that oneDNN computes it with.
        is_ours: Whether it is one of those that look.
        told: How many outputs are ours, the last ones; `given`: how many inputs.
    """

    node: Any
    name: str
    kind: str
    how: How
    inputs: tuple[int, ...]
    outputs: range
    attributes: tuple[Any, ...]
    enters: dict[str, tuple[str, ...]]
    drops: tuple[int, ...] = ()
    controls: tuple[str, ...] = ()
    partner: Op | None = None
    is_ours: bool = False
    told: int = 0
    given: int = 0
    constant: Any = None


@dataclass(eq=False, slots=True)
class Routine:
    """A function.

    Attributes:
        name: As the runtime has it; `shown`: as the script has it.
        arguments: How many there are; they are the first values. `values`: how many of those there are.
        drops: Arguments that nobody reads.
        results: Where among the values they are.
        flows: Whether it has branches or loops as TensorFlow 1 has them.
        remembers: Whether anything in it, or inside of that, runs by a kernel of its own that remembers.
    """

    name: str
    shown: str
    arguments: int
    ops: list[Op] = field(default_factory=list)
    results: tuple[int, ...] = ()
    values: int = 0
    drops: tuple[int, ...] = ()
    remembers: bool = False
    flows: bool = False


def routine_of(name: str, originals: Mapping[str, str]) -> Routine:
    """Make one.

    Args:
        originals: By the name of a watched function, that of the script's own.

    Raises:
        LookupError: The runtime knows no such function.
    """
    definition = compat.definition(name)
    if definition is None:
        raise LookupError(f"the runtime knows no function {name}")
    given = {arg.name: k for k, arg in enumerate(definition.signature.input_arg)}
    places = dict(given)
    shown = originals.get(name, name)
    routine = Routine(name, shown, len(places), values=len(places))
    theirs = _names(shown) if shown != name else None
    nodes = live(definition)
    pairs = pairs_of(nodes, list(definition.ret.values()))
    nodes = in_order(nodes, {name: one.input for name, one in pairs.items()})
    made = {node.name: _placed(routine, places, node) for node in nodes}
    for node in nodes:
        inputs = tuple(_place(places, one) for one in node.input if not one.startswith("^"))
        op = _op(node, inputs, made[node.name])
        controls = (one[1:] for one in node.input if one.startswith("^"))
        op.controls = tuple(one for one in controls if one not in given)
        op.is_ours = theirs is not None and op.name not in theirs
        if not op.is_ours and any(one in originals for names in op.enters.values() for one in names):
            op.told, op.given = 1, int(op.kind in LOOPS)
        routine.ops.append(op)
    results = [definition.ret[arg.name] for arg in definition.signature.output_arg]
    routine.results = tuple(_place(places, name) for name in results)
    routine.flows = any(op.kind in _FLOW for op in routine.ops)
    known = {op.name: op for op in routine.ops}
    for name, one in pairs.items() if not routine.flows else ():
        known[name].partner = known[one.name]
    routine.remembers = any(remembers(op.node) for op in routine.ops)
    _let_go(routine)
    return routine


def _placed(routine: Routine, places: dict[str, int], node: Any) -> range:
    """Where the outputs of a node are among the values."""
    first = routine.values
    for name, _ in outputs_named(node):
        places[name] = routine.values
        routine.values += 1
    return range(first, routine.values)


def _names(function: str) -> set[str] | None:
    definition = compat.definition(function)
    return None if definition is None else {node.name for node in definition.node_def}


def _place(places: Mapping[str, int], name: str) -> int:
    """Where a tensor is, by its name in the FunctionDef, whose last part may be left out where it is 0."""
    return places[name] if name in places else places[f"{name}:0"]


def live(definition: Any) -> list[Any]:
    """The nodes that run, as they are there: those that results and effects need."""
    nodes = {node.name: node for node in definition.node_def}
    ahead, found = [*definition.ret.values(), *definition.control_ret.values()], set()
    while ahead:
        name = maker(ahead.pop())
        if name in nodes and name not in found:
            found.add(name)
            ahead += nodes[name].input
    return [node for node in definition.node_def if node.name in found]


def maker(name: str) -> str:
    """The node that makes a tensor, by the tensor's name; of a control input, the node itself."""
    return name.lstrip("^").partition(":")[0]


def in_order(nodes: Sequence[Any], more: Mapping[str, Sequence[str]]) -> list[Any]:
    """Each node behind those that it needs, but for what an iteration of TensorFlow 1 hands to the next.

    Args:
        more: By node, further tensors that have to be there.
    """
    known = {node.name: node for node in nodes}
    found: dict[str, Any] = {}
    for begin in nodes:
        ahead = [begin]
        while ahead:
            one = ahead[-1]
            inputs = (*one.input, *more.get(one.name, ()))
            needs = [known[name] for name in map(maker, inputs) if name in known and name not in found]
            missing = [need for need in needs if one.op not in MERGES or need.op not in NEXT]
            if one.name in found or not missing:
                found.setdefault(one.name, ahead.pop())
            else:
                ahead += reversed(missing)
    return list(found.values())


def outputs_named(node: Any) -> list[tuple[str, int]]:
    """Those of a node: their names in the FunctionDef, and types by number."""
    if compat.op_def(node.op) is not None:
        return list(outputs_of(node))
    called = compat.definition(node.op)  # a function by its name
    if called is None:
        raise LookupError(f"the runtime knows no operation and no function {node.op}")
    return [(f"{node.name}:{arg.name}:0", arg.type) for arg in called.signature.output_arg]


def _op(node: Any, inputs: tuple[int, ...], outputs: range) -> Op:
    kind = compat.op_def(node.op)
    if kind is None:
        return Op(node, node.name, "PartitionedCall", How.ENTERS, inputs, outputs, (), {"f": (node.op,)})
    enters = {
        attribute: tuple(one.name for one in compat.functions(node.attr[attribute]))
        for attribute in INNER.get(node.op, ())
    }
    how = How.ENTERS if enters else _how(node, kind)
    attributes = tuple(_attributes(node, kind)) if how is How.PLAIN else ()
    return Op(node, node.name, node.op, how, inputs, outputs, attributes, enters)


def _how(node: Any, kind: Any) -> How:
    if node.op == "NoOp":
        return How.NOTHING
    if node.op == "Const" and node.attr["dtype"].type not in (compat.VARIANT, compat.RESOURCE):
        return How.CONSTANT
    if node.op in (*_PYTHON, "Placeholder", "FakeParam") or remembers(node):
        return How.ALONE
    return How.ALONE if any(_is_odd(node, attribute) for attribute in kind.attr) else How.PLAIN


def _is_odd(node: Any, attribute: Any) -> bool:
    """Whether the runtime takes an attribute only as a part of a function."""
    if attribute.type in ("tensor", "list(tensor)"):
        return True
    is_function = attribute.type in ("func", "list(func)") and attribute.name in node.attr
    return is_function and any(one.attr for one in compat.functions(node.attr[attribute.name]))


def remembers(node: Any) -> bool:
    """Whether a node's kernel remembers something: where its random numbers are, what it has made."""
    kind = compat.op_def(node.op)
    if kind is None or not kind.is_stateful:
        return False
    is_seeded = any(name in node.attr and node.attr[name].i for name in _SEEDS)
    has_own = any(one.name == "shared_name" for one in kind.attr)
    return is_seeded or (has_own and not ("shared_name" in node.attr and node.attr["shared_name"].s))


def _attributes(node: Any, kind: Any) -> Iterator[Any]:
    for attribute in kind.attr:
        if attribute.name in node.attr:
            yield attribute.name
            yield _attribute(node.attr[attribute.name], attribute.type)


def _attribute(value: Any, kind: str) -> Any:
    """An attribute as the runtime takes it."""
    outer, _, inner = kind.rstrip(")").rpartition("(")
    if inner == "func":
        names = [one.name for one in compat.functions(value)]
        return names if outer else names[0]
    if inner == "shape":
        return [_shape(one) for one in value.list.shape] if outer else _shape(value.shape)
    return list(getattr(value.list, _LISTS[inner])) if outer else getattr(value, _LISTS[inner])


def _shape(shape: Any) -> list[int | None] | None:
    return None if shape.unknown_rank else [None if dim.size < 0 else dim.size for dim in shape.dim]


def _let_go(routine: Routine) -> None:
    """Say of each value behind which operation nobody reads it any more."""
    wanted = set(routine.results)
    for op in reversed(routine.ops):
        last = {*op.inputs, *op.outputs, *(op.partner.inputs if op.partner is not None else ())} - wanted
        op.drops = tuple(sorted(last))
        wanted |= last
    routine.drops = tuple(k for k in range(routine.arguments) if k not in wanted)
