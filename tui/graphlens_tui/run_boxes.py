"""What the Runs mode says of a run in full, and of what differs between two."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from graphlens.categories import SAID
from graphlens.plain import Answer
from graphlens.runs import Entry
from graphlens.text import clean, size_text
from graphlens_tracers.events import Phase
from graphlens_tui import words
from graphlens_tui.boxes import Box, Parts
from graphlens_tui.listing import ended, words_of
from graphlens_tui.messages import Compared
from graphlens_tui.paint import elided, sized
from graphlens_tui.run_rows import health, state
from graphlens_tui.strips import stretched, strip
from graphlens_tui.summaries import Place, Summary

WIDE = 90
"""Cells from which an operation and its numbers are on one line."""
MOST_GAPS = 6
MOST_SHOWN = 500
"""Operations that differ, on the page."""


def preview(entry: Entry, summary: Summary | None, box: Box) -> None:
    """The run under the cursor; without a summary what its run.json says."""
    palette = box.palette
    _command(entry, summary, box)
    _surroundings(entry, box)
    if summary is None:
        box.line(("reading its logs…", palette.warn))
        return
    if summary.trouble:
        box.text("trouble   ", summary.trouble, palette.nan)
        return
    if summary.running:
        what = "runs now" if entry.state == "running" else "ended in the middle of"
        box.line((f"{what} ", palette.mute), (f"op {summary.running}", palette.warn, "bold"))
    if not summary.ops:
        box.line(("nothing was recorded", palette.mute))
    else:
        _counts(summary, box)
        _health(summary, box)
    for text, times in summary.gaps[:MOST_GAPS]:
        many = f" ({times:,} times)" if times > 1 else ""
        box.text("gap       ", clean(text, 300) + many, palette.warn, most=2)
    if len(summary.gaps) > MOST_GAPS:
        box.line((f"          and {len(summary.gaps) - MOST_GAPS:,} more gaps", palette.warn))


def _command(entry: Entry, summary: Summary | None, box: Box) -> None:
    palette, record = box.palette, entry.record
    command = shlex.join(["python", *words_of(entry)])
    word, colour, bold = state(entry, palette)
    parts: list[Parts] = [(clean(command, 300), palette.bright, "bold"), ("   ", palette.mute)]
    parts.append((word, colour, "bold" if bold else ""))
    last = record.get("ended")
    if isinstance(last, int | float) and entry.state == "finished" and last >= entry.started:
        parts.append((f"   {words.duration(int((last - entry.started) * 1e9))}", palette.text))
    if summary is not None:
        parts.append((f"   {size_text(summary.size_bytes)}", palette.mute))
    if ended(entry) == "lost":
        parts.append(("   its recorder was killed, or its machine stopped", palette.warn))
    box.line(*parts)


def _surroundings(entry: Entry, box: Box) -> None:
    palette, record = box.palette, entry.record
    facts = [
        ("started", words.moment(entry.started)), ("in", record.get("cwd")), ("python", record.get("python")),
        ("level", record.get("level")), ("steps", record.get("steps")),
        ("graphlens", record.get("graphlens")), ("pid", record.get("pid")), ("on", record.get("host")),
    ]  # fmt: skip
    parts: list[Parts] = []
    for name, value in facts:
        if value:
            gap = "   " if parts else ""
            parts += [(f"{gap}{name} ", palette.faint), (clean(str(value), 80), palette.mute)]
    box.line(*parts)


def _counts(summary: Summary, box: Box) -> None:
    palette = box.palette
    many = f" in {summary.processes} processes" if summary.processes > 1 else ""
    box.fact(
        "ran",
        (f" {summary.ops:,} operations in {summary.steps:,} steps{many}", palette.bright),
        (f"   {', '.join(summary.frameworks)}", palette.text),
    )
    phases: Mapping[str, int] = {str(one): summary.phases.get(one, 0) for one in Phase}
    box.fact("phases", *_listed({name: count for name, count in phases.items() if count}, box, {}))
    kinds: dict[str, int] = {}
    hues: dict[str, str] = {}
    for kind, count in sorted(summary.kinds.items(), key=lambda one: -one[1]):
        name = SAID.get(kind, str(kind))
        kinds[name] = kinds.get(name, 0) + count
        hues.setdefault(name, palette.kind(kind))
    box.fact("kinds", *_listed(kinds, box, hues))


def _listed(counts: Mapping[str, int], box: Box, hues: Mapping[str, str]) -> list[Parts]:
    parts: list[Parts] = [(" ", box.palette.mute)]
    for name, count in counts.items():
        parts.append((f"{name} ", hues.get(name, box.palette.mute)))
        parts.append((f"{count:,}   ", box.palette.text))
    return parts


def _health(summary: Summary, box: Box) -> None:
    palette = box.palette
    if len(summary.cells):
        room = max(8, min(box.width - 11, 120))
        cells = stretched(summary.cells, room) if len(summary.cells) > room else summary.cells
        box.line(("health    ", palette.mute))
        box.lines[-1] += strip(cells, box)
    else:
        box.line(("health    ", palette.mute))
    if summary.first is None:
        box.line(("          ", palette.mute), *_health_parts(summary, box))
        return
    box.line(*_place("first     ", summary.first, box))
    if summary.verdict is None:
        return
    if summary.verdict.origin is None:
        text = {
            "clean": "clean: what is not finite did no harm",
            "incomplete": "incomplete: no harm was found, but not everything was looked at",
        }.get(summary.verdict.status, summary.verdict.status)
        hue = palette.good if summary.verdict.status == "clean" else palette.warn
        box.line(("verdict   ", palette.mute), (text, hue, "bold"))
        return
    reached = f"   reached the {summary.verdict.reached}"
    box.line(*_place("verdict   ", summary.verdict.origin, box), (reached, palette.text))


def _health_parts(summary: Summary, box: Box) -> list[Parts]:
    found = health(summary, box.glyphs, box.palette)
    return [(text, colour, "bold" if bold else "") for text, colour, bold in found]


def _place(label: str, place: Place, box: Box) -> list[Parts]:
    palette, nan = box.palette, place.kind == "nan"
    hue = palette.nan if nan else palette.inf
    step = "" if place.step is None else f" in step {place.step}"
    return [
        (label, palette.mute),
        (f"{box.glyphs.nan if nan else box.glyphs.inf} {'NaN' if nan else '∞'}{step}", hue, "bold"),
        (f"   #{place.seq} ", palette.mute), (clean(place.op, 60), palette.bright),
        (f"   {clean(place.where, 60)}" * bool(place.where), palette.accent),
        (f"   {clean(place.module, 80)}" * bool(place.module), palette.mute),
    ]  # fmt: skip


# ── two runs ─────────────────────────────────────────────────────────────────────────────────


def run_box(sign: str, entry: Entry, summary: Summary | None, box: Box) -> None:
    """One of the two, in short."""
    palette = box.palette
    box.title = f"{sign} {clean(entry.name, 80)}"
    box.hue = palette.nan if sign == "-" else palette.good
    box.line((clean(shlex.join(["python", *words_of(entry)]), 300), palette.bright, "bold"))
    box.line(("started ", palette.faint), (words.moment(entry.started), palette.mute))
    if summary is not None and not summary.trouble:
        ran = f"{summary.ops:,} operations in {summary.steps:,} steps   "
        box.line((ran, palette.text), (f"{', '.join(summary.frameworks)}", palette.mute))
        box.line(*_health_parts(summary, box))


def parted_box(compared: Compared, box: Box) -> None:
    """The first output whose range is another one."""
    palette, answer = box.palette, compared.answer
    parted = answer["parted"]
    alone = f"; {answer['alone']:,} are in one alone" if answer["alone"] else ""
    steps = f"{answer['steps']:,} steps are in both{alone}"
    if box.width < WIDE:  # the frames that say which is which are further down
        older, newer = clean(compared.older.name, 60), clean(compared.newer.name, 60)
        box.line(
            ("- ", palette.nan, "bold"), (f"{older}   ", palette.text),
            ("+ ", palette.good, "bold"), (newer, palette.text),
        )  # fmt: skip
    if parted is None:
        box.title, box.hue = "numbers do not part", palette.good
        box.line((f"{steps}; no range that was compared is another", palette.text))
        return
    box.title, box.hue = f"numbers part {_step(parted['step'], 'in ')}", palette.warn
    box.line(
        (f"{steps}; {parted['count']:,} of {parted['compared']:,} outputs of that step differ", palette.text)
    )
    for sign, place, ends in (
        ("-", parted["mine"], parted["mine_range"]), ("+", parted["other"], parted["other_range"]),
    ):  # fmt: skip
        colour = palette.nan if sign == "-" else palette.good
        target = (-1, 0) if sign == "+" else None
        values = f"output {parted['output']}   {_range(ends)}"
        said: list[Parts] = [(values, palette.warn, "bold")] if box.width >= WIDE else []
        box.row(target, (f"{sign} ", colour, "bold"), *_columns(place, box), *said)
        if not said:
            box.text(" " * 12, values, palette.warn, "bold", most=2)


def operations_box(compared: Compared, box: Box) -> None:
    """Operations that are not the same, each with a sign."""
    palette, answer = box.palette, compared.answer
    listed = answer["operations"]
    step = _step(answer["step"])
    names = f"{clean(compared.older.name, 80)} against {clean(compared.newer.name, 80)}"
    if not listed:
        box.title, box.hue = "operations are the same", palette.good
        box.line((f"in every step; {answer['same']:,} in {step}", palette.text))
    else:
        box.title = f"operations of {step}: {answer['same']:,} are the same, {len(listed):,} are not"
    for number, one in enumerate(listed[:MOST_SHOWN]):
        sign, colour = {
            "mine": ("-", palette.nan), "other": ("+", palette.good), "changed": ("~", palette.warn),
        }[one["kind"]]  # fmt: skip
        box.row((number, 0), (f"{sign} ", colour, "bold"), *_columns(one["mine"] or one["other"], box))
        if one["what"]:
            box.text("        ", clean(one["what"], 300), palette.mute, most=2)
    if len(listed) > MOST_SHOWN:
        box.line((f"and {len(listed) - MOST_SHOWN:,} more: graphlens show {names} --json", palette.warn))
    else:
        box.line((f"the same as text: graphlens show {names}", palette.faint))


def _columns(place: Answer, box: Box) -> list[Parts]:
    palette, dots = box.palette, box.glyphs.text("…")
    wide = box.width >= WIDE
    where = f"{place['file']}:{place['line']}" if place["file"] else ""

    def cell(text: str, width: int, *, left: bool = False) -> str:
        return sized(elided(clean(text), width - 2, dots, left=left), width)

    phase = [(cell(place["phase"], 11), palette.mute)] if wide else []
    return [
        (f"{'#' + str(place['seq']):>8} ", palette.mute),
        (cell(place["op"], 34 if wide else 26), palette.bright),
        *phase,
        (cell(where, 26 if wide else 18, left=True), palette.accent),
        (clean(place["module"]), palette.mute),
        ("  " if wide else "", palette.mute),
    ]


def _step(step: int | None, before: str = "") -> str:
    return "before the first step" if step is None else f"{before}step {step}"


def _range(ends: list[float | str]) -> str:
    """The ends as `number` in `plain` gives them: what is not finite by name."""
    names = {"nan": "NaN", "inf": "∞", "-inf": "-∞"}
    texts = [names.get(end, end) if isinstance(end, str) else f"{end:.6g}" for end in ends]
    return " … ".join(dict.fromkeys(texts))
