"""Variables inside of functions: which one a handle is of, and what it holds after each write.

A function gets a variable as a handle, and reads and writes what is behind it: no edge of TensorFlow's
says so. Here a write makes a value, and whoever takes the handle after it reads that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from graphlens_tracers.events import Output, Spec, ValueId
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import INNER, LOOPS, Tensor

WRITES = re.compile(
    r"^(Assign((Add|Sub)?|\w*VariableOp)$|(Resource)?(Sparse)?Apply[A-Z]|ResourceStridedSliceAssign|ResourceCountUpTo"
    r"|(Resource)?Scatter(Nd)?(Add|Sub|Update|Mul|Div|Min|Max)$"
    r"|Rng(ReadAnd)?Skip|Stateful(StandardNormal|TruncatedNormal|Uniform|RandomBinomial))"
)
"""Types that change every variable whose handle they take, or whose memory, as in TensorFlow 1."""
_BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
"""Types whose first input is not handed over: it chooses."""
_HANDS_ON = ("Identity", "IdentityN", *LOOPS)
"""Types whose k-th output, where that is a handle, is their k-th input."""


class _Given(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> Spec: ...
    @property
    def variable(self) -> str | None: ...
    @property
    def is_handle(self) -> bool: ...


class _Made(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def inputs(self) -> tuple[Tensor, ...]: ...
    @property
    def outputs(self) -> tuple[Spec, ...]: ...
    @property
    def definition(self) -> Any: ...


class Wired(NamedTuple):
    """What an operation reads and changes, in the words of `NodeSeen`; `new`: outputs after its own."""

    inputs: tuple[ValueId, ...]
    new: tuple[Output, ...] = ()
    writes: tuple[tuple[int, int], ...] = ()


class _Function(Protocol):
    @property
    def results(self) -> list[Tensor]: ...
    @property
    def handles(self) -> dict[Tensor, int]: ...


def handles(
    given: Sequence[_Given], made: Sequence[_Made], known: Mapping[str, _Function]
) -> dict[Tensor, int]:
    """By tensor that is a handle, which of the given ones it is; `known`: functions that may be entered."""
    found = {Tensor(one.name, 0): at for at, one in enumerate(given) if one.is_handle}
    for one in made:
        for slot, spec in enumerate(one.outputs):
            at = handed_on(one.definition, slot, known) if spec.dtype == "resource" else None
            if at is not None and at < len(one.inputs) and one.inputs[at] in found:
                found[Tensor(one.name, slot)] = found[one.inputs[at]]
    return found


def handed_on(definition: Any, slot: int, known: Mapping[str, _Function]) -> int | None:
    """Which input of an operation comes out again as an output that is a handle; None: not known.

    Args:
        definition: Its NodeDef.
    """
    if definition.op in _HANDS_ON:
        return slot
    for attribute in INNER.get(definition.op, ()):
        for function in compat.functions(definition.attr[attribute]):
            inner = known.get(function.name)
            at = inner.handles.get(inner.results[slot]) if inner and slot < len(inner.results) else None
            if at is not None:
                return at + int(definition.op in _BRANCHES)
    return None


class Contents:
    """What the variables of one function hold, while one goes through its operations in order.

    Attributes:
        written: Which of the given ones are handles of variables that were changed.
    """

    def __init__(
        self,
        given: Sequence[_Given],
        handles: Mapping[Tensor, int],
        values: Mapping[Tensor, ValueId],
        new_value: Callable[[], ValueId],
    ) -> None:
        self._given, self._handles, self._values, self._new_value = given, handles, values, new_value
        self._now: dict[str, ValueId] = {}  # by variable, once it was changed
        self.written: set[int] = set()

    def pass_by(self, one: _Made, entered: Sequence[set[int]], runs: bool) -> Wired:
        """Go past an operation.

        Args:
            entered: Of each function that it enters, `written`.
            runs: Whether it ever runs: else nobody reads what it would write.
        """
        inputs = tuple(self._now.get(self._variable(tensor), self._values[tensor]) for tensor in one.inputs)
        changed = [
            k for k in self._changed(one, entered) if k < len(inputs) and one.inputs[k] in self._handles
        ]
        new: dict[str, Output] = {}
        writes = []
        for k in changed:
            variable, at = self._variable(one.inputs[k]), self._handles[one.inputs[k]]
            if variable not in new:
                new[variable] = Output(self._new_value(), self._given[at].spec)
            writes.append((k, len(one.outputs) + list(new).index(variable)))
            if runs:
                self.written.add(at)
                self._now[variable] = new[variable].value
        return Wired(inputs, tuple(new.values()), tuple(writes))

    def _changed(self, one: _Made, entered: Sequence[set[int]]) -> list[int]:
        if WRITES.match(one.kind):
            return list(range(len(one.inputs)))
        chooses = int(one.kind in _BRANCHES)
        return sorted({at + chooses for written in entered for at in written})

    def _variable(self, tensor: Tensor) -> str:
        """What no other variable is called; "" for what is no handle."""
        if tensor not in self._handles:
            return ""
        given = self._given[self._handles[tensor]]
        return given.variable or given.name
