"""What a call reads that it has not made: leaves, and parts of them, named and declared once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from graphlens_tracers.events import Bound, CellId, LeafSeen, Seq, Spec, ValueId
from graphlens_tracers.pytorch.arguments import Geometry, home_of, is_part, kind_of, spec_before
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.phases import Kinds
from graphlens_tracers.pytorch.plan import Leaf, Leaves
from graphlens_tracers.pytorch.values import Values
from graphlens_tracers.pytorch.variables import Variable, Where
from graphlens_tracers.sink import LogSink

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.record import Before


class Inputs:
    """Finds the leaves of one thread.

    Attributes:
        among: What they know of each other.
        states: Optimizer state by storage id, as the optimizers name it.
    """

    def __init__(
        self,
        sink: LogSink,
        modules: Modules,
        calls: Calls,
        values: Values,
        kinds: Kinds,
        new_value: Callable[[], ValueId],
    ) -> None:
        self._sink = sink
        self._modules = modules
        self._calls = calls
        self._values = values
        self._kinds = kinds
        self._new_value = new_value
        self._next_cell = 0
        self._leaves: dict[Any, Leaf] = {}
        self._cells = values.cells
        self.among = Leaves({}, [], [], values.blank, values.may_know)
        self.states: dict[int, tuple[weakref.ref[Any], str]] = {}

    def forget(self, all_nodes: bool) -> None:
        """Between two calls: forget memory that is gone; `all_nodes`: no node is known any more, either."""
        for leaf in (*self._leaves.values(), *self._cells.values(), *self.among.homes.values()):
            leaf.number = -1
        if all_nodes:
            self._leaves = {key: leaf for key, leaf in self._leaves.items() if leaf.usual() is not None}
        for known in (self._cells, self.among.homes):
            for key in [key for key, leaf in known.items() if leaf.usual() is None]:
                del known[key]
        self.states = {key: known for key, known in self.states.items() if known[0]() is not None}

    def leaves(self, before: Before, key: tuple[Any, ...]) -> list[tuple[int, Leaf]]:
        """The leaves that an operation reads first; `before` then knows the variable of every input."""
        leaves: list[tuple[int, Leaf]] = []
        variables, values, lies = before.variables, before.values, before.lies
        for index, tensor in enumerate(before.form.tensors):
            if variables[index] is not None:
                continue
            home = before.homes[index] if before.homes is not None else home_of(tensor)
            again = self._values.variable_at(home)  # the same new tensor twice in one operation
            if again is not None:
                variables[index] = again
                first = next((k for k in range(index) if variables[k] is again), None)
                values[index] = again.last if first is None else values[first]
                continue
            leaf = self._leaf(tensor, home, key, index, lies[index])
            self._kinds.made(leaf.value, self._kinds.of_leaf(tensor))
            variables[index] = self._values.read(leaf, lies[index])
            values[index] = leaf.value
            leaves.append((index, leaf))
        return leaves

    def parts(
        self, before: Before, variables: list[Variable], leaves: list[tuple[int, Leaf]], key: tuple[Any, ...]
    ) -> tuple[list[tuple[int, Leaf]], dict[int, Where]]:
        """Inputs that lie in memory from outside, but not where it was seen so far."""
        parts: list[tuple[int, Leaf]] = []
        free: dict[int, Where] = {}  # those that may be another part each time
        first = {variables[index]: before.lies[index] for index, _ in leaves}
        for index, tensor in enumerate(before.form.tensors):
            variable, geometry = variables[index], before.lies[index]
            if variable in first:
                if geometry == first[variable] or geometry is None:
                    continue
            elif index in before.through or not self._values.is_part(variable, geometry):
                continue
            known = next(
                (leaf for k, leaf in parts if variables[k] is variable and before.lies[k] == geometry), None
            )
            if known is None:
                if variable in first or self._values.is_free(variable):
                    known = self._part(tensor, (key, index), geometry)
                    free[index] = Where(part=known, shape=tuple(tensor.shape), kind=kind_of(tensor))
                else:
                    known = self._part(tensor, (before.values[index], geometry), geometry)
                parts.append((index, known))
            before.through[index] = known.value
        return parts, free

    def _part(self, tensor: torch.Tensor, where: Any, geometry: Geometry | None) -> Leaf:
        key: Any = (("part", where), kind_of(tensor), 0)
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._leaves[key] = Leaf(self._new_value(), None, False, self.among)
            leaf.declared_as(tensor, geometry)
            self._sink.declare(LeafSeen(leaf.value, "earlier", "", spec_before(tensor, geometry)))
        leaf.lies = geometry
        return leaf

    def _leaf(
        self, tensor: torch.Tensor, home: Any, key: tuple[Any, ...], index: int, geometry: Geometry | None
    ) -> Leaf:
        known = self._cells.get(id(home))
        if known is not None and known.usual() is home and known.value not in self._values.leaves:
            if known.geometry == geometry:
                known.lies = geometry
                return known
            return self._view_of(known, tensor, home, geometry)
        named = self._modules.tensor_name(tensor)
        where: Any = ("named", *named) if named is not None else ("place", key, index)
        producer = self._calls.producer(home)
        again = 0
        leaf = self._leaves.get((where, kind_of(tensor), again))
        while leaf is not None and leaf.value in self._values.leaves:
            again += 1  # that one is another storage in this call
            leaf = self._leaves.get((where, kind_of(tensor), again))
        if leaf is None:
            leaf = self._declare_leaf(tensor, spec_before(tensor, geometry), home, named, producer)
            self._leaves[where, kind_of(tensor), again] = leaf
        elif leaf.usual() is not home and producer is not None:
            self._sink.declare(Bound(self._calls.call, leaf.value, leaf.cell, Seq(producer[0]), producer[1]))
        leaf.bind(home)
        leaf.lies = geometry
        if not leaf.moves and not leaf.strict and (is_part(tensor) or leaf.is_otherwise(tensor, geometry)):
            leaf.move()
            self._distrust(leaf)
        if leaf.shape is None:
            leaf.declared_as(tensor, geometry)
        elif leaf.is_otherwise(tensor, geometry):
            self._calls.reshape(len(self._calls.places))
        if leaf.cell is not None:
            self._cells[id(home)] = leaf
        return leaf

    def _distrust(self, leaf: Leaf) -> None:
        """Whatever reads the memory of this leaf is to be looked at again."""
        for place in self._calls.all:
            if any(self._values.is_from(number, leaf) for number in place.reads):
                place.renew()

    def _view_of(self, whole: Leaf, tensor: torch.Tensor, home: Any, geometry: Any) -> Leaf:
        """A part of a storage that outlives a call, read where another part is known already."""
        where = ("view", whole.value, geometry)
        again = 0
        leaf = self._leaves.get((where, tensor.dtype, again))
        while leaf is not None and leaf.value in self._values.leaves:
            again += 1
            leaf = self._leaves.get((where, tensor.dtype, again))
        if leaf is None:
            leaf = self._leaves[where, tensor.dtype, again] = Leaf(
                self._new_value(), whole.cell, whole.strict, self.among
            )
            leaf.loose = leaf.moves = True
            leaf.declared_as(tensor, geometry)
            spec = spec_before(tensor, geometry)
            self._sink.declare(LeafSeen(leaf.value, "earlier", "", spec, whole.cell))
        leaf.lies = geometry
        leaf.bind(home)
        return leaf

    def _declare_leaf(
        self,
        tensor: torch.Tensor,
        spec: Spec,
        home: Any,
        named: tuple[str, str] | None,
        producer: tuple[int, int] | None,
    ) -> Leaf:
        kind, name = named if named is not None else self._kind(tensor, home, producer)
        cell = None
        if kind in ("parameter", "buffer", "state", "earlier"):
            cell = CellId(self._next_cell)
            self._next_cell += 1
        leaf = Leaf(self._new_value(), cell, named is not None, self.among)
        leaf.loose = kind in ("batch", "earlier")
        self._sink.declare(LeafSeen(leaf.value, kind, name, spec, cell))  # type: ignore[arg-type]  # kinds above
        if producer is not None:
            self._sink.declare(Bound(self._calls.call, leaf.value, cell, Seq(producer[0]), producer[1]))
        return leaf

    def _kind(self, tensor: torch.Tensor, home: Any, producer: tuple[int, int] | None) -> tuple[str, str]:
        state = self.states.get(id(home))
        if state is not None and state[0]() is home:
            return "state", state[1]
        if tensor.requires_grad and tensor.is_leaf:
            return "parameter", ""
        if producer is not None:
            return "earlier", ""
        return ("constant" if tensor.dim() == 0 else "batch"), ""
