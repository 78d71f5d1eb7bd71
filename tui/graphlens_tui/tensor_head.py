"""The lines above a tensor's cells: what it is, which slice is seen, and what is under the cursor."""

from __future__ import annotations

from dataclasses import dataclass

from graphlens.categories import short
from graphlens.letters import spec_text
from graphlens.session import Op
from graphlens.text import clean
from graphlens_tracers.events import Spec
from graphlens_tui.cells import LEVELS, NAN, bads, map_colour, map_text
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.grid import Grid, Look
from graphlens_tui.palette import Palette
from graphlens_tui.sheet import Sheet, size_text
from graphlens_tui.tensor_boxes import linked_text, place_text, short_number, value_text
from graphlens_tui.tensors import Key, Tensor
from graphlens_tui.widgets.bars import Part, Parts

ONE_LINE = 150
"""Columns from which all stands in one line."""


@dataclass
class Head:
    """What stands above the cells of one output or input of an operation."""

    op: Op
    key: Key
    glyphs: Glyphs
    palette: Palette

    def lines(
        self, tensor: Tensor | None, spec: Spec | None, grid: Grid | None, look: Look, width: int
    ) -> list[Parts]:
        """One line, or two in a narrow terminal."""
        palette = self.palette
        first = [*self._who(), *self._what(tensor, spec)]
        if grid is None or tensor is None:
            return [Parts(first, [])]
        second = self._cell(tensor, grid.sheet, look)
        first += self._slice(grid.sheet)
        first += self._scale(grid, look) if look.heat else [Part(f"  fmt {look.how}", palette.mute, need=4)]
        if width >= ONE_LINE:
            return [Parts(first + second, [])]
        return [Parts(first, []), Parts(second, [])]

    def _who(self) -> list[Part]:
        palette, op = self.palette, self.op
        position, slot = self.key
        which = f":{slot}" if slot is not None else f" input {position}"
        call = "" if op.call is None or op.call.step is None else f"  step {op.call.step}"
        return [
            Part(
                f" #{op.seq} {clean(op.node.op.removesuffix('.default'), 60)}{which}",
                palette.accent,
                True,
                need=9,
            ),
            Part(call, palette.mute, need=3),
            Part(f" · {op.node.phase}" if call else f"  {op.node.phase}", palette.mute, need=1),
        ]

    def _what(self, tensor: Tensor | None, spec: Spec | None) -> list[Part]:
        palette = self.palette
        if tensor is None:
            return [] if spec is None else [Part(f"  {clean(spec_text(spec))}", palette.text, need=8)]
        view = tensor.view
        width = 2 if view.spec.dtype == "bfloat16" else view.array.dtype.itemsize
        seen = f" → {clean(spec_text(view.spec))}" if tensor.wanted.expression else ""
        parts = [
            Part(f"  {clean(spec_text(tensor.spec))}{seen}", palette.text, need=8),
            Part(f"  {size_text(view.size, width)}", palette.mute, need=4),
        ]
        if not view.whole:
            share = f"{view.array.size:,} of {view.size:,} kept"
            parts.append(Part(f"  {share}", palette.warn, True, need=8))
        return parts

    def _slice(self, sheet: Sheet) -> list[Part]:
        """ "[ 0 , : , : , 3 ]" with the axes that are seen marked."""
        palette = self.palette
        parts = [Part("  slice", palette.mute, need=2), Part("  [", palette.text, need=7)]
        down = sheet.axes[0] if len(sheet.axes) == 2 else None
        for axis, index in enumerate(sheet.place):
            if axis:
                parts.append(Part(",", palette.text, need=7))
            if axis in sheet.axes:
                ground = palette.warn if axis == down else palette.good
                parts.append(Part(" : ", palette.on_ill, True, ground, need=7))
            elif axis == sheet.chosen or (sheet.chosen not in sheet.hidden and axis == sheet.hidden[0]):
                parts.append(Part(f"<{index}>", palette.bright, True, palette.cell, need=7))
            else:
                parts.append(Part(f" {index} ", palette.text, need=7))
        parts.append(Part("]", palette.text, need=7))
        if len(sheet.axes) == 2:
            parts.append(Part(f"  y=dim{sheet.axes[0]} x=dim{sheet.axes[1]}", palette.mute, need=5))
        return parts

    def _scale(self, grid: Grid, look: Look) -> list[Part]:
        """The shades of the map, from the largest negative to the largest positive size."""
        palette, limit = self.palette, grid.scale.limit
        if not limit:
            return [Part("  map", palette.mute, need=4)]
        end = short_number(limit)
        parts = [Part(f"  −{end} ", palette.mute, need=4)]
        for level in range(-LEVELS, LEVELS + 1, 3):
            if look.shades:
                parts.append(Part(map_text(level, self.glyphs), palette.text, need=3))
            else:
                parts.append(Part("  ", ground=map_colour(level, palette), need=3))
        return [*parts, Part(f" {end}", palette.mute, need=4)]

    def _cell(self, tensor: Tensor, sheet: Sheet, look: Look) -> list[Part]:
        palette = self.palette
        if not sheet.there:
            return [Part("  no elements", palette.mute, need=9)]
        value, place = sheet.value(), sheet.named()
        bad = bads(value.reshape(1))[0]
        colour = palette.nan if bad == NAN else palette.inf if bad else palette.bright
        dtype = tensor.view.spec.dtype
        how = look.how if look.how in ("hex", "bits") else "exact"
        parts = [
            Part(f"  cell {place_text(place)} = ", palette.mute, need=8),
            Part(value_text(value, dtype, how), colour, True, need=9),
        ]
        linked = linked_text(short(clean(self.op.node.op)), tensor, place)
        if linked:
            parts.append(Part("  ← ", palette.mute, need=6))
            parts.append(Part(linked, palette.warn, True, need=6))
        return parts
