"""What every recorded range and fact should say: NumPy's answer, of the bytes that were really there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from watching import Picture, Watching

from graphlens.store import Process
from graphlens_tracers.events import Numerics

FLOATS = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
)  # fmt: skip
UNINITIALISED = ("aten.empty", "aten.new_empty", "aten.resize", "aten.set_")
"""Operations after which nobody has written what their results hold."""


def wrong_ranges(process: Process, watched: Watching) -> list[str]:
    """In words, what was recorded of numbers that is not so.

    Minima and maxima that are not those of the bytes that were there, to the bit; floating outputs
    without a range that are no view; facts of which a count, a place or a bound is another one.
    """
    wrong: list[str] = []
    count = process.op_count
    rows, ranges = process.rows(0, count), process.ranges(0, count)
    for seq in range(count):
        seen, node = watched.seen[seq], process.nodes[int(rows.node[seq])]  # type: ignore[index]  # a plain int
        looked = set()
        for at in range(int(ranges.offsets[seq]), int(ranges.offsets[seq + 1])):
            slot = int(ranges.slot[at])
            looked.add(slot)
            low, high = float(ranges.low[at]), float(ranges.high[at])
            numbers = reals(seen.after[slot])
            if not agrees(low, high, numbers):
                wrong.append(f"#{seq} {node.op} output {slot}: [{low}, {high}] for {numbers[:8]}")
        for slot, (output, picture) in enumerate(zip(node.outputs, seen.after, strict=True)):
            due = picture.dtype in FLOATS and output.alias is None and not node.op.startswith(UNINITIALISED)
            if due and slot not in looked:
                wrong.append(f"#{seq} {node.op} output {slot}: not looked at")
    for fact in process.unusual(0, count):
        if fact.numerics is not None:
            truth = numerics_of(watched.seen[fact.seq].after[fact.slot])
            if fact.numerics != truth:
                wrong.append(f"#{fact.seq} output {fact.slot}: {fact.numerics}, and is {truth}")
    return wrong


def reals(picture: Picture) -> np.ndarray[Any, np.dtype[np.float64]]:
    """All numbers of a floating tensor in float64, exact; real and imaginary parts of a complex one."""
    tensor = picture.elements().resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.flatten().to(torch.float64).numpy()


def agrees(low: float, high: float, numbers: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """Whether these are the least and the greatest of the numbers, NaN if one is."""
    if not len(numbers):
        return (low, high) == (math.inf, -math.inf)
    if np.isnan(numbers).any():
        return math.isnan(low) or math.isnan(high)
    for said, truth in ((low, numbers.min()), (high, numbers.max())):
        if said != truth:
            return False
        if said == 0:  # which of two zeros is the less is nobody's business, but it must be there
            zeros = np.signbit(numbers[numbers == 0])
            if (math.copysign(1, said) < 0) not in zeros:
                return False
    return True


def numerics_of(picture: Picture) -> Numerics:
    """The fact that a tensor deserves, counted without PyTorch."""
    numbers = reals(picture)
    parts = 2 if picture.dtype.is_complex else 1
    finite = numbers[np.isfinite(numbers)]
    bad = np.flatnonzero(~np.isfinite(numbers))[:8]
    places = [np.unravel_index(place // parts, picture.shape) for place in bad.tolist()]
    return Numerics(
        size=len(numbers) // parts,
        nan=int(np.isnan(numbers).sum()),
        pos_inf=int(np.isposinf(numbers).sum()),
        neg_inf=int(np.isneginf(numbers).sum()),
        low=float(finite.min()) if len(finite) else None,
        high=float(finite.max()) if len(finite) else None,
        where=tuple(tuple(int(k) for k in place) for place in places),
        zeros=int((numbers == 0).sum()),
    )
