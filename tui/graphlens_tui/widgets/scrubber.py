"""One operation over all its calls, a cell a call: how large its numbers were, and where they were ill."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len
from rich.segment import Segment
from textual.events import Click, Resize
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from graphlens.session import Process
from graphlens_tracers.events import Seq
from graphlens_tui import words
from graphlens_tui.decoded import Ill
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.palette import Palette, style

Ints = npt.NDArray[np.int64]
NOT_SEEN = -1.0
"""As the size of an output's numbers: they were not looked at."""
TAIL = 38
"""Cells for what is said behind the bar: the range of the sizes, and how many calls a cell stands for."""
MOST_SIZES = 20_000
"""Sizes that are kept."""


@dataclass
class CallWanted(Message):
    """A person wants to see the same operation in another call."""

    seq: Seq


@dataclass(frozen=True, eq=False)
class Calls:
    """An operation in every call.

    Attributes:
        seqs: The operation, or the first one of a call, in each; sorted.
        stops: What each goes up to, not including it.
        at: Which of them is selected.
        ill: Which operations are not finite.
        whole: It is about calls, not about one operation: they have no size.
    """

    name: str
    seqs: Ints
    stops: Ints
    at: int
    ill: Ill
    whole: bool = False

    def worst(self, first: int, stop: int) -> str:
        """Of a cell: "nan", "inf", or "" where nothing is known to be wrong."""
        starts, ends = self.seqs[first:stop], self.stops[first:stop]
        for kind, ill in (("nan", self.ill.nan), ("inf", self.ill.inf)):
            if (np.searchsorted(ill, ends) > np.searchsorted(ill, starts)).any():
                return kind
        return ""

    def cells(self, width: int) -> list[tuple[int, int]]:
        """(first, stop) in `seqs` of each cell: one call each, or several where there is no room."""
        many = len(self.seqs)
        count = max(1, min(many, width))
        edges = [cell * many // count for cell in range(count + 1)]
        return [(edges[cell], edges[cell + 1]) for cell in range(count)]

    def samples(self, width: int) -> list[int]:
        """What each cell shows: the selected operation, else the first that is ill, else the first one."""
        found, bad = [], self._bad
        for first, stop in self.cells(width):
            if first <= self.at < stop:
                found.append(int(self.seqs[self.at]))
                continue
            at = int(np.searchsorted(bad, first))
            there = at < len(bad) and bad[at] < stop
            found.append(int(self.seqs[bad[at] if there else first]))
        return found

    @cached_property
    def _bad(self) -> Ints:
        """Which of `seqs` are not finite: places in it."""
        ill = self.ill.seqs
        if not len(ill):
            return np.empty(0, np.int64)
        at = np.minimum(np.searchsorted(ill, self.seqs), len(ill) - 1)
        return np.flatnonzero(ill[at] == self.seqs)


def sizes_of(process: Process, seqs: Sequence[int]) -> dict[int, float]:
    """The largest absolute value that each operation made; NOT_SEEN where nobody has looked.

    Reads a row at a time: not for the UI's thread.
    """
    found = {}
    for seq in seqs:
        ranges = process.ranges(seq, seq + 1)
        values = np.abs(np.concatenate([ranges.low, ranges.high]))
        empty = (ranges.low > ranges.high).all() if len(ranges.low) else True
        found[seq] = NOT_SEEN if empty else float(values.max()) if not np.isnan(values).any() else math.nan
    return found


@dataclass
class Sized(Message):
    """How large the numbers of these operations of a process were; of none: others are wanted."""

    process: Process | None = None
    sizes: Mapping[int, float] = field(default_factory=dict)


class Scrubber(Widget):
    """The bar; empty where the cursor is on nothing that has calls."""

    DEFAULT_CSS = "Scrubber { height: 1; width: 1fr; }"

    def __init__(self, glyphs: Glyphs, palette: Palette, keys: str) -> None:
        super().__init__(id="scrubber")
        self.glyphs, self.palette = glyphs, palette
        self.calls: Calls | None = None
        self._keys = keys
        self._sizes: dict[int, float] = {}
        self._left = 0

    def show(self, calls: Calls | None) -> list[int]:
        """Show these calls; which operations' sizes are to be found out."""
        self.calls = calls
        if len(self._sizes) > MOST_SIZES:
            self._sizes.clear()
        self.refresh()
        if calls is None or calls.whole:
            return []
        return [seq for seq in calls.samples(self._room()) if seq not in self._sizes]

    def forget(self) -> None:
        """Another process is shown: the same numbers are other operations there."""
        self.calls = None
        self._sizes.clear()
        self.refresh()

    def know(self, sizes: Mapping[int, float]) -> None:
        """The sizes of some of them."""
        self._sizes.update(sizes)
        self.refresh()

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        self.palette = palette
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """There may be room for other cells."""
        self.post_message(Sized())

    def _label(self) -> str:
        assert self.calls is not None, "there is something to show"
        return f" {self._keys}  {self.calls.name}  {self.calls.at + 1:,} of {len(self.calls.seqs):,} "

    def _room(self) -> int:
        return max(1, self.size.width - (cell_len(self._label()) if self.calls else 0) - TAIL)

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        """The bar."""
        palette, width = self.palette, self.size.width
        plain = style(palette.mute, palette.bar)
        if self.calls is None:
            return Strip.blank(width, plain)
        label = self.glyphs.text(self._label())
        self._left = cell_len(label)
        room = self._room()
        samples = self.calls.samples(room)
        segments = [Segment(label, style(palette.text, palette.bar))]
        known = [self._sizes[seq] for seq in samples if seq in self._sizes]
        finite = [value for value in known if math.isfinite(value) and value != NOT_SEEN]
        for (first, stop), seq in zip(self.calls.cells(room), samples, strict=True):
            here = first <= self.calls.at < stop
            if here:
                segments.append(Segment(self.glyphs.here, style(palette.warn, palette.bar, True)))
            text, colour = self._cell(first, stop, seq, finite)
            segments.append(Segment(text, style(colour, palette.cursor if here else palette.bar, here)))
        segments.append(Segment(self.glyphs.text(self._tail(finite, room)), plain))
        return Strip(segments).adjust_cell_length(width, plain)

    def _cell(self, first: int, stop: int, seq: int, finite: Sequence[float]) -> tuple[str, str]:
        assert self.calls is not None, "there is something to show"
        glyphs, palette = self.glyphs, self.palette
        worst = self.calls.worst(first, stop)
        if worst:
            return (glyphs.nan, palette.nan) if worst == "nan" else (glyphs.inf, palette.inf)
        if self.calls.whole:
            return glyphs.bars[1], palette.mute
        value = self._sizes.get(seq)
        if value is None or value == NOT_SEEN or not math.isfinite(value):
            return glyphs.unknown, palette.faint
        return glyphs.bars[_level(value, finite, len(glyphs.bars) - 1)], palette.good

    def _tail(self, finite: Sequence[float], room: int) -> str:
        assert self.calls is not None, "there is something to show"
        tail = f"  |x| {words.between(min(finite), max(finite))}" if finite else ""
        many = len(self.calls.seqs)
        return tail + (f"  {-(-many // room):,} calls each" if many > room else "")

    def on_click(self, event: Click) -> None:
        """Go to the call of a cell."""
        if self.calls is None:
            return
        samples = self.calls.samples(self._room())
        cell = event.x - self._left
        here = next(at for at, (a, b) in enumerate(self.calls.cells(self._room())) if a <= self.calls.at < b)
        cell -= cell > here  # the cursor takes a cell of its own
        if 0 <= cell < len(samples):
            self.post_message(CallWanted(Seq(samples[cell])))


def _level(value: float, finite: Sequence[float], most: int) -> int:
    """How high a bar is, from 1 to `most`; by powers where the largest is a hundred times the smallest."""
    low, high = min(finite), max(finite)
    if low == high:
        return (most + 1) // 2
    if low > 0 and high > 100 * low:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return 1 + round((most - 1) * (value - low) / (high - low))
