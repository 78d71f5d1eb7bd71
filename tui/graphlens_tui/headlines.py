"""Where the headlines of calls stand among the stretches of a run; those of calls inside of calls, too."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphlens.session import Call
from graphlens_tracers.events import CallId

Ints = npt.NDArray[np.int64]


@dataclass
class Headlines:
    """A headline a call, before the first of its operations and those of the calls that it is around.

    Attributes:
        count: How many stand before each stretch, the outermost first.
        calls: Whose they are, in order; `depth`: how many calls are around each.
        hidden: Stretches inside of a call that is closed.
    """

    count: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    calls: list[CallId] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    hidden: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    _before: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    _places: dict[CallId, int] = field(default_factory=dict)
    _seen: list[tuple[int, CallId]] = field(default_factory=list)
    _depth: dict[int, int] = field(default_factory=dict)
    _shut: set[int] = field(default_factory=set)

    def grow(self, stretches: Ints, kept: int, calls: Mapping[int, Call], closed: Container[CallId]) -> None:
        """Take in stretches; what stands before the first `kept` of them stays.

        Args:
            stretches: The call of each stretch; -1 for none.
            closed: Calls of which only the headline is shown: the same ones as before, where any are kept.
        """
        kept = min(kept, len(self.count))
        self._forget(kept)
        self.count = np.concatenate([self.count, np.zeros(len(stretches) - kept, np.int64)])
        known = kept + np.flatnonzero(stretches[kept:] >= 0)
        numbers, begins = np.unique(stretches[known], return_index=True)
        places = known[begins]
        for at in np.argsort(places).tolist():
            new: list[Call] = []
            call = calls.get(int(numbers[at]))
            while call is not None and call.call not in self._depth and call not in new:
                new.append(call)
                call = None if call.parent is None else calls.get(call.parent)
            for one in reversed(new):
                self._add(int(places[at]), one, shut=one.call in closed)
        self._before = np.concatenate([[0], np.cumsum(self.count)])
        shut = list(self._shut)
        self.hidden = np.isin(stretches, shut) if shut else np.zeros(len(stretches), np.bool_)

    def _forget(self, kept: int) -> None:
        """Leave out what stands before stretches from `kept` on."""
        while self._seen and self._seen[-1][0] >= kept:
            _, call = self._seen.pop()
            del self._depth[call]
            self._shut.discard(call)
            if self._places.pop(call, None) is not None:
                self.calls.pop()
                self.depth.pop()
        self.count = self.count[:kept]

    def _add(self, stretch: int, call: Call, *, shut: bool) -> None:
        number, around = call.call, -1 if call.parent is None else call.parent
        self._seen.append((stretch, number))
        self._depth[number] = self._depth.get(around, -1) + 1
        hidden = around in self._shut
        if hidden or shut:
            self._shut.add(number)
        if not hidden:
            self._places[number] = len(self.calls)
            self.calls.append(number)
            self.depth.append(self._depth[number])
            self.count[stretch] += 1

    def at(self, stretch: int, within: int) -> tuple[CallId, int]:
        """The call of a headline, and its depth: that `within` those before a stretch."""
        number = int(self._before[stretch]) + within
        return self.calls[number], self.depth[number]

    def lines(self, tops: Ints) -> Ints:
        """The line of each headline, where `tops` is the first line of each stretch."""
        within = np.arange(len(self.calls)) - np.repeat(self._before[:-1], self.count)
        return np.repeat(tops[: len(self.count)], self.count) + within

    def number(self, call: CallId) -> int | None:
        """Which headline is that of a call; None where it is hidden, or there is none."""
        return self._places.get(call)
