"""Which value a tensor is: identity by storage, version and geometry, never by `id()` alone.

This is the slow side's bookkeeping for the call that is under way. Recognised places leave no
trace here; `Values.follow` catches up along the way when the slow side is needed again.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from graphlens_tracers.events import Phase, Spec, ValueId
from graphlens_tracers.pytorch.arguments import Geometry, contiguous, geometry_of, home_of
from graphlens_tracers.pytorch.autograd import Numbers
from graphlens_tracers.pytorch.checks import Vars
from graphlens_tracers.pytorch.plan import Leaf, Node, Place, gone

_ALIKE = ("aten.detach", "aten.alias", "aten.lift_fresh")
"""Views that always lie like what they are views of."""


class _Variable:
    """A storage in this call: its newest value, and how every view of it lies, with the version it saw."""

    __slots__ = ("doubles", "last", "outside", "version", "views")

    def __init__(self, last: ValueId) -> None:
        self.last = last
        self.outside = False
        self.version = 0
        self.views: dict[Geometry, tuple[ValueId, int]] = {}
        self.doubles: dict[Geometry, set[ValueId]] = {}  # other values that lie like one of `views`


class _Met(NamedTuple):
    """A tensor object that the slow side has met: which value it was, of which version of its storage."""

    tensor: weakref.ref[torch.Tensor]
    value: ValueId
    variable: int
    version: int
    geometry: Geometry | None


class Where(NamedTuple):
    """Where in its storage an input must lie, so that it is no other view; None: that need not be compared.

    Attributes:
        at: It is where this value, which may be elsewhere each time, was in this call.
        offset: In elements; `view`: at the offset that was noted for this view in the call.
        dims: How many dimensions it has.
        same, leaves: These values and leaves all lie alike, as they did when it was taken for one of them.
        part: It is another part of its storage each time, and this leaf notes which.
        leaf: It is where this leaf, which may be another part of its storage each time, was in this call.
    """

    strides: tuple[int, ...] | None = None
    contiguous: bool = False
    offset: int | None = None
    view: ValueId | None = None
    at: ValueId | None = None
    dims: int | None = None
    shape: tuple[int, ...] | None = None
    kind: str | None = None
    same: tuple[ValueId, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    part: Leaf | None = None
    leaf: Leaf | None = None

    def alike(self, other: Where) -> bool:
        """Equal but for the shape, which may vary."""
        return self._replace(shape=None) == other._replace(shape=None)


class Values:
    """The values of one call so far.

    Attributes:
        vars: Storages made or first read in this call, by number; the first `count` are in use.
        counts: How often each kind of operation ran at each place of the source.
        numbers: Which place made which autograd node.
        leaves: Those that were read; `outer`: those and the parts of them.
        views: Which place made a view, and as which output.
        offsets: Where views lie in their storage, of those whose place notes it.
        lies: The same in full: what moves does not lie where its node says.
        forward: The first operation of the forward phase that has run.
        at: The place up to which all this is known.
    """

    def __init__(self) -> None:
        self.vars: Vars = []
        self.count = 0
        self.forward: Node | None = None
        self.leaves: set[ValueId] = set()
        self.outer: dict[ValueId, Leaf] = {}
        self.views: dict[ValueId, tuple[Place, int]] = {}
        self.offsets: dict[ValueId, int] = {}
        self.lies: dict[ValueId, Geometry] = {}
        self.counts: dict[Any, int] = {}
        self.numbers = Numbers()
        self._variables: list[_Variable] = []
        self._homes: dict[int, int] = {}
        self._tensors: dict[int, _Met] = {}
        self.at: Place | None = None

    def begin(self, root: Place) -> None:
        """A new call."""
        self.count = 0
        self.forward = None
        self.leaves.clear()
        self.outer.clear()
        self.views.clear()
        self.offsets.clear()
        self.lies.clear()
        self.counts.clear()
        self.numbers.clear()
        self._variables.clear()
        self._homes.clear()
        self._tensors.clear()
        self.at = root

    def follow(self, place: Place, specs: list[Spec] | None) -> None:
        """Catch up with the places that were recognised since the slow side last looked.

        Args:
            specs: Of all outputs so far, where they are not as declared.
        """
        if place is self.at:
            return
        for at in place.path(self.at):
            outputs = at.node.outputs
            if specs is not None:
                here = specs[at.first_output : at.first_output + len(outputs)]
                lie = [lies_as(spec) for spec in here]
            else:
                lie = [lies_as(output.spec) for output in outputs]
            self.add(at, [self.lies.get(o.value, known) for o, known in zip(outputs, lie, strict=True)])
        self.at = place

    def note(self, value: ValueId, tensor: torch.Tensor) -> None:
        """Where a value that moves lies in this call."""
        geometry = geometry_of(tensor)
        if geometry is not None:
            self.offsets[value] = geometry[0]
            self.lies[value] = geometry

    def add(self, place: Place, lie: Sequence[Geometry | None]) -> None:
        """What running this place did to the values; `lie`: where its outputs are."""
        node = place.node
        self.count = max(self.count, place.next_var)
        if self.forward is None and node.phase is Phase.FORWARD:
            self.forward = node
        self.counts[node.key[:-1]] = self.counts.get(node.key[:-1], 0) + 1
        self.numbers.add(place)
        for index, leaf in place.leaves:
            self._grow(place.reads[index], leaf.value)
            self._variables[place.reads[index]].outside = True
            self.leaves.add(leaf.value)
            self.outer[leaf.value] = leaf
            self._see(place.reads[index], leaf.lies, leaf.value)
        for index, leaf in place.parts:
            self.outer[leaf.value] = leaf
            if leaf.lies is not None:
                # Never up to date: whoever reads it reads what the memory holds now.
                self._variables[place.reads[index]].views.setdefault(leaf.lies, (leaf.value, -1))
        for output, variable in place.makes:
            self._grow(variable, node.outputs[output].value)
            self._see(variable, lie[output], node.outputs[output].value)
        for read, output in node.writes:
            known = self._variables[place.reads[read]]
            known.version += 1
            known.last = node.outputs[output].value
            here = lie[output]
            old = known.views.get(here) if here is not None else None
            if here is not None and old is not None and old[0] == place.lies_like(read):
                del known.views[here]  # the very same tensor: not another one that lies alike
            self._see(place.reads[read], here, known.last)
        for output, base in enumerate(node.views):
            if base is not None:
                view = node.outputs[output]
                self.views[view.value] = (place, output)
                known, here = self._variables[place.reads[base]], lie[output]
                old = known.views.get(here) if here is not None else None
                if old is not None and old[1] == known.version and node.info.name.startswith(_ALIKE):
                    continue
                self._see(place.reads[base], lie[output], view.value)
        self.at = place

    def remember(self, tensor: torch.Tensor, variable: int, value: ValueId) -> None:
        """This very tensor object is that value, until its storage is written."""
        known = self._variables[variable]
        self._tensors[id(tensor)] = _Met(
            weakref.ref(tensor), value, variable, known.version, geometry_of(tensor)
        )

    def forget_tensors(self) -> None:
        """Keep no reference to any tensor: what they are is known by their storages, too."""
        self._tensors.clear()

    def variable_of(self, tensor: torch.Tensor) -> int | None:
        """The variable that holds a tensor; None when its storage is new to this call."""
        return self.variable_at(home_of(tensor))

    def variable_at(self, home: Any) -> int | None:
        """The variable of a storage; None when it is new to this call."""
        variable = self._homes.get(id(home))
        return variable if variable is not None and self.vars[variable]() is home else None

    def value_of(
        self, tensor: torch.Tensor, variable: int, geometry: Geometry | None
    ) -> tuple[ValueId, ValueId | None]:
        """Which value a tensor of a known variable reads, and which one it lies like if not like that."""
        known = self._variables[variable]
        seen = self._met(tensor, variable, geometry)
        view: tuple[ValueId, int] | None = None
        if seen is not None:
            view = seen.value, seen.version
        elif geometry is not None:
            view = known.views.get(geometry)
        if view is None:
            return known.last, None
        return (view[0], None) if view[1] == known.version else (known.last, view[0])

    def knows(self, tensor: torch.Tensor, variable: int, geometry: Geometry | None) -> bool:
        """Whether this very tensor object was met before in this call, lying so."""
        return self._met(tensor, variable, geometry) is not None

    def _met(self, tensor: torch.Tensor, variable: int, geometry: Geometry | None) -> _Met | None:
        seen = self._tensors.get(id(tensor))
        if seen is None or seen.tensor() is not tensor or seen.variable != variable:
            return None
        return seen if seen.geometry == geometry else None

    def is_part(self, variable: int, geometry: Geometry | None) -> bool:
        """Whether a tensor of a variable from outside lies as nothing that was seen of it."""
        known = self._variables[variable]
        return known.outside and geometry is not None and geometry not in known.views

    def ambiguous(
        self,
        geometry: Geometry | None,
        variable: int,
        value: ValueId | None,
        outside: tuple[tuple[int, Leaf], ...],
        certain: bool,
        varied: bool,
    ) -> Where | None:
        """Where a tensor that lies like `value` must be, when there are other views of the same storage.

        Args:
            outside: (variable, leaf) of those that were read.
            certain: This very tensor object is known to be that value.
            varied: Shapes have not always been those that are declared.
        """
        if geometry is None:
            return None
        where = self._other_views(geometry, variable, value, outside)
        doubles = self._variables[variable].doubles.get(geometry)
        if doubles is None or certain or not (varied or any(double in self.lies for double in doubles)):
            return where
        leaves = tuple(leaf for _, leaf in outside if leaf.value in doubles)
        same = tuple(sorted(doubles - {leaf.value for leaf in leaves}))
        for place in self.at.path() if self.at is not None else ():
            place.note({k for k, output in enumerate(place.node.outputs) if output.value in doubles})
        for double in same:
            self.lies[double] = geometry
        return (where or Where())._replace(same=same, leaves=leaves)

    def _other_views(
        self,
        geometry: Geometry,
        variable: int,
        value: ValueId | None,
        outside: tuple[tuple[int, Leaf], ...],
    ) -> Where | None:
        offset, shape, strides, kind = geometry
        loose = False
        others = [other for other in self._variables[variable].views if other != geometry]
        for read, leaf in outside:
            if read == variable:
                if leaf.moves and value is not None:
                    known = leaf if value == leaf.value else self.outer.get(value)
                    return Where(leaf=known) if known is not None else Where(at=value)
                loose |= leaf.loose  # there may be views of it that were not seen yet
        if loose and shape and value not in self.views:
            where = Where(contiguous=True) if strides == contiguous(shape) else Where(strides)
            return where._replace(shape=shape, offset=offset or None, kind=kind)
        if not others:
            return None
        if loose or any(other[1] == shape for other in others):
            read_as = kind if any(other[1] == shape and other[3] != kind for other in others) else None
            view = self.views.get(value) if value is not None else None
            where = Where(contiguous=True) if strides == contiguous(shape) else Where(strides)
            if view is None:
                return where._replace(offset=offset, kind=read_as)
            # A slice that moves from step to step: where it lay is noted when it is made.
            place, output = view
            if output not in place.noted and not place.node.scalars:
                return where._replace(offset=offset, kind=read_as)  # nothing says where: it stays
            if output not in place.noted:
                place.note({output})
                self.offsets[place.node.outputs[output].value] = offset
                self.lies[place.node.outputs[output].value] = geometry
            return where._replace(view=value, kind=read_as)
        if any(len(other[1]) == len(shape) for other in others):
            return Where(shape=shape)
        return Where(dims=len(shape))

    def is_free(self, variable: int) -> bool:
        """Whether the memory of a variable is as it came from outside, without a view of it made here."""
        known = self._variables[variable]
        return known.version == 0 and all(value in self.outer for value, _ in known.views.values())

    def make(self, home: Any) -> int:
        """The number of a new variable for a storage; its value is told by `add`."""
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

    def _see(self, variable: int, geometry: Geometry | None, value: ValueId) -> None:
        if geometry is None:
            return
        known = self._variables[variable]
        old = known.views.get(geometry)
        if old is None or old[1] != known.version:
            # The first one stays: a saved tensor that comes back as another object is what made
            # the memory, not the `detach` that kept it.
            known.views[geometry] = (value, known.version)
        if old is not None:
            known.doubles.setdefault(geometry, set()).update((old[0], value))


def lies_as(spec: Spec) -> Geometry:
    """Where a tensor of this spec lies in its storage."""
    shape = tuple(size or 0 for size in spec.shape or ())
    strides = spec.strides if spec.strides is not None else contiguous(shape)
    kind = spec.dtype + ("*" if spec.conj else "") + ("-" if spec.neg else "")
    return spec.offset, shape, strides, kind
