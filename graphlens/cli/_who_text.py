"""The processes of a run as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphlens.processes import how_seen
from graphlens.text import clean

Answer = dict[str, Any]  # Any: JSON
NAMED = 3
"""As many processes are named beside a gap; more are counted."""


def table(answers: Sequence[Answer]) -> Iterator[str]:
    """The processes of a run, a line each."""
    yield f"{'no':>4} {'ops':>11} {'calls':>8} {'gaps':>6}  {'':<8} process"
    for one in answers:
        others = len(one["threads"]) - 1
        more = f" and {others} more threads" if others > 1 else " and 1 more thread" if others == 1 else ""
        yield (
            f"{one['id']:>4} {one['ops']:>11,} {one['calls']:>8,} {one['gaps']:>6,}  {one['state']:<8} "
            f"{clean(one['name'])}{more} (pid {one['pid']})"
        )


def gap_lines(gaps: Sequence[Answer], names: dict[int, str]) -> Iterator[str]:
    """The same gap of several processes in one line, with the sum of their counts.

    Args:
        names: By number; empty where there is but one process, whose name says nothing.
    """
    alike: dict[tuple[str, str], list[Answer]] = {}
    for gap in gaps:
        alike.setdefault((gap["kind"], gap["what"]), []).append(gap)
    for (kind, what), same in alike.items():
        count = sum(gap["count"] for gap in same)
        notes = [f"{count:,} times"] if count > 1 else []
        numbers = [gap["process"] for gap in same if gap["process"] is not None]
        if names and numbers:
            some = ", ".join(clean(names[number]) for number in numbers[:NAMED])
            notes.append(f"in {some}" if len(numbers) <= NAMED else f"in {len(numbers)} processes")
        yield f"{how_seen(kind)}: {clean(kind)}: {clean(what, 500)}" + (
            f" ({', '.join(notes)})" if notes else ""
        )


def heading(one: Answer, last: list[int], names: dict[int, str]) -> Iterator[str]:
    """A line with the process's name where another one's rows begin; none in a run of one.

    Args:
        last: Whose rows came before; is changed.
    """
    if len(names) > 1 and last != [one["process"]]:
        last[:] = [one["process"]]
        yield f"{one['process']} {clean(names[one['process']])}"
