"""What is said of elements: against plain Python and the standard library."""

from __future__ import annotations

import math
import statistics as truth

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from graphlens.elements import Elements
from graphlens.statistics import bad, difference, histogram, plane, statistics
from graphlens_tracers.events import Spec

NUMBERS = arrays.arrays(
    np.float32, arrays.array_shapes(max_dims=3, max_side=5), elements=some.floats(width=32)
)


def elements(array: np.ndarray) -> Elements:
    return Elements(Spec(array.shape, str(array.dtype)), array)


@given(NUMBERS)
def test_statistics_are_those_of_plain_python(array: np.ndarray) -> None:
    """Over what is finite."""
    found = statistics(array)
    every = [float(x) for x in array.ravel()]
    finite = [x for x in every if math.isfinite(x)]

    assert found.size == len(every)
    assert found.nan == sum(map(math.isnan, every))
    assert (found.pos_inf, found.neg_inf) == (every.count(math.inf), every.count(-math.inf))
    assert found.zeros == sum(x == 0 for x in every)
    assert found.low == (min(finite) if finite else None)
    assert found.high == (max(finite) if finite else None)
    assert found.smallest == min((abs(x) for x in finite if x), default=None)
    if finite:
        assert found.mean == pytest.approx(math.fsum(finite) / len(finite), abs=1e-9 * max(map(abs, finite)))
        assert found.percentiles is not None
        assert found.percentiles[1] == pytest.approx(truth.median(finite), rel=1e-6, abs=1e-12)


@given(NUMBERS, some.integers(1, 12))
def test_every_finite_element_is_in_the_histogram(array: np.ndarray, bins: int) -> None:
    """Once."""
    found = histogram(array, bins)
    finite = [float(x) for x in array.ravel() if math.isfinite(x)]

    assert (found is None) == (not finite)
    if found is not None:
        assert sum(found.counts) == len(finite) and len(found.counts) == bins
        assert (found.low, found.high) == (min(finite), max(finite))
        if found.high > found.low:
            assert found.counts[0] >= 1 and found.counts[-1] >= 1


def test_the_widest_histogram() -> None:
    """From one end of float64 to the other."""
    found = histogram(np.array([-1.7e308, 0.0, 1.7e308]), 3)
    assert found is not None and found.counts == (1, 1, 1)


@given(NUMBERS)
def test_bad_places_are_where_they_are(array: np.ndarray) -> None:
    """And in which rows."""
    found = bad(elements(array))
    wanted = [place for place in np.ndindex(array.shape) if not math.isfinite(array[place])]

    assert [place for place, _ in found.places] == wanted and found.count == len(wanted)
    assert all(array[place] == value or math.isnan(value) for place, value in found.places)
    rows = [place[0] for place in wanted]
    assert found.rows == {row: rows.count(row) for row in rows}


def test_difference() -> None:
    """Largest, changed, broken, angle and scale; by hand."""
    before = np.array([[1.0, 2.0], [0.0, np.nan]])
    after = np.array([[2.0, 4.0], [np.inf, np.nan]])
    found = difference(after, before)

    assert found is not None
    assert (found.size, found.changed, found.broken, found.largest) == (4, 3, 1, math.inf)
    assert found.cosine == pytest.approx(1.0) and found.scale == pytest.approx(2.0)
    assert difference(after, before[0]) is None
    nothing = difference(np.zeros(3), np.zeros(3))
    assert nothing is not None and (nothing.largest, nothing.cosine, nothing.scale) == (0.0, None, None)


def test_a_plane_has_the_axes_that_were_chosen() -> None:
    """Rows first; a vector is one row."""
    array = np.arange(24).reshape(2, 3, 4)
    assert plane(array, (1, 2), (1, 0, 0)).tolist() == array[1].tolist()
    assert plane(array, (2, 0), (0, 2, 0)).tolist() == array[:, 2, :].T.tolist()
    assert plane(np.arange(3), (0, 0), (0,)).tolist() == [[0, 1, 2]]
    assert plane(np.array(5), (0, 0), ()).tolist() == [[5]]
