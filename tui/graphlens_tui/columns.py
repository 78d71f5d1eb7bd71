"""Which columns the lines of a graph have room for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells, from left to right, the space before a column included; 0: not shown.

    Attributes:
        mark: The cursor.
        lanes: Two cells a lane, and a space.
        signs: Five classes of elements.
        jumps: Where cut edges lead.
    """

    mark: int
    seq: int
    lanes: int
    op: int
    module: int
    spec: int
    signs: int
    range: int
    jumps: int

    @property
    def lane_count(self) -> int:
        """How many lanes there is room for."""
        return max(1, (self.lanes - 1) // 2)


_LEAST = {"op": 13, "spec": 14, "range": 14, "signs": 11, "module": 16, "jumps": 13}
"""What a column needs; those after `op` come in this order, as far as there is room."""
_EASY = 17
"""What most operations are called fits into so much: before others grow, `op` does."""
_MORE = {"op": 20, "module": 24, "range": 17}
"""Up to so much these grow before all others: Keras has long names."""
_MOST = {"op": 30, "module": 34, "spec": 26, "range": 22, "jumps": 24}
"""What is left over goes to these."""
_LANES = ((150, 12), (110, 10), (100, 9), (80, 7), (64, 6), (0, 4))
"""From how many cells on there is room for how many lanes."""


def fit(width: int, last: int, lane_count: int = 0) -> Columns:
    """The columns of a line of `width` cells, where sequence numbers go up to `last`.

    Args:
        lane_count: Room for so many lanes and no other; 0: as many as are good for the width.
    """
    seq = max(5, len(str(last)) + 1)
    lanes = 1 + 2 * (lane_count or next(lanes for least, lanes in _LANES if width >= least))
    widths = dict.fromkeys(_LEAST, 0)
    left = width - 2 - seq - lanes
    if left < _LEAST["op"]:  # hardly any room: what it is called matters most
        op = max(0, min(width - 2, _LEAST["op"]))
        seq = seq if width - 2 - op >= seq else 0
        lanes = max(0, width - 2 - op - seq)
        lanes = lanes if lanes >= 3 else 0
        return Columns(min(2, width), seq, lanes, op, module=0, spec=0, signs=0, range=0, jumps=0)
    for name, least in _LEAST.items():
        if left < least:
            break
        widths[name], left = least, left - least
    more = min(left, _EASY - widths["op"])
    widths["op"], left = widths["op"] + more, left - more
    for name, most in _MORE.items():
        more = min(left, max(0, most - widths[name])) if widths[name] else 0
        widths[name], left = widths[name] + more, left - more
    while left > 0:
        growing = [name for name, most in _MOST.items() if 0 < widths[name] < most]
        if not growing:
            break
        for name in growing[:left]:
            widths[name] += 1
            left -= 1
    return Columns(2, seq, lanes, **widths)
