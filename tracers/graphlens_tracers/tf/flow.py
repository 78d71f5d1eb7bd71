"""What of a graph runs for sure, where loops and branches of TensorFlow 1 are: Switch, Merge, Enter, Exit.

Such loops and branches are no functions. A Switch hands its tensor on by one of two outputs, and what
needs the other one is not run; a Merge hands on what there is. A loop is what is between Enter and Exit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Tensor
from graphlens_tracers.tf.function import Made
from graphlens_tracers.tf.looking import ALIKE

MERGES = ("Merge", "RefMerge")
SWITCHES = ("Switch", "RefSwitch")
NEXT = ("NextIteration", "RefNextIteration")
ENTERS = ("Enter", "RefEnter")
EXITS = ("Exit", "RefExit")
_SHARING = frozenset((
    *MERGES, *SWITCHES, *NEXT, *ENTERS, *EXITS, "IdentityN", "Bitcast", "Cast", "GuaranteeConst", "Print",
    "Split", "SplitV", "Unpack", "Slice", "StridedSlice", "Tile", "Pad", "PadV2", "BroadcastTo", "AddN",
    "Concat", "ConcatV2", "Pack", "Reverse", "Sum", "Mean", "Prod", "Min", "Max",
))  # fmt: skip
"""Types that may hand on memory that they read, as those of ALIKE do: where there is nothing to compute."""
_SHAPES = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")
"""Types that need no number of what they read: TensorFlow may know their results without it."""

Conditions = frozenset[tuple[Tensor, int]]
"""All of these have to be: a tensor that is a truth value, and which one (0 or 1)."""


Loops = tuple[str, ...]
"""The names of loops, the outermost first."""


class Where(NamedTuple):
    """Where an operation is. Enter and Exit are outside of the loop that they enter and leave.

    Attributes:
        loops: Those around it.
        conditions: When it runs, in each iteration of the innermost loop; None where that is not known.
    """

    loops: Loops = ()
    conditions: Conditions | None = frozenset()


class Flow:
    """Where the operations of a graph are.

    Attributes:
        where: Of each, by name.
        entered: When each loop is entered, in each iteration of the one around it.
    """

    def __init__(self, order: Sequence[Made]) -> None:
        """`order`: each after what it needs."""
        self.where: dict[str, Where] = {}
        self.entered: dict[Loops, Conditions | None] = {}
        self._switches = {one.name: one.inputs[1] for one in order if one.kind in SWITCHES}
        self._into: dict[str, Loops] = {}
        self._roots: dict[Tensor, Tensor] = {}
        for one in order:
            self.where[one.name] = self._place(one)

    def of(self, tensor: Tensor) -> Where:
        """Where a tensor is: a Switch hands on only one of its two, an Enter gives it into its loop."""
        if tensor.node in self._into:
            return Where(self._into[tensor.node])
        where = self.where[tensor.node]
        truth = self._switches.get(tensor.node)
        if truth is None or where.conditions is None:
            return where
        which = self._roots.get(truth, truth), tensor.slot
        return where._replace(conditions=where.conditions | {which})

    def _place(self, one: Made) -> Where:
        data = [self.of(tensor) for tensor in one.inputs if tensor.node in self.where]
        controls = [self.where[name] for name in one.controls if name in self.where]
        loops = max((where.loops for where in (*data, *controls)), key=len, default=())
        conditions = all_of(where.conditions for where in (*data, *controls) if where.loops == loops)
        is_constant = one.kind in ENTERS and one.definition.attr["is_constant"].b
        if one.inputs and (one.kind == "Identity" or is_constant):
            self._roots[Tensor(one.name, 0)] = self._roots.get(one.inputs[0], one.inputs[0])
        if one.kind in MERGES:
            one_of = _any_of([where.conditions for where in data])
            conditions = all_of([one_of, *(where.conditions for where in controls)])
        elif one.kind in ENTERS:
            into = self._into[one.name] = (*loops, compat.text(one.definition.attr["frame_name"].s))
            if not is_constant:
                self.entered[into] = all_of((self.entered.get(into, frozenset()), conditions))
        elif one.kind == "ControlTrigger":
            conditions = frozenset()  # it runs whether what it waits for does or not
        elif one.kind in EXITS:
            conditions, loops = self.entered.get(loops), loops[:-1]
        return Where(loops, conditions)


def all_of(several: Iterable[Conditions | None]) -> Conditions | None:
    """When all of these are."""
    found: Conditions = frozenset()
    for one in several:
        if one is None:
            return None
        found |= one
    return found


def _any_of(several: Sequence[Conditions | None]) -> Conditions | None:
    """When one of these is; None where that is not known."""
    if frozenset() in several:
        return frozenset()
    if len(several) != 2:
        return several[0] if len(several) == 1 else None
    one, other = several
    if one is None or other is None:
        return None
    if one <= other or other <= one:
        return one & other
    apart = one ^ other
    return one & other if len(apart) == 2 and len({truth for truth, _ in apart}) == 1 else None


def surely(order: Sequence[Made], roots: Iterable[str], optimised: bool) -> set[str]:
    """The operations whose results are needed, whatever TensorFlow leaves out because it knows better.

    Args:
        roots: What is fetched, and what is run for its effect.
        optimised: Whether Grappler leaves out what has no effect and is only to be run before something.
    """
    known = {one.name: one for one in order}
    needed: set[str] = set()
    for_effect: set[str] = set()
    ahead = [(name, True) for name in roots]
    while ahead:
        name, wanted = ahead.pop()
        one = known.get(name)
        if one is None or name in needed or (not wanted and name in for_effect):
            continue
        wanted = wanted or _has_effect(one)
        (needed if wanted else for_effect).add(name)
        if one.kind not in _SHAPES:
            ahead += [(tensor.node, wanted) for tensor in one.inputs]
        ahead += [(control, not optimised and wanted) for control in one.controls]
    return needed


def _has_effect(one: Made) -> bool:
    kind = compat.op_def(one.kind)
    return kind is None or kind.is_stateful or any(spec.dtype.endswith("_ref") for spec in one.outputs)


class Memory:
    """The memory of variables of TensorFlow 1 that are no resources: tensors are it, and change with it.

    Attributes:
        shared: Tensors that may be the memory of a variable that is written here.
        unwritten: Of those, the ones that are read before anything writes, and which variable they are.
    """

    def __init__(self, order: Sequence[Made], references: Mapping[Tensor, Tensor]) -> None:
        """Args: references: The memory as inputs have it, and the output that the variable is."""
        variables = dict(references)
        writers: dict[Tensor, list[str]] = {}
        for one in order:
            slots = [slot for slot, spec in enumerate(one.outputs) if spec.dtype.endswith("_ref")]
            for variable in {variables[tensor] for tensor in one.inputs if slots and tensor in variables}:
                writers.setdefault(variable, []).append(one.name)
                variables.update((Tensor(one.name, slot), variable) for slot in slots)
        written = {tensor for tensor, variable in variables.items() if variable in writers}
        touched, reads = set(written), dict[Tensor, Tensor]()
        for one in order:
            if (one.kind in ALIKE or one.kind in _SHARING) and not touched.isdisjoint(one.inputs):
                touched.update(Tensor(one.name, slot) for slot in range(len(one.outputs)))
                given = one.inputs[0]
                known = references if given in references else reads
                if one.kind in (*ALIKE, *ENTERS) and given in known:
                    reads[Tensor(one.name, 0)] = known[given]
        self.shared = touched - written
        before = _before(order, {tensor.node for tensor in reads})
        self.unwritten = {
            tensor: variable
            for tensor, variable in reads.items()
            if all(before[tensor.node] & before[writer] for writer in writers.get(variable, ()))
        }


def _before(order: Sequence[Made], names: set[str]) -> dict[str, int]:
    """Which of some operations each one needs, as bits; of those themselves just the own one."""
    found: dict[str, int] = {}
    own = {name: 1 << place for place, name in enumerate(sorted(names))}
    changes = True
    while changes:  # once more for what an iteration hands on to the next one, which is a leaf
        changes = False
        for one in order:
            needs = 0
            for name in (*(tensor.node.partition(":")[0] for tensor in one.inputs), *one.controls):
                needs |= found.get(name, 0) | own.get(name, 0)
            changes = changes or found.get(one.name) != needs
            found[one.name] = needs
    return {name: own.get(name, needs) for name, needs in found.items()}


def order_of_sums(order: Sequence[Made], roots: Iterable[str]) -> set[Tensor]:
    """What is summed in an order that looking could change.

    AddN sums into the first of its inputs that nobody else holds, and begins with that one. A fetch holds
    what it fetches; what the debugger hands on is a copy, which nobody holds. Where one of the first two is
    a number of its own, that is the one in any case.

    Args:
        roots: What is fetched.
    """
    known, held = {one.name: one for one in order}, set(roots)
    uses = Counter(tensor for one in order for tensor in one.inputs)
    found: set[Tensor] = set()
    for one in order:
        if one.kind == "AddN" and len(one.inputs) > 2:
            chains = [_memory_of(tensor, known) for tensor in one.inputs]
            if not any(_is_alone(chain, known, uses, held) for chain in chains[:2]):
                found.update(tensor for chain in chains for tensor in chain)
    return found


def _memory_of(tensor: Tensor, known: Mapping[str, Made]) -> list[Tensor]:
    """A tensor, and those before it that may lie in the same memory."""
    found: list[Tensor] = []
    ahead = [tensor]
    while ahead:
        one = ahead.pop()
        maker = known.get(one.node)
        if one not in found:
            found.append(one)
            ahead += maker.inputs[: _handed(maker)] if maker is not None else ()
    return found


def _handed(one: Made) -> int:
    """Of how many of its inputs, at most, an operation hands on the memory."""
    if one.kind in MERGES:
        return len(one.inputs)
    return int(one.kind in ALIKE or one.kind in (*SWITCHES, *NEXT, *ENTERS, *EXITS))


def _is_alone(
    memory: Sequence[Tensor], known: Mapping[str, Made], uses: Mapping[Tensor, int], held: Container[str]
) -> bool:
    """Whether nobody else holds the memory that is that of these."""
    for tensor in memory:
        maker = known.get(tensor.node)
        if maker is None or maker.kind == "Const" or uses[tensor] > 1 or tensor.node in held:
            return False
        if not _handed(maker) and (maker.kind in _SHARING or _has_effect(maker)):
            return False
    return True
