"""Steps by operations as strips of cells: when and where numbers went wrong, how large, and how far."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment

from graphlens.health import OPTIMIZER, Cell, Cells, Findings, worst
from graphlens.text import clean
from graphlens_tui import words
from graphlens_tui.boxes import Box, Parts
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import Palette, style

LABEL = 10
"""Cells before a strip."""


def strip(cells: Cells, box: Box) -> list[Segment]:
    """Cells as characters: no two kinds differ by their colour alone."""
    found = []
    for kind, same in itertools.groupby(cells.tolist()):
        count = sum(1 for _ in same)
        found.append(
            Segment(
                box.glyphs.cells[kind] * count, style(*colours(Cell(kind), box.palette), kind >= Cell.INF)
            )
        )
    return found


def colours(cell: Cell, palette: Palette) -> tuple[str, str]:
    """Of a cell's character and of its ground: what is not finite is a patch."""
    if cell is Cell.NAN:
        return palette.on_ill, palette.nan
    if cell is Cell.INF:
        return palette.on_ill, palette.inf
    return palette.cells[cell], palette.ground


def timeline_box(findings: Findings, box: Box, most: int) -> None:
    """Steps as rows of cells, under each other as their operations are; below the phases of the focus.

    Args:
        most: Steps that there is room for.
    """
    palette, steps = box.palette, findings.steps
    box.title = "health timeline: columns are operations in order, rows are steps"
    if not steps:
        box.line(("nothing has run yet", palette.mute))
        return
    room = max(4, box.width - LABEL - 1)
    longest = max(step.ops for step in steps)
    start = max(0, min(findings.focus - most // 3, len(steps) - most))
    if len(findings.whole) > min(most, len(steps)):
        box.lines.append([_label("the run", palette.mute, box), *strip(stretched(findings.whole, room), box)])
        box.blank()
    for k, step in list(enumerate(steps))[start : start + most]:
        width = _width(step.ops, longest, room)
        hue = palette.bright if k == findings.focus else palette.mute
        box.lines.append(
            [_label(step.name, hue, box, k == findings.focus), *strip(stretched(step.cells, width), box)]
        )
    if 0 <= findings.focus < len(steps):
        _below(findings, box, _width(steps[findings.focus].ops, longest, room))
    _legend(findings, box)


def _width(ops: int, longest: int, room: int) -> int:
    return max(1, min(room, ops * room // longest)) if longest > room or ops < longest else room


def stretched(cells: Cells, width: int) -> Cells:
    """Cells in exactly so many; a short call's are repeated."""
    if len(cells) >= width:
        return worst(cells, width)
    return cells[np.arange(width) * len(cells) // width]


def _label(text: str, colour: str, box: Box, bold: bool = False) -> Segment:
    dots = box.glyphs.text("…")
    return Segment(
        sized(elided(clean(text), LABEL - 1, dots), LABEL), style(colour, box.palette.ground, bold)
    )


def _below(findings: Findings, box: Box, width: int) -> None:
    """Where the origin is, the phases, and how large numbers were."""
    palette, step = box.palette, findings.steps[findings.focus]
    origin = findings.answer["origin"]
    if origin is not None and step.call.first <= origin["seq"] <= step.call.last:
        at = LABEL + (origin["seq"] - int(step.call.first)) * width // step.ops
        nan = origin["kind"] == "nan"
        mark = box.glyphs.nan if nan else box.glyphs.inf
        text = (
            f"{mark} #{origin['seq']} {clean(origin['op'])}: first {'NaN' if nan else box.glyphs.text('∞')}"
        )
        at = at if at + len(text) <= box.width else max(0, box.width - len(text))
        box.line((" " * at, palette.mute), (text, palette.nan if nan else palette.inf, "bold"))
    if findings.phases:
        box.line((" " * LABEL, palette.mute), (_phases(findings.phases, step.ops, width, box), palette.mute))
    if len(findings.sizes) and np.isfinite(findings.sizes).any():
        box.lines.append([_label("absmax", palette.mute, box), *_sizes(findings, width, box)])


def _phases(phases: Sequence[tuple[str, int, int]], ops: int, width: int, box: Box) -> str:
    """ "└─ forward ───┴─ loss ─┴─ backward ──┘", as far as names fit."""
    corner, tee, end, across = ("+", "+", "+", "-") if box.glyphs.ascii else ("└", "┴", "┘", "─")
    text = ""
    for name, start, stop in phases:
        first = start * width // ops
        room = stop * width // ops - first
        if room < 1:
            continue
        mark = corner if not text else tee
        label = f" {name} "
        body = label.center(room - 1, across) if room - 1 >= len(label) else across * (room - 1)
        text = text[:first].ljust(first, across) + mark + body
    return (text[: width - 1] + end) if len(text) >= 2 else text


def _sizes(findings: Findings, width: int, box: Box) -> list[Segment]:
    """The largest size of each part of the focus, on a scale of powers; large ones stand out."""
    sizes = findings.sizes
    edges = np.linspace(0, len(sizes), width + 1).astype(np.int64)
    tops = []
    for start, stop in itertools.pairwise(edges.tolist()):
        piece = sizes[start : max(stop, start + 1)]
        piece = piece[np.isfinite(piece)]
        tops.append(float(piece.max()) if len(piece) else 0.0)
    there = [top for top in tops if top > 0]
    low, high = (math.log10(min(there)), math.log10(max(there))) if there else (0.0, 0.0)
    span = max(high - low, 1e-9)
    found = []
    for top in tops:
        level = 0 if top <= 0 else 1 + round((math.log10(top) - low) / span * (len(box.glyphs.bars) - 2))
        hue = box.palette.warn if top >= 1e4 else box.palette.accent
        found.append((box.glyphs.bars[level], hue))
    segments = [
        Segment("".join(text for text, _ in same), style(hue, box.palette.ground))
        for hue, same in ((hue, list(same)) for hue, same in itertools.groupby(found, key=lambda one: one[1]))
    ]
    return segments


def _legend(findings: Findings, box: Box) -> None:
    names = ("no number", "finite", "1e4 up", "∞", "NaN")
    parts: list[Parts] = []
    for kind, name in zip(Cell, names, strict=True):
        colour, ground = colours(kind, box.palette)
        shown = ground if kind >= Cell.INF else colour
        parts += [(box.glyphs.cells[kind], shown, "bold"), (f" {name}   ", box.palette.faint)]
    sizes = findings.sizes[np.isfinite(findings.sizes)]
    largest = f"absmax up to {words.number(float(sizes.max()))}" if len(sizes) else ""
    used = LABEL + sum(cell_len(part[0]) for part in parts)
    if used + len(largest) <= box.width:
        parts.append((largest, box.palette.faint))
    box.line((" " * LABEL, box.palette.mute), *parts)


# ── alerts, and how far it has spread ────────────────────────────────────────────────────────


def alerts_box(findings: Findings, box: Box, key: str) -> None:
    """How many operations each rule hits; what it hits none of is dim."""
    palette = box.palette
    box.title = "alerts"
    hues = {"nan": palette.nan, "inf": palette.inf}
    process = findings.who.number if findings.who is not None else 0
    width = max((len(alert.rule.text) for alert in findings.alerts), default=0)
    for alert in findings.alerts:
        rule = alert.rule
        label = {"nan": "NaN", "inf": "∞"}.get(rule.kind, rule.text)
        patch = hues.get(rule.kind, palette.cells[0] if rule.kind == "uninit" else palette.warn)
        ground = patch if alert.count else palette.track
        on_patch = palette.bright if rule.kind == "uninit" else palette.on_ill
        colour = on_patch if alert.count else palette.faint
        if alert.first is not None:
            box.rows[len(box.lines)] = (process, alert.first)
        text = box.glyphs.text(clean(label)).center(width)
        meaning = elided(rule.meaning, max(0, box.width - 13 - width), box.glyphs.text("…"))
        hit = bool(alert.count)
        pieces = (
            ("  ", palette.mute, palette.ground, False),
            (f" {text} ", colour, ground, hit),
            (f"{words.count(alert.count):>7}", palette.bright if hit else palette.faint, palette.ground, hit),
            (f"  {meaning}", palette.mute, palette.ground, False),
        )
        box.lines.append([Segment(text, style(hue, under, bold)) for text, hue, under, bold in pieces])
    if not findings.alerts:
        box.line(("no rule is set", palette.mute))
    box.line((f"  {key} edits the rules", palette.faint))


def spread_box(findings: Findings, box: Box) -> None:
    """Operations by module, forward and backward, as cells."""
    palette, dots = box.palette, box.glyphs.text("…")
    focus = findings.steps[findings.focus].name if 0 <= findings.focus < len(findings.steps) else "nothing"
    box.title = f"spread by module in {focus}"
    if not findings.groups:
        box.line(("nothing has run yet", palette.mute))
        return
    width = min(24, max(len(clean(group.name, 60)) for group in findings.groups) + 1)
    room = max(8, box.width - width - 10)
    modules = [group for group in findings.groups if group.name != OPTIMIZER]
    forward = max((len(group.forward) for group in modules), default=0)
    backward = max((len(group.backward) for group in modules), default=0)
    left = forward if forward + backward <= room else max(1, room * forward // (forward + backward))
    plain = style(palette.mute, palette.ground)
    for group in findings.groups:
        name = sized(elided(clean(group.name, 60), width - 1, dots, left=True), width)
        line = [Segment(name, style(palette.text, palette.ground))]
        if group.name == OPTIMIZER:  # it has no backward: its strip may go on below that
            line += [Segment("    ", plain), *strip(worst(group.forward, room + 6), box)]
        else:
            cells = _scaled(group.forward, forward, left)
            line += [Segment("fwd ", plain), *strip(cells, box)]
            line += [Segment(" " * (left - len(cells)) + "  bwd ", plain)] if backward else []
            line += strip(_scaled(group.backward, backward, room - left), box)
        box.lines.append(line)


def _scaled(cells: Cells, longest: int, room: int) -> Cells:
    """As many cells as its part of the longest one."""
    if longest <= room or not len(cells):
        return cells
    return worst(cells, max(1, len(cells) * room // longest))
