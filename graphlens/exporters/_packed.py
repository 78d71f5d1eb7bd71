"""An outline in fewer bytes: column by column, what repeats said once. `_webpage.js` takes it apart again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Data = dict[str, Any]  # Any: JSON


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
        "kind": kind,
        "module": _runs((op[1] for op in ops), 0),
        "seq": _runs((op[5] for op in ops), 1),
        "took": [op[6] for op in ops],
        "outputs": [_outputs(op[7]) for op in ops],
        "inputs": [_inputs(at, op[8]) for at, op in enumerate(ops)],
        "twin": _twins(op[9] for op in ops),
    }


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


def _outputs(outputs: Sequence[Sequence[Any]]) -> Any:
    """Of one output, itself; of one without a range, its number alone."""
    short = [[_number(one) for one in output] for output in outputs]
    if len(short) != 1:
        return short
    return short[0] if len(short[0]) > 1 else short[0][0]


def _number(value: Any) -> Any:
    """1.0 as 1."""
    return int(value) if isinstance(value, float) and value.is_integer() and str(value)[0] != "-" else value


def _inputs(at: int, inputs: Sequence[Any]) -> Any:
    """How far before their reader they were made; leaves as they are, and a single one alone."""
    near = [_near(at, one) for one in inputs]
    return near[0] if len(near) == 1 and not isinstance(near[0], list) else near


def _near(at: int, made: Any) -> Any:
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
