"""The way of what went wrong in frames, with what began elsewhere, did no harm, or was not looked at."""

from __future__ import annotations

import math
from typing import NamedTuple

from rich.cells import cell_len

from graphlens.categories import category, short
from graphlens.health import Findings
from graphlens.text import clean
from graphlens_tui import words
from graphlens_tui.boxes import Box, Target
from graphlens_tui.paint import elided, sized
from graphlens_tui.verdict_boxes import Answer, short_place

MOST = 200
"""Rows of each list; how many more there are is said."""
GREW = 1.5
"""By how much a size has to grow for that to be shown."""


class Look(NamedTuple):
    """What a row says of an operation beside its name and place.

    Attributes:
        colour: Of the glyph and the name; `hue`: of the numbers.
        factor: By how much its numbers are larger than those before.
        tag: What it is on the way; "" for nothing special.
    """

    glyph: str
    colour: str
    numbers: str
    hue: str
    factor: str = ""
    tag: str = ""


def path_box(findings: Findings, box: Box) -> None:
    """What grew on the way to the origin, and from there the way to the harm; then what began elsewhere."""
    answer, palette = findings.answer, box.palette
    origin = answer["origin"]
    process = origin["process"]
    box.title = f"provenance of #{origin['seq']}"
    before: Answer | None = None
    for one in answer["before"]:
        _step(one, process, findings, box, _grown(before, one), "")
        before = one
    path = answer["path"]
    shown = path if len(path) <= MOST else [*path[: MOST // 2], *path[-MOST // 2 :]]
    for k, one in enumerate(shown):
        if len(path) > MOST and k == MOST // 2:
            box.line((f"        … {len(path) - MOST:,} more", palette.faint))
        first, last = one["seq"] == origin["seq"], k == len(shown) - 1
        reached = answer["reached"]["kind"]
        tag = "FIRST" if first else reached if last else ""
        _step(one, process, findings, box, "", tag if not (first and last) else f"FIRST {reached}")
    others = answer["others"]
    if others:
        box.blank()
        box.line((f"began on its own as well ({len(others)})", palette.accent))
    for one in others[:MOST]:
        ill = palette.nan if one["kind"] == "nan" else palette.inf
        glyph = box.glyphs.nan if one["kind"] == "nan" else box.glyphs.inf
        step = "" if one["step"] is None else f"step {one['step']}"
        kind = "NaN" if one["kind"] == "nan" else "∞"
        _row(one, one["process"], Look(glyph, ill, kind, ill, tag=step), box)
    _more(len(others), box)


def _grown(before: Answer | None, one: Answer) -> str:
    was, size = (_size(before) if before is not None else 0.0), _size(one)
    return f"×{words.number(float(f'{size / was:.3g}'))}" if math.inf > size >= GREW * was > 0 else ""


def _size(one: Answer) -> float:
    return max((abs(float(one[key])) for key in ("min", "max") if one[key] is not None), default=0.0)


def _step(one: Answer, process: int, findings: Findings, box: Box, factor: str, tag: str) -> None:
    """An operation of the way."""
    palette, glyphs = box.palette, box.glyphs
    output = findings.outputs.get(int(one["seq"]))
    numbers = words.values(output) if output is not None else ""
    if not numbers and one["min"] is not None:
        numbers = words.between(float(one["min"]), float(one["max"]))
    ill = "NaN" in numbers or "∞" in numbers
    hue = palette.nan if "NaN" in numbers else palette.inf if ill else palette.mute
    glyph = glyphs.nan if "NaN" in numbers else glyphs.inf if ill else glyphs.fine if numbers else glyphs.none
    colour = hue if ill else palette.kind(category(one["op"]))
    _row(one, process, Look(glyph, colour, numbers, hue, factor, tag), box)


def _row(one: Answer, process: int, look: Look, box: Box) -> None:
    """ "   84 ▲ log   head   train.py:53   -∞×36   ×40   FIRST"."""
    palette, dots = box.palette, box.glyphs.text("…")
    width = box.width - 2
    name = clean(short(one["op"]))
    if one.get("phase") == "backward":
        name = box.glyphs.backward + name
    rest = max(8, width - 10 - 18 - 10)
    name_room = min(24, max(8, rest if rest < 26 else rest // 2))
    middle = max(0, rest - name_room)
    where = f"{clean(one['module'])}  " if one["module"] and middle >= 30 else ""
    where_room = max(0, middle - 2)
    at = short_place(one, max(0, where_room - cell_len(where)), dots) if where_room >= 8 else ""
    behind = sized(elided(box.glyphs.text(where + at), where_room, dots), where_room) + "  " if middle else ""
    numbers = sized(box.glyphs.text(elided(look.numbers, 17, "…")), 18)
    ill = "NaN" in look.numbers or "∞" in look.numbers
    bold = "bold" if look.tag else ""
    box.row(
        (process, one["seq"]), (f"{one['seq']:>7} ", palette.mute), (f"{look.glyph} ", look.colour, "bold"),
        (sized(elided(box.glyphs.text(name), name_room - 1, dots), name_room), look.colour, bold),
        (behind, palette.mute), (numbers, look.hue, "bold" if ill else ""),
        (box.glyphs.text(look.factor), palette.warn, "bold"),
        (look.tag, look.hue, "bold" if look.tag.isupper() else ""),
    )  # fmt: skip


def _more(count: int, box: Box) -> None:
    if count > MOST:
        box.line((f"        and {count - MOST:,} more: graphlens why --json lists all", box.palette.faint))


# ── what did no harm, and what was not seen ──────────────────────────────────────────────────


def harmless_box(findings: Findings, box: Box) -> None:
    """What is not finite and did no harm, with the reason and how often."""
    palette, benign = box.palette, findings.answer["benign"]
    box.title = f"harmless ({len(benign)})"
    if not benign:
        box.line(("  nothing that is not finite was harmless", palette.mute))
    dots = box.glyphs.text("…")
    for one in benign[:MOST]:
        target: Target = one["process"], one["seq"]
        glyph = box.glyphs.nan if one["kind"] == "nan" else box.glyphs.inf
        name = sized(elided(clean(short(one["op"])), 19, dots), 20)
        module = f"{clean(one['module'])}  " if one["module"] else ""
        times = sized(box.glyphs.text(f"×{one['count']:,}"), 8)
        at = short_place(one, max(0, box.width - 2 - 10 - 20 - 8 - cell_len(module)), dots)
        box.row(
            target, (f"{one['seq']:>7} ", palette.mute), (f"{glyph} ", palette.mute), (name, palette.text),
            (times, palette.text), (f"{module}{at}", palette.mute),
        )  # fmt: skip
        box.text(" " * 12, clean(one["reason"]), palette.good)
    _more(len(benign), box)


def gaps_box(findings: Findings, box: Box) -> None:
    """What was not looked at; behind other rows under a heading, alone on the frame."""
    coverage, palette = findings.answer["coverage"], box.palette
    gaps, complete = coverage["gaps"], coverage["complete"]
    title = (
        "not looked at"
        if not complete
        else "seen, but otherwise than without graphlens"
        if gaps
        else "looked at"
    )
    if box.lines:
        box.line((title, palette.accent if complete else palette.warn, "bold"))
    else:
        box.title, box.hue = title, "" if complete else palette.warn
    if not gaps:
        hue = palette.good if complete else palette.warn
        text = "all numbers of every operation that ran, as far as is known"
        box.text("  ", text if complete else "no number: it was recorded with --level structure", hue)
    names = {who.number: who.name for who in findings.whos}
    for gap in gaps[:MOST]:
        who = f"{clean(names[gap['process']], 40)}: " if len(names) > 1 and gap["process"] in names else ""
        count = f"{gap['count']:>9,} {box.glyphs.text('×')} "
        box.text(count, f"{who}{clean(gap['what'], 300)}", palette.text, most=3)
    _more(len(gaps), box)
