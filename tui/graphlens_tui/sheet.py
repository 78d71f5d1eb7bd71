"""Two axes of a tensor as rows and columns, and a cursor in the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphlens.elements import Array, Elements

FOLD = 10
"""Elements in a row of a tensor of one axis."""


@dataclass
class Sheet:
    """A slice of a tensor.

    Attributes:
        array: The elements: of a part of a tensor in rows of its last axis, where it is whole rows.
        place: The cursor: an index for each axis of `array`.
        axes: Which axis goes down and which across; fewer than two for fewer axes.
        chosen: The axis whose index can be changed.
    """

    elements: Elements
    array: Array = field(init=False)
    place: list[int] = field(init=False)
    axes: tuple[int, ...] = field(init=False)
    chosen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.array = _rows(self.elements)
        self.place = [0] * self.array.ndim
        self.axes = tuple(range(max(0, self.array.ndim - 2), self.array.ndim))

    # ── the slice ────────────────────────────────────────────────────────────────────────────

    @property
    def hidden(self) -> list[int]:
        """The axes of which one index is seen."""
        return [axis for axis in range(self.array.ndim) if axis not in self.axes]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        if len(self.axes) < 2:
            return -(-self.array.size // FOLD)
        return int(self.array.shape[self.axes[0]])

    @property
    def columns(self) -> int:
        """How many columns there are."""
        if len(self.axes) < 2:
            return min(self.array.size, FOLD)
        return int(self.array.shape[self.axes[1]])

    @property
    def row(self) -> int:
        """Of the cursor."""
        return self.place[self.axes[0]] if len(self.axes) == 2 else sum(self.place) // FOLD

    @property
    def column(self) -> int:
        """Of the cursor."""
        return self.place[self.axes[1]] if len(self.axes) == 2 else sum(self.place) % FOLD

    def label(self, row: int) -> int:
        """What a row is called: its index, or that of its first element."""
        if len(self.axes) < 2:
            return row * FOLD + self.elements.start
        return row + self.first_row if self.axes[0] == 0 else row

    @property
    def first_row(self) -> int:
        """Of a part: the row of the tensor, counted in order, that its first one is."""
        return self.elements.start // max(1, int(self.array.shape[-1]))

    def window(self, top: int, left: int, rows: int, columns: int) -> Array:
        """Elements by rows and columns; of one axis the last row may be filled up with zeros."""
        if len(self.axes) < 2:
            flat = self.array.reshape(-1)[top * FOLD : (top + rows) * FOLD]
            full = np.zeros(-(-flat.size // FOLD) * FOLD, flat.dtype)
            full[: flat.size] = flat
            return full.reshape(-1, FOLD)[:, left : left + columns]
        index: list[Any] = list(self.place)
        for axis, first, many in zip(self.axes, (top, left), (rows, columns), strict=True):
            index[axis] = slice(first, first + many)
        found: Array = self.array[tuple(index)]
        return found if self.axes[0] < self.axes[1] else found.T

    def in_row(self, row: int) -> int:
        """Columns of a row that have an element."""
        return self.columns if len(self.axes) == 2 else min(FOLD, self.array.size - row * FOLD)

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    @property
    def there(self) -> bool:
        """Whether there is any element."""
        return self.array.size > 0

    @property
    def element(self) -> int:
        """The cursor's element, counted in order from the first that is there."""
        return int(np.ravel_multi_index(tuple(self.place), self.array.shape)) if self.place else 0

    def value(self) -> Any:  # Any: a number of the array's type
        """The element under the cursor."""
        return self.array[tuple(self.place)]

    def named(self) -> tuple[int, ...]:
        """The cursor's place in the whole tensor."""
        return self.elements.place(self.element)

    def go_to_element(self, element: int) -> None:
        """To an element, counted in order from the first that is there."""
        self.place = [int(n) for n in np.unravel_index(element, self.array.shape)] if self.place else []

    def go_to(self, place: Sequence[int]) -> bool:
        """To a place of the whole tensor; False where there is none, or it was not kept."""
        shape = tuple(size or 0 for size in self.elements.spec.shape or ())
        if len(place) != len(shape):
            return False
        place = [at + size if at < 0 else at for at, size in zip(place, shape, strict=True)]
        if any(not 0 <= at < size for at, size in zip(place, shape, strict=True)):
            return False
        element = (int(np.ravel_multi_index(tuple(place), shape)) if shape else 0) - self.elements.start
        if not 0 <= element < self.array.size:
            return False
        self.go_to_element(element)
        return True

    def move(self, rows: int, columns: int) -> None:
        """By rows and columns, as far as there are some."""
        if not self.there:
            return
        row = max(0, min(self.row + rows, self.rows - 1))
        column = max(0, min(self.column + columns, self.columns - 1))
        if len(self.axes) == 2:
            self.place[self.axes[0]], self.place[self.axes[1]] = row, column
        elif self.place:
            self.place = [min(row * FOLD + column, self.array.size - 1)]

    # ── which axes are seen ──────────────────────────────────────────────────────────────────

    def choose(self) -> bool:
        """Choose the next axis of which one index is seen; False without one."""
        hidden = self.hidden
        if not hidden:
            return False
        self.chosen = next((axis for axis in hidden if axis > self.chosen), hidden[0])
        return True

    def turn(self, by: int) -> bool:
        """Another index of the chosen axis; False where that is the last, or there is no axis."""
        hidden = self.hidden
        if not hidden:
            return False
        if self.chosen not in hidden:
            self.chosen = hidden[0]
        index = self.place[self.chosen] + by
        if not 0 <= index < self.array.shape[self.chosen]:
            return False
        self.place[self.chosen] = index
        return True

    def assign(self, *, across: bool) -> bool:
        """The chosen axis and the one that goes across, or down, change places; without one those two do."""
        if len(self.axes) < 2:
            return False
        down, right = self.axes
        hidden = self.hidden
        if not hidden:
            self.axes = right, down
            return True
        chosen = self.chosen if self.chosen in hidden else hidden[0]
        self.chosen = right if across else down
        self.axes = (down, chosen) if across else (chosen, right)
        return True

    def keep_place(self, before: Sheet) -> None:
        """Stand where the cursor of another one stood, if that has the same shape."""
        if before.array.shape == self.array.shape:
            self.place, self.axes, self.chosen = list(before.place), before.axes, before.chosen


def _rows(elements: Elements) -> Array:
    """The array as it is seen; of a part that is whole rows of the last axis, these rows."""
    shape = elements.spec.shape or ()
    last = (shape[-1] or 0) if shape else 0
    part = not elements.whole and len(shape) > 1 and last > 0
    if part and elements.start % last == 0 and elements.array.size % last == 0:
        return elements.array.reshape(-1, last)
    return elements.array


def size_text(spec_size: int, width: int) -> str:
    """How many bytes so many elements of a width take: "160 B", "64 MiB"."""
    size = float(spec_size * width)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError("unreachable: the last unit takes all")
