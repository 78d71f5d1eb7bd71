"""What is said beside the cells of a tensor: statistics, distribution, what is not finite, differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from graphlens.letters import elements as elements_of
from graphlens.letters import spec_text
from graphlens.session import OutputSeen
from graphlens.statistics import Bad, Histogram, Statistics
from graphlens.text import clean
from graphlens_tui import words
from graphlens_tui.boxes import Box
from graphlens_tui.cells import cell_text
from graphlens_tui.paint import elided
from graphlens_tui.tensors import BINS, Tensor, sizes, value_at

DISTRIBUTION = "distribution of finite values (log count)"
"""The title of its frame."""
WIDE = 11
"""Cells of a column of statistics."""
SIDE = 10
"""Cells beside the bars."""
WIDEST = 2
"""Cells of a bar, at most."""
MOST_ROWS = 24
"""Rows of the first axis whose counts are listed; of more only those that are hit."""


def place_text(place: Sequence[int]) -> str:
    """ "[0,3]"."""
    return f"[{','.join(map(str, place))}]"


def value_text(value: Any, dtype: str = "", how: str = "%.3g") -> str:  # Any: a number, or None
    """A number of a tensor in words."""
    return "not kept" if value is None else cell_text(value, how, dtype)


# ── statistics ───────────────────────────────────────────────────────────────────────────────

Row = tuple[str, Callable[[Statistics], float | None]]
_ROWS: tuple[Row, ...] = (
    ("min", lambda found: -math.inf if found.neg_inf else found.low if not found.pos_inf else _low(found)),
    ("max", lambda found: math.inf if found.pos_inf else found.high if not found.neg_inf else _high(found)),
    ("mean fin.", lambda found: found.mean),
    ("std fin.", lambda found: found.spread),
    ("p1", lambda found: None if found.percentiles is None else found.percentiles[0]),
    ("p50", lambda found: None if found.percentiles is None else found.percentiles[1]),
    ("p99", lambda found: None if found.percentiles is None else found.percentiles[2]),
    ("|x|min>0", lambda found: found.smallest),
)
_COUNTS: tuple[Row, ...] = (
    ("zeros", lambda found: found.zeros),
    ("NaN", lambda found: found.nan),
    ("+∞", lambda found: found.pos_inf),
    ("−∞", lambda found: found.neg_inf),
)


def _low(found: Statistics) -> float:
    return math.inf if found.low is None else found.low


def _high(found: Statistics) -> float:
    return -math.inf if found.high is None else found.high


def statistics_box(tensor: Tensor, name: str, box: Box) -> None:
    """A column for the tensor, and one for what it is held against."""
    palette = box.palette
    box.title = "statistics"
    if tensor.statistics is None:
        box.line(("measuring…", palette.warn))
        return
    both = [tensor.statistics] + ([tensor.other] if tensor.other is not None else [])
    names = [name, tensor.other_name][: len(both)]
    head = [(f"{'':<10}{''.join(f'{elided(one, WIDE - 1):>{WIDE}}' for one in names)}", palette.mute, "")]
    rows = _statistics_rows(both, box)
    if box.width < 2 * (10 + 2 * WIDE):
        for row in [head, *rows]:
            box.line(*row)
        return
    half = -(-len(rows) // 2)
    between = [(" " * (box.width // 2 - 10 - WIDE * len(both)), palette.mute, "")]
    box.line(*head, *between, *head)
    for k, row in enumerate(rows[:half]):
        beside = rows[half + k] if half + k < len(rows) else []
        box.line(*row, *between, *beside)


def statistics_lines(found: Statistics | None, width: int) -> int:
    """How high its box is in so many cells."""
    counts = 0 if found is None else sum(map(bool, (found.nan, found.pos_inf, found.neg_inf)))
    rows = len(_ROWS) + 1 + counts
    return 1 + (rows if width < 2 * (10 + 2 * WIDE) else -(-rows // 2))


def _statistics_rows(both: Sequence[Statistics], box: Box) -> list[list[tuple[str, str, str]]]:
    palette = box.palette
    rows = []
    for label, get in _ROWS:
        rows.append([(f"{label:<10}", palette.mute, "")])
        rows[-1] += [_cell(get(found), k == 0, box) for k, found in enumerate(both)]
    for label, get in _COUNTS:
        counts = [int(get(found) or 0) for found in both]
        if label != "zeros" and not any(counts):
            continue
        rows.append([(f"{box.glyphs.text(label):<10}", palette.mute, "")])
        for k, many in enumerate(counts):
            ill = label != "zeros" and many
            hue = palette.nan if ill and label == "NaN" else palette.inf if ill else palette.text
            colour = hue if k == 0 or ill else palette.mute
            rows[-1].append((f"{many:>{WIDE},}", colour, "bold" if ill else ""))
    return rows


def _cell(value: float | None, first: bool, box: Box) -> tuple[str, str, str]:
    palette = box.palette
    if value is None:
        return f"{box.glyphs.text('—'):>{WIDE}}", palette.faint, ""
    text = box.glyphs.text(short_number(value))
    if not math.isfinite(value):
        return f"{text:>{WIDE}}", palette.inf, "bold"
    return f"{text:>{WIDE}}", palette.bright if first else palette.mute, ""


def short_number(value: float) -> str:
    """Three digits, as in the cells: "-60.1", "2.4e-5", "−∞"."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value + 0.0:.3g}"
    if "e" in text:
        digits, _, power = text.partition("e")
        return f"{digits}e{int(power)}"
    return text


# ── the distribution ─────────────────────────────────────────────────────────────────────────


def histogram_box(tensor: Tensor, name: str, box: Box, height: int) -> None:
    """How many finite elements lie where, as bars on a scale of powers; of both below each other."""
    palette = box.palette
    box.title = DISTRIBUTION
    if tensor.statistics is None:
        box.line(("measuring…", palette.warn))
        return
    charts = [(name, tensor.histogram, palette.accent)]
    if tensor.other_histogram is not None and height >= 9:
        charts.append((tensor.other_name, tensor.other_histogram, palette.mute))
    shown = [found for _, found, _ in charts if found is not None]
    if not shown:
        box.line(("nothing finite", palette.mute))
        return
    group, wide = _bars_for(max(1, box.width - SIDE))
    rows = max(1, (height - 1) // len(charts))
    most = max(max(_grouped(found, group)) for found in shown)
    for k, (label, found, colour) in enumerate(charts):
        high = height - 1 - rows if len(charts) > 1 and k == 0 else rows
        _bars(label, found, most, group, wide, high, colour, box)
    _axis(shown[0], BINS // group * wide, box)


def _grouped(found: Histogram, group: int) -> list[int]:
    return [sum(found.counts[at : at + group]) for at in range(0, BINS, group)]


def _bars(
    label: str, found: Histogram | None, most: int, group: int, wide: int, rows: int, colour: str, box: Box
) -> None:
    palette, steps = box.palette, box.glyphs.bars
    full = len(steps) - 1
    counts = [] if found is None else _grouped(found, group)
    scale = math.log1p(most)
    heights = [max(1, round(math.log1p(many) / scale * rows * full)) if many else 0 for many in counts]
    for row in range(rows - 1, -1, -1):
        side = elided(label, SIDE - 1) if row == rows - 1 else ""
        if row == rows - 2 and counts:
            side = words.count(max(counts))
        text = "".join(steps[max(0, min(high - row * full, full))] * wide for high in heights)
        box.line(
            (f"{side:<{SIDE}}", palette.mute),
            ("nothing finite" if found is None and row == rows - 1 else text, colour),
        )


def _axis(found: Histogram, room: int, box: Box) -> None:
    palette = box.palette
    low, high = short_number(found.low), short_number(found.high)
    if found.low == found.high:
        before = " " * (SIDE + room // 2)
        box.line((before, palette.mute), (f"{low}: all of them", palette.mute))
        return
    middle = short_number(found.low / 2 + found.high / 2)
    axis = f"{low:<{max(len(low) + 1, room // 2 - len(middle) // 2)}}{middle}"
    axis += f"{high:>{max(len(high) + 1, room - len(axis))}}"
    box.line((" " * SIDE, palette.mute), (axis, palette.mute))


def _bars_for(room: int) -> tuple[int, int]:
    """(parts of a bar, its cells) that fill a room best; the finer ones of equals."""
    groups = [group for group in range(1, BINS + 1) if BINS % group == 0]
    fitting = [
        (BINS // group * wide, -group, wide)
        for group in groups
        if (wide := min(room // (BINS // group), WIDEST))
    ]
    _, group, wide = max(fitting)
    return -group, wide


# ── what is not finite ───────────────────────────────────────────────────────────────────────


def bad_box(tensor: Tensor, here: Sequence[int], box: Box, height: int) -> None:
    """The places around the cursor's, with what was read for them; how many in each row of the first axis."""
    palette = box.palette
    found = tensor.bad
    if found is None:
        box.title = "non-finite"
        box.line(("measuring…", palette.warn))
        return
    box.title = f"non-finite ({found.count:,})"
    if not found.count:
        whole = "all elements" if tensor.view.whole else "all that were kept"
        box.line((f"{box.glyphs.fine} ", palette.good), (f"{whole} are finite", palette.good))
        return
    box.hue = palette.nan if _some_nan(found) else palette.inf
    rows = _rows_lines(found, sizes(tensor.view.spec), box)
    room = max(1, height - len(rows) - 1)
    places = [place for place, _ in found.places]
    at = places.index(tuple(here)) if tuple(here) in places else -1
    first = max(0, min(at - room // 2, len(places) - room))
    wide = max(cell_len(place_text(place)) for place in places[first : first + room])
    for place, value in found.places[first : first + room]:
        _bad_row(tensor, place, value, wide, place == tuple(here), box)
    more = found.count - min(room, len(places) - first) - first
    before = f"{first:,} before   " if first else ""
    if more > 0 or before:
        text = f"…{more:,} more" if more > 0 else ""
        box.line(("  ", palette.mute), (f"{before}{text}", palette.mute))
    for parts in rows:
        box.line(*parts)


def _some_nan(found: Bad) -> bool:
    return any(value != value for _, value in found.places)


def _bad_row(tensor: Tensor, place: tuple[int, ...], value: Any, wide: int, here: bool, box: Box) -> None:
    palette = box.palette
    number = value_text(value_at(tensor.view, place))
    nan = isinstance(value, complex) or value != value
    read = "   ".join(
        f"in{one.position} = {value_text(value_at(one.elements, at))}"
        for one in tensor.reads
        if one.elements is not None and (at := one.at(sizes(tensor.view.spec), place)) is not None
    )
    box.line(
        (f"{'▸' if here else ' '} ", palette.warn, "bold"),
        (f"{place_text(place):<{wide}}", palette.bright if here else palette.text),
        (f"{box.glyphs.text(number):>6}   ", palette.nan if nan else palette.inf, "bold"),
        (read, palette.mute),
    )  # fmt: skip


def _rows_lines(found: Bad, shape: Sequence[int], box: Box) -> list[list[tuple[str, str]]]:
    """ "by row: 9 9 9 9": how many in each row of the first axis."""
    palette = box.palette
    if not found.rows or len(shape) < 2:
        return []
    many = shape[0]
    if many <= MOST_ROWS:
        counts = " ".join(str(found.rows.get(row, 0)) for row in range(many))
        return [[("  by row: ", palette.mute), (counts, palette.bright)]]
    hit = f"{len(found.rows):,} of {many:,} rows hit"
    listed = " ".join(f"{row}:{count}" for row, count in list(found.rows.items())[:MOST_ROWS])
    return [
        [("  ", palette.mute), (hit, palette.bright)],
        [("  by row: ", palette.mute), (listed, palette.text)],
    ]


# ── differences ──────────────────────────────────────────────────────────────────────────────


def difference_box(tensor: Tensor, key: str, box: Box) -> None:
    """How it differs from what it is held against."""
    palette = box.palette
    if not tensor.other_name:
        box.title = "Δ"
        box.text(
            "",
            f"nothing to hold it against: the same was kept in no other step; {key} names an op",
            palette.mute,
        )
        return
    box.title = f"Δ against {tensor.other_name}"
    if tensor.statistics is None:
        box.line(("measuring…", palette.warn))
        return
    found = tensor.difference
    if found is None:
        box.text("", tensor.trouble, palette.warn)
        return
    largest = box.glyphs.text(short_number(found.largest)) if found.largest == found.largest else "NaN"
    ill = not math.isfinite(found.largest)
    box.line(
        ("max|Δ| ", palette.mute), (largest, palette.inf if ill else palette.bright, "bold" if ill else ""),
        ("   changed ", palette.mute), (f"{found.changed:,}/{found.size:,}", palette.bright),
    )  # fmt: skip
    cosine = "n/a" if found.cosine is None else f"{found.cosine:.4g}"
    broken = palette.inf if found.broken else palette.bright
    box.line(
        ("new non-finite ", palette.mute), (f"{found.broken:,}", broken, "bold" if found.broken else ""),
        ("   cosine ", palette.mute), (cosine, palette.bright),
    )  # fmt: skip
    if found.scale is not None:
        _scale_line("mean |x|", found.scale, tensor, box)
    for one in tensor.reads:
        if one.scale is not None:
            _scale_line(f"in{one.position} mean |x|", one.scale, tensor, box)


def _scale_line(what: str, scale: float, tensor: Tensor, box: Box) -> None:
    palette = box.palette
    far = scale >= 2 or scale <= 0.5
    box.line(
        (f"{what}  ", palette.mute),
        (f"{short_number(scale)}× {clean(tensor.other_name)}", palette.warn if far else palette.text),
    )


# ── what was not kept ────────────────────────────────────────────────────────────────────────


def unkept_box(output: OutputSeen | None, command: str, hints: Sequence[str], box: Box) -> None:
    """Everything that is known of a tensor whose elements were not kept, and how to keep them."""
    palette = box.palette
    box.hue = palette.warn
    box.text("", "Its elements were not kept.", palette.warn, "bold")
    box.blank()
    if output is not None:
        _known(output, box)
        box.blank()
    box.line(("to see them, run it again:", palette.mute))
    box.text("  ", command, palette.bright, "bold")
    for hint in hints:
        box.blank()
        box.text("", hint, palette.text)


def _known(output: OutputSeen, box: Box) -> None:
    palette = box.palette
    total = elements_of(output.spec)
    box.fact("type", (clean(spec_text(output.spec)), palette.text), (f"   {total:,} elements", palette.mute))
    if not output.looked_at:
        box.fact("values", ("not looked at", palette.mute))
        return
    ill = output.finite is False
    text = words.values(output)
    hue = palette.nan if "NaN" in text else palette.inf if ill else palette.text
    box.fact("values", (text, hue, "bold" if ill else ""))
    facts = output.numerics
    if facts is not None and ill and facts.low is not None and facts.high is not None:
        box.fact("finite", (words.between(facts.low, facts.high), palette.text))
    if facts is not None and facts.mean is not None:
        box.fact("mean", (words.number(facts.mean), palette.text))
    counts = ((output.nan, "NaN"), (output.pos_inf, "+∞"), (output.neg_inf, "−∞"))
    counted = [f"{many:,} {what}" for many, what in counts if many]
    if counted:
        box.fact("counts", (f"{', '.join(counted)} of {total:,}", palette.text))
    if output.where:
        places = " ".join(place_text(place) for place in output.where)
        box.text("at       ", places, palette.text, most=3)


def linked_text(op: str, tensor: Tensor, place: Sequence[int]) -> str:
    """ "log(0)": what was computed at a place; "" where no input is linked."""
    numbers = [
        value_text(value_at(one.elements, at), one.elements.spec.dtype)
        for one in tensor.reads
        if one.elements is not None and (at := one.at(sizes(tensor.view.spec), place)) is not None
    ]
    return f"{op}({', '.join(numbers)})" if numbers else ""
