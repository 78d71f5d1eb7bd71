"""A storage in one call, and how tensors lie in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphlens_tracers.events import ValueId
from graphlens_tracers.pytorch.arguments import Geometry
from graphlens_tracers.pytorch.plan import Leaf


class View(NamedTuple):
    """One of the tensors that share a storage.

    Attributes:
        version: The storage's when it was made.
        origin: What made it of what; a view of the same origin always lies like it. None: nobody knows.
    """

    value: ValueId
    version: int
    origin: Any


class Variable:
    """A storage in this call, and what has been done to it.

    Attributes:
        number: By this the quick side knows it: see `plan.py`.
        home: Weak reference to the storage.
        leaf: What it is from outside; None when it was made in this call.
        last: Its newest value; `version`: how often it was written.
        views: Every way that a tensor of it lies, and as which value it was seen first.
        doubles: Other values that lie like one of `views`.
    """

    __slots__ = ("_fresh", "_root", "_stale", "doubles", "home", "last", "leaf", "number", "version", "views")

    def __init__(self, value: ValueId, home: Any, leaf: Leaf | None = None) -> None:
        self.number = -1
        self.home = home
        self.leaf = leaf
        self.last = value
        self.version = 0
        self.views: dict[Geometry, View] = {}
        self.doubles: dict[Geometry, set[ValueId]] = {}
        self._root = value
        # Sums of the views that are up to date, and of those that are not: of whatever order.
        self._fresh = _mark(value)
        self._stale = 0

    @property
    def content(self) -> tuple[int, int, int, int]:
        """Equal for two variables that are the same, and were written and viewed alike."""
        return self._root, self.last, self._stale, self._fresh

    def write(self, value: ValueId, geometry: Geometry | None, like: ValueId | None) -> None:
        """It is changed in place by an operation that was given the tensor of the value `like`."""
        self.version += 1
        self.last = value
        self._stale ^= self._fresh
        self._fresh = 0
        old = self.views.get(geometry) if geometry is not None else None
        if geometry is not None and old is not None and old.value == like:
            del self.views[geometry]  # the very same tensor: not another one that lies alike
        self._fresh ^= _mark(value)
        if geometry is not None:
            self._see(value, geometry, None)

    def see(self, value: ValueId, geometry: Geometry | None, origin: Any, always: bool) -> bool:
        """There is a tensor of it that lies so; False when it always lies like one that was seen.

        Args:
            always: It does so, if one lies like it now.
        """
        if geometry is None:
            return True
        old = self.views.get(geometry)
        alike = old is not None and old.version == self.version
        if alike and (always or (old is not None and origin is not None and old.origin == origin)):
            return False
        self._see(value, geometry, origin)
        self._fresh ^= _mark(value)
        return True

    def _see(self, value: ValueId, geometry: Geometry, origin: Any) -> None:
        old = self.views.get(geometry)
        if old is None or old.version != self.version:
            # The first one stays: a saved tensor that comes back as another object is what made
            # the memory, not the `detach` that kept it.
            self.views[geometry] = View(value, self.version, origin)
        if old is not None and (origin is None or old.origin != origin):
            self.doubles.setdefault(geometry, set()).update((old.value, value))

    def part(self, leaf: Leaf) -> None:
        """Something from outside lies in it, and like nothing that was seen so far."""
        if leaf.lies is not None and leaf.lies not in self.views:
            # Never up to date: whoever reads it reads what the memory holds now.
            self.views[leaf.lies] = View(leaf.value, -1, None)
            self._stale ^= _mark(leaf.value)


def _mark(value: ValueId) -> int:
    return hash((value, "view"))


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
