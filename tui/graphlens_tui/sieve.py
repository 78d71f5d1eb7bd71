"""A timeline of which only some operations are shown: their lines, and the headlines above them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphlens.session import Process
from graphlens_tracers.events import CallId
from graphlens_tui.timeline import LOOSE, Line, Timeline

Ints = npt.NDArray[np.int64]


class Sieve(Timeline):
    """A timeline that can be filtered; without a filter it is as any other.

    Attributes:
        only: The operations that are shown, sorted; None for all of them.
    """

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.only: Ints | None = None
        self._shown: Ints | None = None

    def show_only(self, only: Ints | None) -> None:
        """Show these operations, or all."""
        self.only = only
        self._sift()

    def shows(self, seq: int) -> bool:
        """Whether the filter lets an operation through."""
        only = self.only
        if only is None:
            return True
        at = int(np.searchsorted(only, seq))
        return at < len(only) and int(only[at]) == seq

    # ── which lines ──────────────────────────────────────────────────────────────────────────

    def _place(self, kept: int = 0) -> None:
        super()._place(kept)
        self._sift()

    def _sift(self) -> None:
        if self.only is None or not len(self._stretches):
            self._shown = None
            return
        lines = self._numbers_of(self.only)
        calls = {int(call) for call in np.unique(self._stretches.call[self._stretches_of(self.only)])}
        around = {one.call for call in calls for one in self.around(self.calls.get(call))}
        heads = [head for call in around if (head := super(Sieve, self).headline_of(call)) is not None]
        self._shown = np.unique(np.concatenate([lines, np.array(heads, np.int64)]))

    def _stretches_of(self, seqs: Ints) -> Ints:
        return np.maximum(np.searchsorted(self._stretches.first, seqs, "right") - 1, 0)

    def _numbers_of(self, seqs: Ints) -> Ints:
        """As `number_of` without a filter, of many operations at once."""
        stretches, at = self._stretches, self._stretches_of(seqs)
        within = np.clip(seqs - stretches.first[at], 0, stretches.count[at] - 1)
        if self.folded:
            for graph in np.unique(stretches.graph[at]).tolist():
                if graph != LOOSE:
                    here = stretches.graph[at] == graph
                    line_of = self.view(graph).lines.line_of
                    position = stretches.position[at[here]]
                    within[here] = line_of[position + within[here]] - line_of[position]
        tops, heads = self._tops[at], self._heads.count[at]
        closed = self._tops[at + 1] - tops == heads
        found: Ints = np.where(closed, np.maximum(tops + heads - 1, 0), tops + heads + within)
        return found

    def steps_at(self, seqs: Ints) -> Ints:
        """The training step of each operation; -1 for none."""
        if not len(self._stretches):
            return np.full(len(seqs), -1, np.int64)
        calls = self._stretches.call[self._stretches_of(seqs)]
        numbers, where = np.unique(calls, return_inverse=True)
        return np.array([self._step_of(int(call)) for call in numbers], np.int64)[where]

    def _step_of(self, call: int) -> int:
        steps = (one.step for one in self.around(self.calls.get(call)) if one.step is not None)
        return next(steps, -1)

    # ── lines as they are numbered now ───────────────────────────────────────────────────────

    def __len__(self) -> int:
        return super().__len__() if self._shown is None else len(self._shown)

    def line(self, number: int) -> Line:
        """One line. Raises IndexError when there is none of that number."""
        if self._shown is None:
            return super().line(number)
        if not 0 <= number < len(self._shown):
            raise IndexError(f"no line {number}: there are {len(self._shown)}")
        return super().line(int(self._shown[number]))

    def number_of(self, seq: int) -> int:
        """The line that shows an operation, or what hides it; of one that is filtered out the nearest."""
        number = super().number_of(seq)
        if self._shown is None or not len(self._shown):
            return number
        return min(int(np.searchsorted(self._shown, number)), len(self._shown) - 1)

    def headline(self, number: int, steps: int) -> int | None:
        """The step `steps` further on from a line, or further back for a negative number: its headline."""
        if self._shown is None:
            return super().headline(number, steps)
        heads = self._heads.lines(self._tops)[np.array(self._heads.depth, np.int64) == 0]
        there = np.flatnonzero(np.isin(self._shown, heads))
        if not len(there):
            return None
        at = int(np.searchsorted(there, number, "right" if steps > 0 else "left"))
        at += steps - 1 if steps > 0 else steps
        return int(there[min(max(at, 0), len(there) - 1)])

    def headline_of(self, call: CallId) -> int | None:
        """The line that is the headline of a call; None where it is hidden."""
        head = super().headline_of(call)
        if head is None or self._shown is None:
            return head
        at = int(np.searchsorted(self._shown, head))
        return at if at < len(self._shown) and int(self._shown[at]) == head else None
