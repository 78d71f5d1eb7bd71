"""What an operation was computed from, and what reads it, as far as its own call goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from graphlens_tui.ways import Way

Ints = npt.NDArray[np.int64]
BUDGET = 20_000
"""Operations that are followed in each direction; where there are more, that is said."""


class Kin(StrEnum):
    """What a line is to the operation that is traced."""

    ITSELF = "itself"
    SOURCE = "source"  # it was computed from this
    READER = "reader"  # this was computed from it
    NONE = ""


@dataclass(frozen=True, eq=False)
class Trace:
    """The kin of one operation.

    Attributes:
        call, graph, origin: Which operation it is: that at this position of the graph, in this call.
        sources, readers: Positions in the graph, sorted.
        cut: There are more than the budget: the farther ones are not in it.
    """

    call: int
    graph: int
    origin: int
    sources: Ints
    readers: Ints
    cut: bool

    @classmethod
    def of(cls, way: Way, call: int, graph: int, origin: int) -> Trace:
        """Follow the values of an operation, both ways."""
        sources, cut = _follow(way.reads, origin)
        readers, more = _follow(way.users, origin)
        return cls(call, graph, origin, sources, readers, cut or more)

    def kin(self, start: int, stop: int) -> Kin:
        """What the operations from position `start` up to `stop` are to it."""
        if start <= self.origin < stop:
            return Kin.ITSELF
        for positions, kin in ((self.sources, Kin.SOURCE), (self.readers, Kin.READER)):
            low, high = np.searchsorted(positions, (start, stop))
            if high > low:
                return kin
        return Kin.NONE


def _follow(edges: Sequence[Sequence[int]], origin: int) -> tuple[Ints, bool]:
    """What can be come to along edges, the nearest first up to the budget; whether there was more."""
    seen, waiting = {origin}, [origin]
    for position in waiting:  # it grows meanwhile
        for other in edges[position]:
            if other not in seen:
                if len(seen) > BUDGET:
                    return _sorted(seen - {origin}), True
                seen.add(other)
                waiting.append(other)
    return _sorted(seen - {origin}), False


def _sorted(positions: set[int]) -> Ints:
    return np.array(sorted(positions), np.int64)
