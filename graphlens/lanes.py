"""Lanes for the lines of a graph: where each value runs beside the operations, as `git log --graph` does.

A line is an operation or a folded module. What it makes takes a lane from there to the last line
that reads it. Where all lanes are taken, the value that is needed latest gives its lane up (Belady's
rule); a lane that would run idle for more than `SPAN` lines is not begun. Both uses become jumps,
said by number instead of drawn.

Nothing that stands more than `SPAN` lines ahead matters for a line: so a graph that grows is laid
out again only at its end, and the result is the same as if it had been whole from the start.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

SPAN = 40
"""Lines: what an eye follows. A longer edge is easier to follow by its number."""
NOBODY = -1
"""In a lane: it is free. As a column: there is none."""


class Lanes:
    """The lanes beside the lines of one graph.

    Attributes:
        width: How many lanes there are.
        span: Lines that a lane may run idle.
        reads: For each line the earlier lines that make what it reads, each once, in argument order.
        users: For each line the later lines that read what it makes, in order.
        column: The lane in which each line is drawn.
    """

    def __init__(self, width: int, span: int = SPAN) -> None:
        self.width = width
        self.span = span
        self.reads: list[tuple[int, ...]] = []
        self.users: list[list[int]] = []
        self.column: list[int] = []
        # For each line, and for the end: which line's value each lane carries into it.
        self._before = array("i")

    def __len__(self) -> int:
        return len(self.reads)

    def grow(self, reads: Sequence[tuple[int, ...]], kept: int) -> None:
        """Make the lines those of `reads`, of which the first `kept` are as they were."""
        kept = min(kept, len(self.reads), len(reads))
        for gone in range(len(self.reads) - 1, kept - 1, -1):
            for maker in self.reads[gone]:
                del self.users[maker][bisect_right(self.users[maker], gone - 1) :]
        del self.reads[kept:], self.users[kept:]
        for line in range(kept, len(reads)):
            self.reads.append(reads[line])
            self.users.append([])
            for maker in reads[line]:
                self.users[maker].append(line)
        self._lay_out(max(0, kept - self.span - 1))

    def before(self, line: int) -> Sequence[int]:
        """Which line's value each lane carries from the line before into `line`; NOBODY's is free."""
        return self._before[line * self.width : (line + 1) * self.width]

    def jumps_from(self, line: int) -> list[int]:
        """The lines whose values `line` reads without a lane that leads there."""
        carried = self.before(line)
        return [maker for maker in self.reads[line] if maker not in carried]

    def jumps_to(self, line: int) -> list[int]:
        """The lines that read what `line` makes without a lane that leads there."""
        return [user for user in self.users[line] if line not in self.before(user)]

    def _next_use(self, maker: int, after: int) -> int | None:
        """The next line that reads what `maker` makes, if no more than `span` lines on."""
        users = self.users[maker]
        at = bisect_right(users, after)
        return users[at] if at < len(users) and users[at] - after <= self.span else None

    def _lay_out(self, start: int) -> None:
        """Lay out the lines from `start` on, as the lanes stand before it."""
        if not self._before:
            self._before.extend([NOBODY] * self.width)
        lanes = list(self.before(start))
        lane_of = {maker: lane for lane, maker in enumerate(lanes) if maker != NOBODY}
        del self.column[start:], self._before[start * self.width :]
        for line in range(start, len(self.reads)):
            ending = self._ending(line, lane_of)
            column = ending[0] if ending else self._free(lanes, line)
            if not ending and lanes[column] != NOBODY:
                # It loses its lane: not into this line, or it would look as if it were read here.
                loser = lanes[column]
                del lane_of[loser]
                if loser not in self.reads[line]:
                    lanes[column] = NOBODY
            self._before.extend(lanes)
            self.column.append(column)
            for lane in ending:
                del lane_of[lanes[lane]]
                lanes[lane] = NOBODY
            lanes[column] = NOBODY
            if self._next_use(line, line) is not None:
                lanes[column] = line
                lane_of[line] = column
        self._before.extend(lanes)

    def _ending(self, line: int, lane_of: dict[int, int]) -> list[int]:
        """The lanes that lead into `line` and no further, in argument order."""
        reads = self.reads[line]
        return [lane_of[one] for one in reads if one in lane_of and self._next_use(one, line) is None]

    def _free(self, lanes: list[int], line: int) -> int:
        """The lowest free lane, else that of the value which is needed latest."""
        for lane, maker in enumerate(lanes):
            if maker == NOBODY:
                return lane
        return max(range(self.width), key=lambda lane: self._next_use(lanes[lane], line - 1) or 0)
