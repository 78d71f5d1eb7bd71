"""What of a graph runs for sure, where loops and branches of TensorFlow 1 are: Switch, Merge, Enter, Exit.

Such loops and branches are no functions. A Switch hands its tensor on by one of two outputs, and what
needs the other one is not run; a Merge hands on what there is. A loop is what is between Enter and Exit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Tensor
from graphlens_tracers.tf.function import Made
from graphlens_tracers.tf.looking import ALIKE

MERGES = ("Merge", "RefMerge")
SWITCHES = ("Switch", "RefSwitch")
NEXT = ("NextIteration", "RefNextIteration")
_ENTERS = ("Enter", "RefEnter")
_EXITS = ("Exit", "RefExit")
_SHARING = frozenset((
    *MERGES, *SWITCHES, *NEXT, *_ENTERS, *_EXITS, "IdentityN", "Bitcast", "Cast", "GuaranteeConst", "Print",
    "Split", "SplitV", "Unpack", "Slice", "StridedSlice", "Tile", "Pad", "PadV2", "BroadcastTo", "AddN",
    "Concat", "ConcatV2", "Pack", "Reverse", "Sum", "Mean", "Prod", "Min", "Max",
))  # fmt: skip
"""Types that may hand on memory that they read, as those of ALIKE do: where there is nothing to compute."""
_SHAPES = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")
"""Types that need no number of what they read: TensorFlow may know their results without it."""

Conditions = frozenset[tuple[Tensor, int]]
"""All of these have to be: a tensor that is a truth value, and which one (0 or 1)."""


class Where(NamedTuple):
    """Where an operation is.

    Attributes:
        loops: The names of the loops around it.
        conditions: When it runs; None where that is not known. Inside of loops: without meaning.
    """

    loops: tuple[str, ...] = ()
    conditions: Conditions | None = frozenset()


class Flow:
    """Where the operations of a graph are.

    Attributes:
        where: Of each, by name.
    """

    def __init__(self, order: Sequence[Made]) -> None:
        """`order`: each after what it needs."""
        self.where: dict[str, Where] = {}
        self._switches = {one.name: one.inputs[1] for one in order if one.kind in SWITCHES}
        self._roots: dict[Tensor, Tensor] = {}
        self._entered: dict[tuple[str, ...], Conditions | None] = {}
        for one in order:
            self.where[one.name] = self._place(one)

    def of(self, tensor: Tensor) -> Where:
        """Where a tensor is: a Switch hands on only one of its two."""
        where = self.where[tensor.node]
        truth = self._switches.get(tensor.node)
        if truth is None or where.conditions is None:
            return where
        which = self._roots.get(truth, truth), tensor.slot
        return where._replace(conditions=where.conditions | {which})

    def _place(self, one: Made) -> Where:
        data = [self.of(tensor) for tensor in one.inputs if tensor.node in self.where]
        controls = [self.where[name] for name in one.controls if name in self.where]
        if one.kind == "Identity" and one.inputs:
            self._roots[Tensor(one.name, 0)] = self._roots.get(one.inputs[0], one.inputs[0])
        loops = max((where.loops for where in (*data, *controls)), key=len, default=())
        conditions = all_of(where.conditions for where in (*data, *controls))
        if one.kind in MERGES:
            one_of = _any_of([where.conditions for where in data])
            conditions = all_of([one_of, *(where.conditions for where in controls)])
        elif one.kind in _ENTERS:
            loops = (*loops, str(one.definition.attr["frame_name"].s))
            self._entered.setdefault(loops, conditions)
        elif one.kind in _EXITS:
            conditions, loops = self._entered.get(loops, conditions), loops[:-1]
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


def alike(order: Sequence[Made], wanted: Mapping[Tensor, object]) -> dict[Tensor, Tensor]:
    """Of tensors that are wanted, those whose numbers are just those of another one, and which.

    Args:
        wanted: What has to be the same of both.
    """
    found: dict[Tensor, Tensor] = {}
    for one in order:
        tensor = Tensor(one.name, 0)
        if one.kind not in ALIKE or not one.inputs or tensor not in wanted:
            continue
        if wanted.get(one.inputs[0]) == wanted[tensor]:
            found[tensor] = found.get(one.inputs[0], one.inputs[0])
    return found


def shared(order: Sequence[Made], references: set[Tensor]) -> set[Tensor]:
    """The tensors that may be the memory of a variable itself, and change when it is written.

    Args:
        references: Those of a type that ends with `_ref`.
    """
    found = set(references)
    for one in order:
        if (one.kind in ALIKE or one.kind in _SHARING) and not found.isdisjoint(one.inputs):
            found.update(Tensor(one.name, slot) for slot in range(len(one.outputs)))
    return found - references
