"""The verdict on a run as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphlens.cli.show import value
from graphlens.plain import Answer
from graphlens.text import clean
from graphlens.verdict import GREW

MOST_SHOWN = 8
"""Operations of a path, and harmless places, that the text lists."""


def text_of(answer: Answer, name: str) -> Iterator[str]:
    """The verdict as a person reads it."""
    origin = answer["origin"]
    if origin is None:
        yield f"{name}: {_nothing(answer)}"
    else:
        yield from _origin_text(answer, origin)
    benign = answer["benign"]
    if benign:
        yield ""
        yield f"harmless ({len(benign)}):"
        for one in benign[:MOST_SHOWN]:
            times = f" ×{one['count']:,}" if one["count"] > 1 else ""
            yield f"  {clean(one['op'])} {_at(one)}  {clean(one['reason'])}{times}"
        if len(benign) > MOST_SHOWN:
            yield f"  and {len(benign) - MOST_SHOWN} more: --json lists all"
    gaps = answer["coverage"]["gaps"]
    if gaps:
        yield ""
        yield (
            "not seen:"
            if not answer["coverage"]["complete"]
            else "seen, but otherwise than without graphlens:"
        )
        for gap in gaps[:MOST_SHOWN]:
            yield f"  {gap['count']:,} × {clean(gap['what'], 300)}"


def _nothing(answer: Answer) -> str:
    if answer["status"] == "clean":
        return "clean: everything was looked at, and nothing that is not finite did harm"
    return "nothing harmful was found, but not everything was looked at"


def _origin_text(answer: Answer, origin: Answer) -> Iterator[str]:
    what = {"nan": "NaN", "inf": "infinity"}[origin["kind"]]
    step = "before the first step" if origin["step"] is None else f"step {origin['step']}"
    rank = f", rank {origin['rank']}" if origin["rank"] else ""
    turn = "" if origin["iteration"] is None else f", iteration {origin['iteration']}"
    yield f"{what} born in {clean(origin['op'])}, {origin['phase']}, {step}{turn}{rank}: op {origin['seq']}"
    if origin["file"]:
        yield f"  {_at(origin)}  in {clean(origin['function'] or '')}"
        yield f"    {clean(origin['code'] or '', 200)}"
    if origin["module"]:
        made = f", made at {origin['made_file']}:{origin['made_line']}" if origin["made_file"] else ""
        yield clean(f"  module {origin['module']}{made}", 300)
    if origin["forward"] is not None:
        forward = origin["forward"]
        yield f"  it is the gradient of {clean(forward['op'])} {_at(forward)}"
    if origin["cause"]:
        yield f"  {clean(origin['cause'], 300)}"
    growth = origin["growth"]
    if growth is not None:
        first, last = growth["series"][0]["size"], growth["series"][-1]["size"]
        since = "" if growth["since"] is None else f", since step {growth['since']}"
        yield (
            f"  it grew {len(growth['series'])} times in turn, from {first:.3g} to {last:.3g}: "
            f"to {growth['factor']:.3g} times as much each time{since}"
        )
    for k, one in enumerate(origin["inputs"]):
        yield f"  input {k}: {_input_text(one)}"
    yield from _before_text(answer["before"])
    if origin["where"] and not origin["examples"]:
        places = ", ".join(str(place) for place in origin["where"][:4])
        yield f"  not finite at {places}{' …' if len(origin['where']) > 4 else ''}"
    for one in origin["examples"]:
        yield f"    {_example_text(one)}"
    if origin["unreadable"]:
        yield f"  what was kept of it cannot be read: {clean(origin['unreadable'], 300)}"
    reached = answer["reached"]
    named_ = f" {clean(reached['name'])}" if reached["name"] else ""
    yield f"reached the {reached['kind']}{named_} at op {reached['seq']}, by"
    yield from _path_text(answer["path"])
    for other in answer["others"]:
        yield f"also: {other['kind']} born in {clean(other['op'])} {_at(other)}, op {other['seq']}"
    for words in answer["advice"]:
        yield f"try: {words}"


def _before_text(before: Sequence[Answer]) -> Iterator[str]:
    """The way of the largest numbers into the origin, with what they grew by."""
    last: float | None = None
    for k, one in enumerate(before):
        if not k:
            yield "  the largest numbers came into it by"
        known = [abs(end) for end in (one["min"], one["max"]) if isinstance(end, (int, float))]
        size = max(known, default=None)
        grew = f"  ×{size / last:.3g}" if size is not None and last and size >= GREW * last else ""
        told = "" if size is None else f"  up to {size:.4g}{grew}"
        yield f"    {one['seq']:>7}  {clean(one['op']):<34} {_at(one)}{told}"
        last = size


def _example_text(one: Answer) -> str:
    read = " and ".join(value(read["value"]) for read in one["read"])
    return f"at {one['at']} it made {value(one['made'])}{f' of {read}' if read else ''}"


def _path_text(path: Sequence[Answer]) -> Iterator[str]:
    shown = list(path)
    if len(shown) > MOST_SHOWN:
        half = MOST_SHOWN // 2
        shown = [*shown[:half], {}, *shown[-half:]]
    for one in shown:
        if not one:
            yield f"    … {len(path) - MOST_SHOWN} more"
            continue
        module = f"  {clean(one['module'])}" if one["module"] else ""
        yield f"    {one['seq']:>7}  {clean(one['op']):<34} {_at(one)}{module}"


def _input_text(one: Answer) -> str:
    shape = "…" if one["shape"] is None else ", ".join("?" if n is None else str(n) for n in one["shape"])
    numbers = "not looked at" if one["min"] is None else f"{value(one['min'])} … {value(one['max'])}"
    if one["min"] is None and (one["nan"] or one["pos_inf"] or one["neg_inf"]):
        numbers = "nothing finite"
    counts = [
        f"{one[key]:,} {what}"
        for key, what in (("nan", "NaN"), ("pos_inf", "+inf"), ("neg_inf", "-inf"), ("zeros", "zeros"))
        if one[key]
    ]
    return ", ".join([clean(f"{one['name']} {one['dtype']}[{shape}] {numbers}".strip()), *counts])


def _at(one: Answer) -> str:
    return clean(f"{one['file']}:{one['line']}") if one.get("file") else ""
