"""The verdict in frames: what went wrong first and why, how it got there, and what else there was."""

from __future__ import annotations

import math
from typing import Any

from rich.cells import cell_len

from graphlens.health import Findings
from graphlens.letters import elements, spec_text
from graphlens.text import clean
from graphlens_tracers.events import Spec
from graphlens_tui import words
from graphlens_tui.boxes import Box
from graphlens_tui.paint import elided, sized
from graphlens_tui.source import Sources

Answer = dict[str, Any]  # Any: JSON
AROUND = 2
"""Lines of source before and after the one that is meant."""


def place(one: Answer) -> str:
    """ "train.py:12", or "" without a line."""
    return clean(f"{one['file']}:{one['line']}") if one.get("file") else ""


def short_place(one: Answer, room: int, dots: str) -> str:
    """The same in few cells: the end of the path matters most."""
    return elided(place(one), room, dots, left=True)


def verdict_box(findings: Findings, sources: Sources | None, box: Box, live: bool) -> None:
    """What went wrong first; or that nothing did, or nothing is known to have."""
    answer, palette = findings.answer, box.palette
    origin = answer["origin"]
    if origin is None:
        _nothing(findings, box, live)
        return
    ill = palette.nan if origin["kind"] == "nan" else palette.inf
    box.title, box.hue = "what went wrong first", ill
    what = "NaN" if origin["kind"] == "nan" else "infinity"
    mark = box.glyphs.nan if origin["kind"] == "nan" else box.glyphs.inf
    target = origin["process"], origin["seq"]
    box.row(
        target, (f"{mark} ", ill, "bold"), (f"{what} born in ", ill, "bold"),
        (clean(origin["op"]), palette.bright, "bold"), (f"   #{origin['seq']}", palette.mute),
    )  # fmt: skip
    step = "before the first step" if origin["step"] is None else f"step {origin['step']}"
    turn = "" if origin["iteration"] is None else f" · iteration {origin['iteration']}"
    who = f" · {clean(findings.who.name)}" if findings.who is not None and len(findings.whos) > 1 else ""
    box.line(
        (f"  {origin['phase']} · {step}{turn}{who}", palette.text),
        ("   so far" if live else "", palette.warn),
    )
    _where(origin, findings, sources, box)
    box.blank()
    _numbers(origin, findings, box)
    if origin["cause"]:
        box.text(
            "⇒ " if not box.glyphs.ascii else "=> ", f"{clean(origin['cause'], 300)}", palette.bright, "bold"
        )
    _growth(origin, box)
    for k, advice in enumerate(answer["advice"]):
        box.text("  try " if k == 0 else "      ", clean(advice, 300), palette.good)
    _then(findings, box)


def _nothing(findings: Findings, box: Box, live: bool) -> None:
    answer, palette, glyphs = findings.answer, box.palette, box.glyphs
    fine = answer["status"] == "clean"
    box.title, box.hue = ("clean", palette.good) if fine else ("incomplete", palette.warn)
    so_far = " so far" if live else ""
    if fine:
        box.text(
            f"{glyphs.fine} ",
            f"clean{so_far}: everything was looked at, and nothing that is not finite did harm",
            palette.good,
            "bold",
        )
    else:
        box.text(
            f"{glyphs.none} ",
            f"incomplete{so_far}: nothing harmful was found, but not everything was looked at",
            palette.warn,
            "bold",
        )
    box.blank()
    ops, steps = findings.ran
    many = f" in {len(findings.whos)} processes" if len(findings.whos) > 1 else ""
    box.text("  looked at  ", f"{ops:,} operations in {steps:,} steps{many}", palette.text)
    if answer["benign"]:
        kinds = len(answer["benign"])
        places = "1 place" if kinds == 1 else f"{kinds:,} places"
        text = f"{findings.ill:,} operations made a NaN or an infinity, born in {places}; see below"
        box.text("  harmless   ", text, palette.text)
    gaps = answer["coverage"]["gaps"]
    if not fine and not gaps:
        box.text(
            "  missing    ", "no number was looked at: it was recorded with --level structure", palette.warn
        )
    elif not fine:
        times = sum(gap["count"] for gap in gaps)
        box.text(
            "  missing    ",
            f"{len(gaps)} {'gap' if len(gaps) == 1 else 'gaps'}, {times:,} times in all: below",
            palette.warn,
        )


def _where(origin: Answer, findings: Findings, sources: Sources | None, box: Box) -> None:
    """The line of source with the expression underlined, the module, and for a gradient what it is one of."""
    palette = box.palette
    dots = box.glyphs.text("…")
    if origin["file"]:
        function = f"  in {clean(origin['function'] or '', 60)}"
        room = max(12, box.width - 2 - cell_len(function))
        box.line(
            ("  ", palette.mute),
            (short_place(origin, room, dots), palette.accent, "underline"),
            (function, palette.mute),
        )
    if origin["module"]:
        made = f"   made at {clean(origin['made_file'])}:{origin['made_line']}" if origin["made_file"] else ""
        box.line(("  module ", palette.mute), (clean(origin["module"]), palette.text), (made, palette.mute))
    if origin["forward"] is not None:
        forward = origin["forward"]
        at = "" if forward["seq"] is None else f"   #{forward['seq']}"
        box.line(
            ("  the gradient of ", palette.mute), (clean(forward["op"]), palette.text), (at, palette.mute)
        )
    if findings.site is not None and sources is not None:
        box.blank()
        sources.put(findings.site, box, AROUND)


def _numbers(origin: Answer, findings: Findings, box: Box) -> None:
    """What went in, and what came out."""
    palette = box.palette
    names = [clean(one["name"], 24) for one in origin["inputs"]]
    width = max((cell_len(name) for name in names), default=0)
    for k, (one, name) in enumerate(zip(origin["inputs"], names, strict=True)):
        shape = None if one["shape"] is None else tuple(one["shape"])
        spec = "" if one["dtype"] is None else clean(spec_text(Spec(shape, one["dtype"])))
        numbers, ill = input_text(one)
        hue = palette.nan if "NaN" in numbers else palette.inf if ill else palette.text
        box.line(
            (f"  in{k:<3} ", palette.mute), (f"{sized(name, width)}  " if width else "", palette.bright),
            (f"{spec}  ", palette.mute), (numbers, hue, "bold" if ill else ""),
        )  # fmt: skip
    output = findings.outputs.get(int(origin["seq"]))
    if output is not None:
        colour = palette.nan if origin["kind"] == "nan" else palette.inf
        count = (output.nan or 0) + (output.pos_inf or 0) + (output.neg_inf or 0)
        total = elements(output.spec)
        share = "all" if count == total else f"{count / total:.1%} of"
        part = f"   {share} {total:,}" if count and total > 1 else ""
        spec = f"{' ' * (width + 2 if width else 0)}{clean(spec_text(output.spec))}  "
        box.line(
            ("  out   ", palette.mute), (spec, palette.mute), (words.values(output), colour, "bold"),
            (part, palette.mute),
        )  # fmt: skip
    if origin["where"]:
        shown = " ".join(str(at) for at in origin["where"][:4])
        more = " …" if len(origin["where"]) > 4 else ""
        box.line(("  at    ", palette.mute), (shown + more, palette.mute))


def input_text(one: Answer) -> tuple[str, bool]:
    """The numbers of an input in words, and whether some are not finite."""
    low, high = (float(one[key]) if one[key] is not None else None for key in ("min", "max"))
    counts = [
        f"{one[key]:,} {what}"
        for key, what in (("nan", "NaN"), ("neg_inf", "-∞"), ("pos_inf", "∞"), ("zeros", "zeros"))
        if one[key]
    ]
    ill = bool(one["nan"] or one["pos_inf"] or one["neg_inf"])
    between = words.between(low, high) or ("nothing finite" if ill else "not looked at")
    counts = [count.removesuffix("s") if count == "1 zeros" else count for count in counts]
    return "  ".join([between, *counts]), ill or "NaN" in between or "∞" in between


def _growth(origin: Answer, box: Box) -> None:
    growth, palette = origin["growth"], box.palette
    if growth is None:
        return
    series = [float(one["size"]) for one in growth["series"]]
    since = "" if growth["since"] is None else f" since step {growth['since']}"
    ends = f"{words.number(series[0])} to {words.number(series[-1])}"
    text = f"grew ×{growth['factor']:.3g} each time{since}: {ends}, {len(series)} times"
    box.text("  ", text, palette.warn)
    box.line(
        ("  ", palette.mute),
        (bars(series, min(len(series), max(4, box.width - 4)), box.glyphs.bars), palette.warn),
    )


def bars(sizes: list[float], width: int, steps: str) -> str:
    """Sizes as bars, on a scale of powers."""
    finite = [size for size in sizes if size > 0 and math.isfinite(size)]
    if not finite or width < 1:
        return ""
    low, high = math.log10(min(finite)), math.log10(max(finite))
    span = max(high - low, 1e-9)
    found = []
    for k in range(width):
        piece = sizes[
            k * len(sizes) // width : max((k + 1) * len(sizes) // width, k * len(sizes) // width + 1)
        ]
        size = max((one for one in piece if one > 0 and math.isfinite(one)), default=0.0)
        level = 0 if size <= 0 else 1 + round((math.log10(size) - low) / span * (len(steps) - 2))
        found.append(steps[level])
    return "".join(found)


def _then(findings: Findings, box: Box) -> None:
    """What it did: the harm, and how much of what ran after it is not finite."""
    answer, palette = findings.answer, box.palette
    reached = answer["reached"]
    name = f" {clean(reached['name'])}" if reached["name"] else ""
    box.blank()
    target = answer["origin"]["process"], reached["seq"]
    box.row(
        target, ("reached ", palette.mute), (f"the {reached['kind']}{name}", palette.nan, "bold"),
        (f"   #{reached['seq']}", palette.mute),
    )  # fmt: skip
    ill, later = findings.later
    if later:
        box.line((f"  {ill:,} of {later:,} later ops are not finite", palette.mute))
