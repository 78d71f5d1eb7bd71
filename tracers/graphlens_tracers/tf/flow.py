"""What of a graph runs for sure, where loops and branches of TensorFlow 1 are: Switch, Merge, Enter, Exit.

Such loops and branches are no functions. A Switch hands its tensor on by one of two outputs, and what
needs the other one is not run; a Merge hands on what there is. A loop is what is between Enter and Exit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Tensor
from graphlens_tracers.tf.concrete import Made
from graphlens_tracers.tf.looking import ALIKE

MERGES = ("Merge", "RefMerge")
SWITCHES = ("Switch", "RefSwitch")
NEXT = ("NextIteration", "RefNextIteration")
_ENTERS = ("Enter", "RefEnter")
_EXITS = ("Exit", "RefExit")
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

    @property
    def always(self) -> bool:
        """Whether it runs in each run, once."""
        return not self.loops and self.conditions == frozenset()


def places(order: Sequence[Made]) -> dict[str, Where]:
    """Where each operation is.

    Args:
        order: Each after what it needs.
    """
    found: dict[str, Where] = {}
    kinds = {one.name: one for one in order}
    roots: dict[Tensor, Tensor] = {}
    entered: dict[tuple[str, ...], Conditions | None] = {}

    def of(tensor: Tensor) -> Where:
        where = found[tensor.node]
        maker = kinds[tensor.node]
        if maker.kind not in SWITCHES or where.conditions is None:
            return where
        truth = maker.inputs[1]
        return where._replace(conditions=where.conditions | {(roots.get(truth, truth), tensor.slot)})

    for one in order:
        data = [of(tensor) for tensor in one.inputs if tensor.node in found]
        controls = [found[name] for name in one.controls if name in found]
        if one.kind == "Identity" and one.inputs:
            roots[Tensor(one.name, 0)] = roots.get(one.inputs[0], one.inputs[0])
        loops = max((where.loops for where in (*data, *controls)), key=len, default=())
        conditions = all_of(where.conditions for where in (*data, *controls))
        if one.kind in MERGES:
            one_of = _any_of([where.conditions for where in data])
            conditions = all_of([one_of, *(where.conditions for where in controls)])
        elif one.kind in _ENTERS:
            loops = (*loops, str(one.definition.attr["frame_name"].s))
            entered.setdefault(loops, conditions)
        elif one.kind in _EXITS:
            conditions, loops = entered.get(loops, conditions), loops[:-1]
        found[one.name] = Where(loops, conditions)
    return found


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
    if any(one == frozenset() for one in several):
        return frozenset()
    if len(several) != 2 or several[0] is None or several[1] is None:
        return several[0] if len(several) == 1 else None
    one, other = several
    if one <= other or other <= one:
        return min(one, other, key=len)
    apart = one ^ other
    truths = {truth for truth, _ in apart}
    return one & other if len(apart) == 2 and len(truths) == 1 else None


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


def alike(order: Sequence[Made], wanted: Mapping[Tensor, str]) -> dict[Tensor, Tensor]:
    """Of tensors that are wanted, those whose numbers are just those of another one, and which."""
    found: dict[Tensor, Tensor] = {}
    for one in order:
        tensor = Tensor(one.name, 0)
        if one.kind in ALIKE and one.inputs and tensor in wanted and one.inputs[0] in wanted:
            found[tensor] = found.get(one.inputs[0], one.inputs[0])
    return found


def shared(order: Sequence[Made], references: set[Tensor]) -> set[Tensor]:
    """The tensors that are the memory of a variable itself: they change when it is written.

    Args:
        references: Those of a type that ends with `_ref`.
    """
    found: set[Tensor] = set()
    for one in order:
        if one.kind in ALIKE and one.inputs and one.inputs[0] in found | references:
            found.add(Tensor(one.name, 0))
    return found
