"""Two runs beside each other as plain data: what `graphlens show RUN against OTHER` says.

Field names are a contract: they are only ever added to, at the end.
"""

from __future__ import annotations

from graphlens.analyses.differences import Aligned, Parted, differences
from graphlens.plain import Answer, inside, number, shown_path
from graphlens.session import Process, Run
from graphlens_tracers.events import Seq


def against_answer(run: Run, other: Run, tolerance: float = 0.0) -> Answer:
    """What differs between the processes of two runs that train.

    Raises:
        BadRunFile: One of them has recorded nothing.
    """
    return _Against(run, other, tolerance).answer()


class _Against:
    """Two runs, and how they differ."""

    def __init__(self, run: Run, other: Run, tolerance: float = 0.0) -> None:
        self._runs = run, other
        self._mine, self._other = run.main, other.main
        self._found = differences(self._mine, self._other, tolerance)

    def answer(self) -> Answer:
        """As plain data."""
        found = self._found
        kinds = [one.kind for one in found.aligned]
        return {
            "schema": "graphlens/against/1",
            "steps": found.steps,
            "alone": found.alone,
            "step": found.step,
            "same": kinds.count("same"),
            "operations": [self._aligned(one) for one in found.aligned if one.kind != "same"],
            "parted": None if found.parted is None else self._parted(found.parted),
        }

    def _aligned(self, one: Aligned) -> Answer:
        return {
            "kind": one.kind,
            "what": one.what,
            "mine": self._place(self._mine, 0, one.mine),
            "other": self._place(self._other, 1, one.other),
        }

    def _parted(self, parted: Parted) -> Answer:
        return {
            "step": parted.step,
            "output": parted.slot,
            "mine": self._place(self._mine, 0, parted.mine),
            "other": self._place(self._other, 1, parted.other),
            "mine_range": [number(end) for end in parted.mine_range],
            "other_range": [number(end) for end in parted.other_range],
            "count": parted.count,
            "compared": parted.compared,
        }

    def _place(self, process: Process, which: int, seq: Seq | None) -> Answer | None:
        if seq is None:
            return None
        op = process.op(seq)
        return {
            "seq": seq,
            "op": op.node.op,
            "phase": str(op.node.phase),
            "module": inside(op.scope_path),
            "file": None if op.site is None else shown_path(op.site.file, self._runs[which].info.cwd),
            "line": None if op.site is None else op.site.line,
        }
