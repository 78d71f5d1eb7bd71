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

    @classmethod
    def placed(cls, stretches: Ints, calls: Mapping[int, Call], closed: Container[CallId]) -> Headlines:
        """Where they stand.

        Args:
            stretches: The call of each stretch; -1 for none.
            closed: Calls of which only the headline is shown.
        """
        found = cls(np.zeros(len(stretches), np.int64))
        depth: dict[int, int] = {}
        inside: dict[int, bool] = {}  # whether a call is closed, or in one that is
        known = np.flatnonzero(stretches >= 0)
        numbers, begins = np.unique(stretches[known], return_index=True)
        places = known[begins]
        for at in np.argsort(places).tolist():
            new: list[Call] = []
            call = calls.get(int(numbers[at]))
            while call is not None and call.call not in depth and call not in new:
                new.append(call)
                call = None if call.parent is None else calls.get(call.parent)
            for one in reversed(new):
                around = -1 if one.parent is None else one.parent
                depth[one.call] = depth.get(around, -1) + 1
                shut = inside.get(around, False)
                inside[one.call] = shut or one.call in closed
                if not shut:
                    found._add(int(places[at]), one.call, depth[one.call])
        found._before = np.concatenate([[0], np.cumsum(found.count)])
        shut_calls = [call for call, shut in inside.items() if shut]
        found.hidden = np.isin(stretches, shut_calls) if shut_calls else np.zeros(len(stretches), np.bool_)
        return found

    def _add(self, stretch: int, call: CallId, depth: int) -> None:
        self._places[call] = len(self.calls)
        self.calls.append(call)
        self.depth.append(depth)
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
