"""Which of several ranks, or other processes, went wrong first."""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.analyses.collectives import counterpart
from graphlens.analyses.numerics import Verdict


def first_of(found: Sequence[Verdict]) -> tuple[Verdict, list[Verdict]] | None:
    """Of the verdicts on a run's processes the first, and those of others that do not come from it.

    What a collective has brought to one rank was born on another, when that had it before it ran that
    collective. None when nothing went wrong.
    """
    ill = sorted((one for one in found if one.origin is not None), key=_when)
    if not ill:
        return None
    first = ill[0]
    brought = [one for one in ill if one.origin is not None and one.origin.collective is not None]
    if first in brought:
        first = next((one for one in ill if one not in brought and _precedes(one, first)), first)
    return first, [one for one in ill if one is not first and one not in brought]


def _when(found: Verdict) -> tuple[int, int]:
    assert found.origin is not None
    step = found.origin.call.step
    return -1 if step is None else step, found.origin.seq


def _precedes(one: Verdict, brought: Verdict) -> bool:
    """Whether one rank's origin ran before the collective that has brought another rank its own."""
    assert one.origin is not None and brought.origin is not None and brought.origin.collective is not None
    its = counterpart(brought.process, brought.origin.collective, one.process)
    return its is not None and one.origin.seq < its
