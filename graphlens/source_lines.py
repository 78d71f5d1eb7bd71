"""Which operations each line of the user's source ran in a part of a run, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from graphlens.calls import Call
from graphlens.process import Process
from graphlens.rows import Ints
from graphlens_tracers.events import Phase, Seq

AT_ONCE = 1 << 18
"""Operations that are looked at in one go."""


class Part(NamedTuple):
    """Operations `first` up to, not including, `stop` of a thread; `strand` None: of every thread."""

    first: int
    stop: int
    strand: int | None = None


class Ran(NamedTuple):
    """What a file's lines ran, an element an operation: sorted by line, and within a line by `seq`.

    Attributes:
        line, seq: int64.
        says: int64: how much it says of its line: 2 more outside of the backward pass, 1 more with numbers.
    """

    line: Ints
    seq: Ints
    says: Ints

    def of(self, line: int) -> Ran:
        """What one line ran."""
        low, high = np.searchsorted(self.line, (line, line + 1))
        return Ran(self.line[low:high], self.seq[low:high], self.says[low:high])

    def telling(self, bad: Ints) -> Seq | None:
        """Of the operations of one line that which says most of it; None when it ran none.

        The first that is not finite, else the last of those that say most: of a line of the forward
        pass what it computed, not its gradient, and rather numbers than views.

        Args:
            bad: The operations that are not finite, sorted.
        """
        if not len(self.seq):
            return None
        if len(bad):
            at = np.minimum(np.searchsorted(bad, self.seq), len(bad) - 1)
            ill = self.seq[bad[at] == self.seq]
            if len(ill):
                return Seq(int(ill[0]))
        return Seq(int(self.seq[self.says == self.says.max()][-1]))


NOTHING = Ran(*(np.empty(0, np.int64) for _ in range(3)))


@dataclass
class Places:
    """The file and the line of every node of a process; what is declared later is taken in when asked."""

    process: Process
    _files: dict[str, int] = field(default_factory=dict)
    _known: int = 0
    _ids: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _file: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _line: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _says: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def ran(self, file: str, parts: Sequence[Part]) -> Ran:
        """What the lines of a file ran in these parts of the run, none of which overlap."""
        self._grow()
        number = self._files.get(file)
        if number is None:
            return NOTHING
        found = [
            self._ran(number, Part(at, min(at + AT_ONCE, part.stop), part.strand))
            for part in parts
            for at in range(part.first, part.stop, AT_ONCE)
        ]
        columns = [np.concatenate(pieces) for pieces in zip(NOTHING, *found, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return Ran(columns[0][order], columns[1][order], columns[2][order])

    def _ran(self, file: int, part: Part) -> Ran:
        with self.process.lock:
            seqs, nodes = self.process.nodes_of(part.first, part.stop)
            strands = 0 if part.strand is None else self.process.strands(part.first, part.stop)
        if not len(self._ids):
            return NOTHING
        nodes = np.asarray(nodes, np.int64)
        at = np.minimum(np.searchsorted(self._ids, nodes), len(self._ids) - 1)
        mine = (self._ids[at] == nodes) & (self._file[at] == file)
        if part.strand is not None and not isinstance(strands, int):
            mine &= strands == part.strand
        at = at[mine]
        return Ran(self._line[at], seqs[mine], self._says[at])

    def _grow(self) -> None:
        with self.process.lock:
            nodes = list(self.process.nodes.items())
            if len(nodes) == self._known:
                return
            placed = [(node, seen, self.process.site_of(seen)) for node, seen in nodes[self._known :]]
        self._known = len(nodes)
        new = [
            (
                node,
                self._files.setdefault(site.file, len(self._files)),
                site.line,
                2 * (seen.phase is not Phase.BACKWARD) + any(out.ranged for out in seen.outputs),
            )
            for node, seen, site in placed
            if site is not None
        ]
        added = np.array(new, np.int64).reshape(-1, 4)
        ids = np.concatenate([self._ids, added[:, 0]])
        order = np.argsort(ids, kind="stable")
        self._ids = ids[order]
        self._file = np.concatenate([self._file, added[:, 1]])[order]
        self._line = np.concatenate([self._line, added[:, 2]])[order]
        self._says = np.concatenate([self._says, added[:, 3]])[order]

    def nodes_on(self, file: str) -> tuple[Ints, Ints]:
        """(node, line) of every node that a file has, run or not."""
        self._grow()
        here = self._file == self._files.get(file, -1)
        return self._ids[here], self._line[here]


def part_of_call(call: Call) -> Part:
    """The operations of a call, with those of the calls that it made."""
    return Part(int(call.first), int(call.last) + 1, call.strand)


def parts_of_step(process: Process, step: int) -> list[Part]:
    """The operations of a training step; none when there was no such step."""
    return [part_of_call(call) for call in process.calls() if call.step == step and call.parent is None]


def outermost(process: Process, seq: Seq) -> Call | None:
    """The call that is around all calls around an operation: its step; None when that is not known."""
    call, seen = process.call_at(seq), set[int]()
    while call is not None and call.parent is not None and call.call not in seen:
        seen.add(call.call)
        try:
            call = process.call(call.parent)
        except KeyError:  # its beginning is in a part of the log that cannot be read
            break
    return call
