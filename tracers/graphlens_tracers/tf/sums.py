"""In which order AddN sums when TensorFlow runs a function as a whole.

It sums into the first of its inputs that nobody else holds, and begins with that one. Whoever runs it by
itself holds all of them: then it begins with the first.
"""

from __future__ import annotations

from typing import Any

from graphlens_tracers.tf.bodies import CALLS, LOOPS
from graphlens_tracers.tf.routines import Op
from graphlens_tracers.tf.running import Running

_HELD = frozenset((
    "Const", "ReadVariableOp", "Split", "SplitV", "Unpack", "StridedSlice", "Slice", "TensorListGetItem",
    "TensorListPopBack",
))  # fmt: skip
"""Types whose results somebody goes on holding: a kernel, a variable, a list, what they are parts of."""
_SAME = frozenset((
    "Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "CheckNumerics",
    "EnsureShape", "PlaceholderWithDefault", "Bitcast", "GuaranteeConst",
))  # fmt: skip
"""Types whose result lies where their first input does."""


def begun(running: Running, op: Op, inputs: list[Any]) -> list[Any]:
    """The inputs of an AddN, with that one first with which TensorFlow begins."""
    held = set() if running.place.routine.flows else {_address(one) for one in _held(running)}
    for k, slot in enumerate(op.inputs):
        if op.inputs.count(slot) == 1 and _is_own(running, slot) and _address(inputs[k]) not in held:
            inputs = list(inputs)
            inputs[0], inputs[k] = inputs[k], inputs[0]
            break
    return inputs


def _held(running: Running) -> list[Any]:
    """All tensors that are read later, in this function and around it."""
    found: list[Any] = []
    around: Running | None = running
    while around is not None:
        last = set(around.op.drops) if around.op is not None else ()
        found += [one for slot, one in enumerate(around.values) if one is not None and slot not in last]
        around = around.outer
    return [one for one in found if one.dtype.is_floating or one.dtype.is_complex]


def _address(tensor: Any) -> int:
    """Where its numbers are; a tensor that is not in the memory of the CPU is copied there."""
    return int(tensor._numpy().__array_interface__["data"][0])


def _is_own(running: Running, slot: int) -> bool:
    """Whether a value was made in this call, by an operation that does not go on holding it."""
    routine = running.place.routine
    if slot >= routine.arguments:
        if routine.flows and sum(one.inputs.count(slot) for one in routine.ops) > 1:
            return False
        maker = next(one for one in routine.ops if slot in one.outputs)
        if maker.kind in _SAME:
            return _is_own(running, maker.inputs[0])
        return maker.kind not in _HELD
    outer, op = running.outer, running.outer.op if running.outer is not None else None
    if outer is None or op is None:
        return False
    if op.kind in LOOPS and running.iteration:
        made = routine.results[slot] if running.part == "body" else slot
        if made >= routine.arguments:
            return _is_own(running, made)
    return _is_own(outer, op.inputs[slot if op.kind in (*CALLS, *LOOPS) else slot + 1])
