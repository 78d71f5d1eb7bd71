"""An outline in fewer bytes: column by column, what repeats said once. `_webpage.js` takes it apart again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Data = dict[str, Any]  # Any: JSON
ALIKE = 4
"""So many values in a row are worth a copy."""


def packed(outline: Data) -> Data:
    """The same outline, its operations, modules and homes in the shorter form."""
    sections = [{**one, "homes": _homes(one["homes"])} for one in outline["sections"]]
    groups = [[*group[:-1], _steps(group[-1])] for group in outline["groups"]]
    return {**outline, "ops": _ops(outline["ops"]), "groups": groups, "sections": sections}


def _ops(ops: Sequence[Sequence[Any]]) -> Data:
    """A list a column; each way to run an operation, (op, phase, file, line, arguments), is there once."""
    kinds: dict[tuple[int, ...], int] = {}
    kind = [kinds.setdefault((op[0], op[2], op[3], op[4], op[10]), len(kinds)) for op in ops]
    return {
        "kinds": [list(one) for one in kinds],
        "kind": _copied(kind),
        "module": _runs((op[1] for op in ops), 0),
        "seq": _runs((op[5] for op in ops), 1),
        "took": [op[6] for op in ops],
        "specs": _copied([_alone([_spec(output) for output in op[7]]) for op in ops]),
        "ranges": [_number(one) for op in ops for output in op[7] for one in output[1:]],
        "inputs": _copied([_alone([_near(at, one) for one in op[8]]) for at, op in enumerate(ops)]),
        "twin": _copied(_twins(op[9] for op in ops)),
    }


def _copied(values: Sequence[Any]) -> list[Any]:
    """[values, how far back, how many from there on, …]: layers that are alike are alike here."""
    keys = [str(one) for one in values]
    known: dict[tuple[str, ...], int] = {}
    found: list[Any] = []
    said, at = 0, 0
    while at < len(keys):
        here = tuple(keys[at : at + ALIKE])
        before = known.get(here, -1)
        length = 0
        if before >= 0:
            while at + length < len(keys) and keys[before + length] == keys[at + length]:
                length += 1
        if length >= ALIKE:
            found += [list(values[said:at]), at - before, length]
            said = at + length
        for k in range(at, at + max(length, 1)):
            known[tuple(keys[k : k + ALIKE])] = k
        at += max(length, 1)
    return [*found, list(values[said:]), 0, 0]


def _runs(values: Iterable[int], step: int) -> list[int]:
    """[value, how often, …]: the next is the same and `step` more, or the same where it is negative."""
    found: list[int] = []
    following: int | None = None
    for value in values:
        if value == following:
            found[-1] += 1
        else:
            found += [value, 1]
        following = value + step if value >= 0 else value
    return found


def _spec(output: Sequence[Any]) -> int:
    """The number of its spec; `~` of it where it has no range."""
    spec = int(output[0])
    return spec if len(output) > 1 else ~spec


def _alone(several: list[Any]) -> Any:
    """One without a list around it."""
    return several[0] if len(several) == 1 and not isinstance(several[0], list) else several


def _number(value: Any) -> Any:
    """1.0 as 1."""
    return int(value) if isinstance(value, float) and value.is_integer() and str(value)[0] != "-" else value


def _near(at: int, made: Any) -> Any:
    """How far before its reader it was made, or [how far, output]; leaves as they are."""
    if isinstance(made, list):
        return [at - made[0], made[1]]
    return made if made is None or made < 0 else at - made


def _twins(twins: Iterable[int]) -> list[int]:
    """0 for none, else twice how far it is from the one before, and 1."""
    found: list[int] = []
    last = 0
    for twin in twins:
        found.append(0 if twin < 0 else 2 * (twin - last) + 1)
        last = last if twin < 0 else twin
    return found


def _steps(numbers: Iterable[int]) -> list[int]:
    """The first, and each one's distance from the one before."""
    found: list[int] = []
    last = 0
    for one in numbers:
        found.append(one - last)
        last = one
    return found


def _homes(homes: dict[str, int]) -> list[int]:
    """[operation's distance from the one before, its box' distance from it, …]."""
    pairs = sorted((int(op), box) for op, box in homes.items())
    return [
        one
        for step, (op, box) in zip(_steps(op for op, _ in pairs), pairs, strict=True)
        for one in (step, box - op)
    ]
