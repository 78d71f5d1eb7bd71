"""Which value a tensor is: identity by storage, version and geometry, never by `id()` alone.

This is the slow side's bookkeeping for the call that is under way. Recognised places leave no
trace here; `Values.follow` catches up along the way when the slow side is needed again.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import torch

from graphlens_tracers.events import Phase, Spec, ValueId
from graphlens_tracers.pytorch.arguments import home_of
from graphlens_tracers.pytorch.autograd import Numbers
from graphlens_tracers.pytorch.plan import Place, gone
from graphlens_tracers.pytorch.quick import Vars

Geometry = tuple[int, tuple[int, ...], tuple[int, ...], str]


class _Variable:
    """A storage in this call: its newest value, and the views of it that are still up to date."""

    __slots__ = ("last", "version", "views")

    def __init__(self, last: ValueId) -> None:
        self.last = last
        self.version = 0
        self.views: dict[Geometry, tuple[ValueId, int]] = {}


class Where(NamedTuple):
    """Where in its storage an input lies: at `offset`, or where `view` was noted to lie in this call."""

    strides: tuple[int, ...]
    offset: int | None
    view: ValueId | None


def geometry_of(tensor: torch.Tensor) -> Geometry | None:
    """Where in its storage a tensor lies; None for one without a storage of its own."""
    try:
        return (
            int(tensor.storage_offset()),
            tuple(map(int, tensor.shape)),
            tuple(map(int, tensor.stride())),
            str(tensor.dtype).removeprefix("torch."),
        )
    except (RuntimeError, NotImplementedError, TypeError, AttributeError):
        return None  # no storage, or a size that is no number (jagged)


class Values:
    """The values of one call so far.

    Attributes:
        vars: Storages made or first read in this call, by number; the first `count` are in use.
        counts: How often each kind of operation ran at each place of the source.
        numbers: Which place made which autograd node.
        leaves: Those that were read.
        views: Which place made a view, and as which output.
        offsets: Where views lie in their storage, of those whose place notes it.
        forward: Whether an operation of the forward phase has run.
        at: The place up to which all this is known.
    """

    def __init__(self) -> None:
        self.vars: Vars = []
        self.count = 0
        self.forward = False
        self.leaves: set[ValueId] = set()
        self.views: dict[ValueId, tuple[Place, int]] = {}
        self.offsets: dict[ValueId, int] = {}
        self.counts: dict[Any, int] = {}
        self.numbers = Numbers()
        self._variables: list[_Variable] = []
        self._homes: dict[int, int] = {}
        self._tensors: dict[int, tuple[weakref.ref[torch.Tensor], ValueId, int]] = {}
        self.at: Place | None = None

    def begin(self, root: Place) -> None:
        """A new call."""
        self.count = 0
        self.forward = False
        self.leaves.clear()
        self.views.clear()
        self.offsets.clear()
        self.counts.clear()
        self.numbers.clear()
        self._variables.clear()
        self._homes.clear()
        self._tensors.clear()
        self.at = root

    def follow(self, place: Place) -> None:
        """Catch up with the places that were recognised since the slow side last looked."""
        if place is self.at:
            return
        for at in place.path(self.at):
            self.add(at)
        self.at = place

    def add(self, place: Place) -> None:
        """What running this place did to the values."""
        node = place.node
        self.count = max(self.count, place.next_var)
        self.forward = self.forward or node.phase is Phase.FORWARD
        self.counts[node.key[:-1]] = self.counts.get(node.key[:-1], 0) + 1
        self.numbers.add(place)
        for index, leaf in place.leaves:
            self._grow(place.reads[index], leaf.value)
            self.leaves.add(leaf.value)
            if leaf.geometry is not None:
                self._see(place.reads[index], leaf.geometry, leaf.value)
        for output, variable in place.makes:
            self._grow(variable, node.outputs[output].value)
            self._see(variable, _spec_geometry(node.outputs[output].spec), node.outputs[output].value)
        for read, output in node.writes:
            known = self._variables[place.reads[read]]
            known.version += 1
            known.last = node.outputs[output].value
            self._see(place.reads[read], _spec_geometry(node.outputs[output].spec), known.last)
        for output, base in enumerate(node.views):
            if base is not None:
                view = node.outputs[output]
                self.views[view.value] = (place, output)
                self._see(place.reads[base], _spec_geometry(view.spec), view.value)
        self.at = place

    def remember(self, tensor: torch.Tensor, variable: int, value: ValueId) -> None:
        """This very tensor object is that value, until its storage is written."""
        self._tensors[id(tensor)] = (weakref.ref(tensor), value, self._variables[variable].version)

    def variable_of(self, tensor: torch.Tensor) -> int | None:
        """The variable that holds a tensor; None when its storage is new to this call."""
        home = home_of(tensor)
        variable = self._homes.get(id(home))
        return variable if variable is not None and self.vars[variable]() is home else None

    def value_of(self, tensor: torch.Tensor, variable: int) -> ValueId:
        """Which value a tensor of a known variable is."""
        known = self._variables[variable]
        seen = self._tensors.get(id(tensor))
        if seen is not None and seen[0]() is tensor and seen[2] == known.version:
            return seen[1]
        geometry = geometry_of(tensor)
        view = known.views.get(geometry) if geometry is not None else None
        return view[0] if view is not None and view[1] == known.version else known.last

    def ambiguous(self, tensor: torch.Tensor, variable: int, value: ValueId | None) -> Where | None:
        """Where a tensor must lie, when another view of the same storage has the same shape."""
        geometry = geometry_of(tensor)
        if geometry is None:
            return None
        alike = [
            other
            for other in self._variables[variable].views
            if other[1] == geometry[1] and (other[0], other[2]) != (geometry[0], geometry[2])
        ]
        if not alike:
            return None
        view = self.views.get(value) if value is not None else None
        if view is None:
            return Where(tuple(tensor.stride()), geometry[0], None)
        # A slice that moves from step to step: where it lay is noted when it is made.
        place, output = view
        if output not in place.noted:
            place.noted = (*place.noted, output)
            place.run = None
            self.offsets[place.node.outputs[output].value] = geometry[0]
        return Where(tuple(tensor.stride()), None, value)

    def make(self, tensor: torch.Tensor) -> int:
        """The number of a new variable for a tensor's storage; its value is told by `add`."""
        home = home_of(tensor)
        variable = self.count
        self.count += 1
        self.reserve(self.count)
        self.vars[variable] = weakref.ref(home)
        self._homes[id(home)] = variable
        return variable

    def reserve(self, count: int) -> None:
        """Make room for so many variables."""
        missing = count - len(self.vars)
        if missing > 0:
            self.vars.extend([gone] * (missing + 64))

    def _grow(self, variable: int, value: ValueId) -> None:
        while len(self._variables) <= variable:
            self._variables.append(_Variable(value))
        self._variables[variable] = _Variable(value)
        home = self.vars[variable]()
        if home is not None:
            self._homes[id(home)] = variable

    def _see(self, variable: int, geometry: Geometry, value: ValueId) -> None:
        known = self._variables[variable]
        old = known.views.get(geometry)
        if old is None or old[1] != known.version:
            # The first one stays: a saved tensor that comes back as another object is what made
            # the memory, not the `detach` that kept it.
            known.views[geometry] = (value, known.version)


def _spec_geometry(spec: Spec) -> Geometry:
    shape = tuple(size or 0 for size in spec.shape or ())
    strides = spec.strides if spec.strides is not None else _contiguous(shape)
    return spec.offset, shape, strides, spec.dtype


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))
