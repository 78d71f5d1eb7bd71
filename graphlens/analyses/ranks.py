"""Which of several ranks, or other processes, went wrong first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphlens.analyses.causes import LARGEST
from graphlens.analyses.collectives import counterpart
from graphlens.analyses.flow import Made
from graphlens.analyses.numerics import Verdict
from graphlens_tracers.events import Seq


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


def summed(one: Verdict, found: Sequence[Verdict]) -> Verdict:
    """Blame a collective that has brought what is not finite where all ranks gave it finite numbers.

    Then its sum has overflowed. Otherwise the verdict is as it was.
    """
    brought = None if one.origin is None else one.origin.collective
    at = None if brought is None else one.flow.at(brought)
    if one.origin is None or brought is None or at is None or "reduce" not in at[0].op:
        return one
    node, call = at
    sizes: dict[int, float] = {}
    for other in found:
        its = counterpart(one.process, brought, other.process)
        size = None if its is None else _given(other, its)
        if size is not None:
            sizes[other.process.rank] = size
    dtype = next((output.spec.dtype for output in node.outputs if output.spec.dtype in LARGEST), "")
    ranks = one.process.started.world
    if not dtype or len(sizes) != ranks or sum(sizes.values()) <= LARGEST[dtype]:
        return one
    why = (
        f"the sum over all {ranks} ranks is larger than {dtype} can hold ({LARGEST[dtype]:.5g}): what each "
        f"of them gave is finite, {max(sizes.values()):.5g} at most in size"
    )
    slots = tuple(slot for slot, output in enumerate(node.outputs) if output.spec.dtype == dtype)
    origin = replace(
        one.origin, seq=brought, node=node, call=call, birth="born", slots=slots, collective=None, deduced=why
    )
    return replace(one, origin=origin, path=(brought, *one.path))


def _given(rank: Verdict, seq: Seq) -> float | None:
    """The largest size of what a rank gave to a collective; None where that is not finite, or not known."""
    made = [source for source in rank.flow.sources(seq) if isinstance(source, Made)]
    ranges = [rank.flow.range(one) for one in made]
    known = [one for one in ranges if one is not None and not one.nan and not one.inf]
    if not known or len(known) < len(ranges):
        return None
    return max(max(abs(one.low), abs(one.high)) for one in known)
