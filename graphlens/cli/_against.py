"""Two runs beside each other as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from graphlens.plain import Answer
from graphlens.text import clean

MOST_SHOWN = 200
"""Operations that differ, in the text."""


def text_of(answer: Answer) -> Iterator[str]:
    """What a person reads: the operations that differ, and where numbers part."""
    alone = f"; {answer['alone']:,} are in one alone" if answer["alone"] else ""
    yield f"{answer['steps']:,} steps are in both{alone}"
    step = "before the first step" if answer["step"] is None else f"step {answer['step']}"
    if not answer["operations"]:
        yield f"the operations of every step are the same ({answer['same']:,} in {step})"
    else:
        yield f"{step}: {answer['same']:,} operations are the same, {len(answer['operations']):,} are not"
        for one in answer["operations"][:MOST_SHOWN]:
            yield from _operation_text(one)
        if len(answer["operations"]) > MOST_SHOWN:
            yield f"  and {len(answer['operations']) - MOST_SHOWN:,} more: --json lists all"
    parted = answer["parted"]
    if parted is None:
        yield "no range that was compared is another"
        return
    step = "before the first step" if parted["step"] is None else f"in step {parted['step']}"
    yield f"numbers part {step}: {parted['count']:,} of {parted['compared']:,} outputs there"
    yield f"  first {_place_text(parted['mine'])}, output {parted['output']}"
    yield f"  it was {_range(parted['mine_range'])}, and is {_range(parted['other_range'])}"


def _operation_text(one: Answer) -> Iterator[str]:
    sign = {"mine": "-", "other": "+", "changed": "~"}[one["kind"]]
    yield f"  {sign} {_place_text(one['mine'] or one['other'])}"
    if one["what"]:
        yield f"      {clean(one['what'], 300)}"


def _place_text(place: Answer) -> str:
    where = f"{place['file']}:{place['line']}" if place["file"] else ""
    return clean(f"{place['seq']:>7}  {place['op']:<34} {where}  {place['module']}".rstrip(), 300)


def _range(ends: list[float | str]) -> str:
    return " … ".join(end if isinstance(end, str) else f"{end:.6g}" for end in ends)
