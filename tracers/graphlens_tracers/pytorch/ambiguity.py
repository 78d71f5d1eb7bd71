"""Which inputs could be another view of the same memory, and what tells them apart."""

from __future__ import annotations

from graphlens_tracers.events import ValueId
from graphlens_tracers.pytorch.arguments import Geometry, contiguous
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.values import Values
from graphlens_tracers.pytorch.variables import Variable, Where


class Ambiguity:
    """Decides for each input what of its place in memory has to be compared the next time."""

    def __init__(self, calls: Calls, values: Values) -> None:
        self._calls = calls
        self._values = values

    def where(
        self,
        geometry: Geometry | None,
        variable: Variable,
        value: ValueId | None,
        certain: bool,
    ) -> Where | None:
        """Where a tensor that lies like `value` must be, when there are other views of the same storage.

        Args:
            certain: This very tensor object is known to be that value.
        """
        if geometry is None:
            return None
        where = self._other_views(geometry, variable, value)
        doubles = variable.doubles.get(geometry)
        may_part = self._calls.varied or (
            doubles is not None and any(one in self._values.lies for one in doubles)
        )
        if doubles is None or certain or not may_part:
            return where
        leaf = variable.leaf
        leaves = (leaf,) if leaf is not None and leaf.value in doubles else ()
        same = tuple(sorted(doubles - {leaf.value for leaf in leaves}))
        for place in self._calls.places:
            outputs = {k for k, output in enumerate(place.node.outputs) if output.value in doubles}
            if outputs:
                self._values.note(place.node, outputs)
        for double in same:
            self._values.lies[double] = geometry
        return (where or Where())._replace(same=same, leaves=leaves)

    def _other_views(self, geometry: Geometry, variable: Variable, value: ValueId | None) -> Where | None:
        offset, shape, strides, kind = geometry
        others = [other for other in variable.views if other != geometry]
        leaf = variable.leaf
        if leaf is not None and leaf.moves and value is not None:
            known = leaf if value == leaf.value else self._values.outer.get(value)
            return Where(leaf=known) if known is not None else Where(at=value)
        maker = self._values.makers.get(value) if value is not None else None
        where = Where(contiguous=True) if strides == contiguous(shape) else Where(strides)
        # Where it lay is noted when it is made, if that is elsewhere from step to step.
        noted = maker is not None and maker[1] in maker[0].noted
        where = where._replace(view=value) if noted else where._replace(offset=offset)
        loose = leaf is not None and leaf.loose  # there may be views of it that were not seen yet
        if loose and shape and (value not in self._values.views or value in self._values.alike):
            return where._replace(shape=shape, kind=kind)
        if not others:
            return None
        if loose or any(other[1] == shape for other in others):
            read_as = kind if any(other[1] == shape and other[3] != kind for other in others) else None
            view = self._values.views.get(value) if value is not None else None
            if view is not None and (noted or view[0].varying):
                self._values.note_at(*view, geometry)  # a slice that moves, also to where another begins
                where = _shaped_unlike(where, shape, others)
                return where._replace(offset=None, view=value, kind=read_as)
            if maker is None or not self._calls.varied:
                where = _shaped_unlike(where, shape, [other for other in others if other[0] == offset])
                return where._replace(kind=read_as)
            self._values.note_at(*maker, geometry)  # not even what it is a view of need lie as it did
            return Where(at=value)
        return _shaped_unlike(Where(), shape, others)


def _shaped_unlike(where: Where, shape: tuple[int, ...], others: list[Geometry]) -> Where:
    """With what tells this shape from those of the others, if they have other ones."""
    unlike = {len(other[1]) for other in others if other[1] != shape}
    if len(shape) in unlike:
        return where._replace(shape=shape)
    return where._replace(dims=len(shape)) if unlike else where
