"""The elements of one kept tensor: cells, a cursor in them, and all that is said of them."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.events import Click, Resize
from textual.geometry import Region
from textual.strip import Strip

from graphlens.categories import short
from graphlens.debugger import Stop
from graphlens.letters import spec_text
from graphlens.ops import command_to_see
from graphlens.session import Op
from graphlens.text import clean
from graphlens_tracers.errors import GraphlensError, UnknownOp
from graphlens_tracers.events import Seq
from graphlens_tui.boxes import Box
from graphlens_tui.cells import FORMATS
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.grid import Grid, Look
from graphlens_tui.held_tensors import look_held, operation_of
from graphlens_tui.messages import Looked, Said
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot
from graphlens_tui.sheet import Sheet
from graphlens_tui.stacking import Panel, stacked
from graphlens_tui.tensor_boxes import (
    DISTRIBUTION,
    bad_box,
    difference_box,
    histogram_box,
    statistics_box,
    statistics_lines,
    unkept_box,
)  # fmt: skip
from graphlens_tui.tensor_head import Head
from graphlens_tui.tensors import Absent, Key, Read, Tensor, Wanted, look, next_bad, sizes, spec_of
from graphlens_tui.widgets.bars import Parts

WIDE = 110
"""Columns from which statistics stand beside the cells."""


class TensorPane(Pane):
    """One output or input of one operation at a time."""

    TITLE: ClassVar[str] = "tensor"
    SLOT: ClassVar[Slot] = "tensor"
    HELP: ClassVar[str | None] = """\
The elements that were kept of an operation's output: record with --keep all, or
--keep step:A:B. The line above says what it is, which slice is seen, [<0>, :, :], and
what is under the cursor. Inputs stand below, with a cursor at the elements that belong
to it where shapes broadcast and the operation works element by element. Grounds are
shades of the size: blue negative, green positive; on the map each element is a square.
In a small terminal tab goes round the other frames. An expression is over x:
x[0].flip(1), torch.fft.rfft(x).abs(), np.isnan(x).sum(0)."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.op: Op | None = None
        self.held: Stop | None = None
        self.key: Key = (None, 0)
        self.expression = ""
        self.against: tuple[Seq, str] | None = None
        self.tensor: Tensor | None = None
        self.absent: Absent | None = None
        self.trouble = ""
        self.grid: Grid | None = None
        self.look = Look()
        self.difference_key = "D"
        self._grids: dict[int, Grid] = {}
        self._wanted: Wanted | None = None
        self._turned = 0
        self._stood: Sheet | None = None
        self._seen = (0, 0)
        self._cell_width = 1
        self._strips: list[Strip] | None = None
        self._moved = False
        self._drawn: dict[tuple[int, int], list[list[Segment]]] = {}

    # ── what is shown ────────────────────────────────────────────────────────────────────────

    def open(self, seq: Seq, key: Key = (None, 0)) -> None:
        """Show an output or input of an operation, as it is.

        Raises:
            UnknownOp: There is no such operation.
        """
        shown = self.model.shown
        if shown is None:
            raise UnknownOp("nothing was recorded")
        op, self.held = shown.process.op(seq), None
        if self.op is not None and op.node.node != self.op.node.node:
            self.against, self._turned, self._stood = None, 0, None
        self.op, self.expression = op, ""
        keys = self.keys()
        self.key = key if key in keys else keys[0] if keys else (None, 0)
        self._look()

    def close(self) -> None:
        """Show nothing: its process is not shown any more."""
        self.op = self.tensor = self.absent = self.grid = self.against = self._wanted = None

    def open_held(self, stop: Stop) -> bool:
        """Show an output of an operation that the script is held at, else an input; False without any."""
        self.held, self.op, self.expression, self.against = stop, operation_of(stop), "", None
        self._turned, self._stood = 0, None
        keys = self.keys()
        self.key = (*keys, (None, 0))[0]
        if keys:
            self._look()
        return bool(keys)

    def keys(self) -> list[Key]:
        """The outputs and inputs of the operation, in the order in which a key goes round them."""
        if self.op is None:
            return []
        outputs: list[Key] = [(None, slot) for slot in range(len(self.op.outputs))]
        return outputs + [(k, None) for k, (value, _) in enumerate(self.op.inputs) if value is not None]

    def other_part(self, by: int) -> None:
        """The next of the outputs and inputs."""
        keys = self.keys()
        if keys:
            self.key = keys[(keys.index(self.key) + by) % len(keys)]
            self.expression = ""
            self._look()

    def view(self, expression: str) -> None:
        """See what an expression makes of the tensor; "" for the tensor itself."""
        self._look(expression.strip())

    def hold_against(self, other: tuple[Seq, str] | None) -> None:
        """Say how it differs from the same of another operation; None: of the step before."""
        self.against = other
        self._look(self.expression)

    def _look(self, expression: str = "") -> None:
        """Read it, away from this thread."""
        shown, op = self.model.shown, self.op
        if op is None or (shown is None and self.held is None):
            return
        wanted = self._wanted = Wanted(op.seq, self.key, expression, self.against)
        if not expression and self._is_another(wanted):
            self.tensor = self.absent = self.grid = None
            self.trouble = ""
        self._repaint()
        process, held = None if shown is None else shown.process, self.held

        def read() -> None:
            try:
                for found in look_held(held, wanted) if held else look(process, wanted) if process else ():
                    self.post_message(Looked(wanted, found))
            except GraphlensError as error:
                self.post_message(Looked(wanted, None, str(error)))
            except Exception as error:  # whatever it is, the person has to read it, and the mode goes on
                self.post_message(Looked(wanted, None, clean(f"{type(error).__name__}: {error}", 300)))

        self.run_worker(read, thread=True, group="tensor", exclusive=True)

    def _is_another(self, wanted: Wanted) -> bool:
        before = self.tensor.wanted if self.tensor is not None else None
        return before is None or (before.seq, before.key) != (wanted.seq, wanted.key)

    def on_looked(self, event: Looked) -> None:
        """It was read, or more is known of it."""
        if event.wanted is not self._wanted:
            return
        event.stop()
        self.trouble = event.trouble
        if isinstance(event.found, Tensor):
            self._take(event.found)
        elif isinstance(event.found, Absent):
            self.tensor, self.grid, self.absent = None, None, event.found
        elif self.tensor is not None:  # what was seen before stays: the expression was no good
            self.trouble = ""
            self._wanted = self.tensor.wanted
            self.post_message(Said(event.trouble, wrong=True))
        self._repaint()

    def _take(self, tensor: Tensor) -> None:
        self.absent, self.expression = None, tensor.wanted.expression
        self._drawn.clear()
        known = self.tensor is not None and self.tensor.view is tensor.view
        self.tensor = tensor
        if known and self.grid is not None:
            self.grid.measured(tensor.statistics)
        else:
            self.grid = Grid(Sheet(tensor.view), tensor.statistics)
            if self._stood is not None:
                self.grid.sheet.keep_place(self._stood)
            self._stood = self.grid.sheet
        self._grids = {
            one.position: Grid(Sheet(one.elements), one.statistics, not one.why)
            for one in tensor.reads
            if one.elements is not None
        }

    def changed(self) -> None:
        """The run moved on: what was not kept yet may be there now."""
        if (
            self.absent is not None
            and self.op is not None
            and self.held is None
            and self.model.live
            and self.display
        ):
            shown = self.model.shown
            if shown is not None and tuple(shown.process.kept(self.op.seq)) != self.absent.here:
                self._look()

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        super().recolour(palette)
        self._drawn.clear()
        self._repaint()

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    @property
    def sheet(self) -> Sheet | None:
        """What the cursor is in."""
        return None if self.grid is None else self.grid.sheet

    @property
    def rows(self) -> int:
        """Rows that are seen at once."""
        return max(1, self._seen[0])

    def move(self, lines: int) -> None:
        """Down or up."""
        self.move_by(lines, 0)

    def move_to(self, *, end: bool) -> None:
        """To the first or last row."""
        if self.sheet is not None:
            self.move_by(self.sheet.rows if end else -self.sheet.rows, 0)

    def move_by(self, rows: int, columns: int) -> None:
        """By rows and columns."""
        if self.sheet is not None:
            self.sheet.move(rows, columns)
            if not self._moved:
                self._moved = True
                self.call_next(self._show_moved)

    def go_to_bad(self, *, forward: bool) -> str:
        """To the next element that is not finite; says why not."""
        if self.sheet is None or not self.sheet.there or self.tensor is None:
            return "there are no elements"
        found = next_bad(self.tensor.view, self.sheet.element, forward=forward)
        if found is None:
            return f"no NaN or infinity {'after' if forward else 'before'} this element"
        self.sheet.go_to_element(found)
        self._repaint()
        return ""

    def on_click(self, event: Click) -> None:
        """Put the cursor on a cell."""
        grid = self.grid
        if grid is None:
            return
        row = event.y - self._heads() - 2
        column = (event.x - 2 - grid.labels()) // self._cell_width
        if 0 <= row < self._seen[0] and 0 <= column < self._seen[1]:
            self.move_by(grid.top + row - grid.sheet.row, grid.left + column - grid.sheet.column)

    # ── the screen ───────────────────────────────────────────────────────────────────────────

    def turn(self, by: int) -> None:
        """Show other frames where there is no room for all."""
        self._turned += by
        self._repaint()

    def next_format(self) -> None:
        """The next format of numbers."""
        self.look.how = FORMATS[(FORMATS.index(self.look.how) + 1) % len(FORMATS)]
        self.look.heat = False
        self._repaint()

    def toggle_heat(self) -> None:
        """Numbers, or a map of their sizes."""
        self.look.heat = not self.look.heat
        self._repaint()

    def _show_moved(self) -> None:
        """Draw the lines that look otherwise now."""
        self._moved = False
        before, self._strips = self._strips, self._made()
        if before is None or len(before) != len(self._strips):
            self.refresh()
            return
        changed = [k for k, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, line, self.size.width, 1) for line in changed))

    def _repaint(self) -> None:
        self._strips = None
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """There is other room."""
        self._repaint()

    def render_line(self, y: int) -> Strip:
        """One line of the screen; the first one that is asked for makes them all."""
        if self._strips is None:
            self._strips = self._made()
        ground = style(self.palette.text, self.palette.ground)
        strip = self._strips[y] if y < len(self._strips) else Strip([])
        return strip.adjust_cell_length(self.size.width, ground)

    def _head_lines(self) -> list[Parts]:
        if self.op is None:
            return []
        head = Head(self.op, self.key, self.glyphs, self.palette)
        shown = self.model.shown
        there = shown is not None and self.held is None
        spec = spec_of(shown.process, self.op, self.key) if shown is not None and there else None
        return head.lines(self.tensor, spec, self.grid, self.look, self.size.width)

    def _heads(self) -> int:
        return len(self._head_lines())

    def _made(self) -> list[Strip]:
        width, height = self.size.width, self.size.height
        self.look.shades = self.glyphs.ascii or self.app.no_color
        heads = [bar.strip(width, self.glyphs, self.palette) for bar in self._head_lines()]
        room = max(0, height - len(heads))
        if self.tensor is None or self.grid is None:
            lines = stacked(
                [Panel(self._nothing, 3, room, room)], room, lambda: self._box(width), width
            ).lines
        elif width >= WIDE:
            side = 40 if width < 150 else 48 if width < 190 else 60
            left = stacked(self._cells(room, True), room, lambda: self._box(width - side), width - side)
            right = stacked(self._facts(side), room, lambda: self._box(side), side)
            lines = [a + b for a, b in zip(left.lines, right.lines, strict=True)]
        else:
            first, *rest = self._cells(room, False)
            facts = self._facts(width)
            rest = self._rotated([*rest, facts[1], facts[0], facts[2], self._distribution()])
            lines = stacked([first, *rest], room, lambda: self._box(width), width).lines
        return heads + [Strip(line) for line in lines]

    def _box(self, width: int) -> Box:
        return Box(max(4, width - 4), self.glyphs, self.palette)

    def _rotated(self, panels: list[Panel]) -> list[Panel]:
        by = self._turned % len(panels) if panels else 0
        return panels[by:] + panels[:by]

    def _cells(self, room: int, histogram: bool) -> list[Panel]:
        """The cells, those of the inputs, and the distribution."""
        assert self.grid is not None and self.tensor is not None, "there is a tensor"
        high = 3 + self.grid.sheet.rows
        least = 6 if histogram else max(6, room // 2)
        panels = [Panel(self._values, min(high, least), min(high, room // 2), high)]
        reads = [self._read_panel(read) for read in self.tensor.reads]
        if histogram:
            shown = self._distribution()
            return [panels[0], *self._rotated(reads), shown]
        return panels + reads

    def _read_panel(self, read: Read) -> Panel:
        grid = self._grids.get(read.position)
        high = 3 if grid is None else 3 + grid.sheet.rows

        def fill(box: Box, height: int) -> None:
            self._read_box(read, grid, box, height)

        return Panel(fill, min(high, 5), min(high, 8), high)

    def _distribution(self) -> Panel:
        def fill(box: Box, height: int) -> None:
            assert self.tensor is not None, "there is a tensor"
            size = box.width, height
            if size not in self._drawn:
                histogram_box(self.tensor, self._step_name(), box, height)
                self._drawn[size] = box.lines
            box.title, box.lines = DISTRIBUTION, list(self._drawn[size])

        return Panel(fill, 7, 10, 10_000)

    def _facts(self, width: int) -> list[Panel]:
        """Statistics, what is not finite, and the difference, in frames of so many cells."""
        tensor, sheet = self.tensor, self.sheet
        assert tensor is not None and sheet is not None, "there is a tensor"
        here = sheet.named() if sheet.there else ()
        many = 1 if tensor.bad is None else min(tensor.bad.count, 1000) + 3
        name = self._step_name()
        high = 2 + statistics_lines(tensor.statistics, width - 4)
        difference = 6 + sum(read.scale is not None for read in tensor.reads)

        def measures(box: Box, height: int) -> None:
            statistics_box(tensor, name, box)

        def bad(box: Box, height: int) -> None:
            bad_box(tensor, here, box, height)

        def apart(box: Box, height: int) -> None:
            difference_box(tensor, self.difference_key, box)

        return [
            Panel(measures, high, high, high),
            Panel(bad, min(5, many + 2), min(10, many + 2), many + 2),
            Panel(apart, 5, difference, difference),
        ]

    def _step_name(self) -> str:
        call = None if self.op is None else self.op.call
        return "this" if call is None or call.step is None else f"step {call.step}"

    # ── frames ───────────────────────────────────────────────────────────────────────────────

    def _nothing(self, box: Box, height: int) -> None:
        palette = self.palette
        box.title = "tensor"
        if self.trouble:
            box.hue = palette.nan
            box.text("", self.trouble, palette.nan)
        elif self.absent is not None and self.op is not None:
            self._unkept(self.absent, self.op, box)
        else:
            box.line(("reading…", palette.warn))

    def _unkept(self, absent: Absent, op: Op, box: Box) -> None:
        position, slot = self.key
        box.title = f"output {slot}" if slot is not None else f"input {position}"
        output = op.outputs[slot] if slot is not None and slot < len(op.outputs) else None
        process = self.model.process()
        words = "" if process is None else clean(command_to_see(process, op), 300)
        argv = " ".join(self.model.session.run.info.argv)
        hints = []
        if absent.here:
            names = ", ".join(_key_name(key) for key in absent.here)
            hints.append(f"Of this operation there are: {names}.")
        if absent.elsewhere is not None:
            hints.append(f"It was kept in {absent.elsewhere[1]}: op #{absent.elsewhere[0]}.")
        unkept_box(output, f"graphlens {words} {clean(argv, 300)}", hints, box)

    def _values(self, box: Box, height: int) -> None:
        assert self.grid is not None and self.tensor is not None, "there is a tensor"
        view, expression = self.tensor.view, self.tensor.wanted.expression
        box.title = "values"
        if expression:
            box.title = f"x → {clean(expression, 100)}"
        if self.tensor.kept_with is not None:
            box.title += f", kept with #{self.tensor.kept_with}"
        if not view.whole:
            first, last = view.place(0), view.place(max(0, view.array.size - 1))
            box.title += f": a part, {list(first)} to {list(last)}"
        box.hue = self.palette.accent
        self._seen = self.grid.fill(box, self.look, height - 1)
        self._cell_width = self.grid.width(self.look, box.width - self.grid.labels())

    def _read_box(self, read: Read, grid: Grid | None, box: Box, height: int) -> None:
        box.title = f"input {read.position}: {self._input_name(read)}"
        if grid is None or self.tensor is None or self.sheet is None:
            why = read.why or "was not kept"
            spec = "" if read.spec is None else f"{clean(spec_text(read.spec))}  "
            box.line((spec, self.palette.mute), (why, self.palette.warn))
            return
        place = read.at(sizes(self.tensor.view.spec), self.sheet.named()) if self.sheet.there else None
        linked = place is not None and grid.sheet.go_to(place)
        grid.linked = linked
        box.title += f" {clean(spec_text(grid.sheet.elements.spec))}"
        if len(grid.sheet.axes) == 2 and len(self.sheet.axes) == 2 and linked:
            self._same_axes(grid.sheet)
        box.title += (
            " — cursor linked" if linked else f" — not linked: {read.why or 'that part was not kept'}"
        ) * self.sheet.there
        grid.fill(box, self.look, height - 1)

    def _same_axes(self, sheet: Sheet) -> None:
        """The axes of an input that belong to those that are seen."""
        assert self.sheet is not None, "there is one"
        less = self.sheet.array.ndim - sheet.array.ndim
        axes = tuple(axis - less for axis in self.sheet.axes)
        if min(axes) >= 0:
            sheet.axes = axes

    def _input_name(self, read: Read) -> str:
        assert self.op is not None and self.model.shown is not None, "there is an operation"
        process = self.model.shown.process
        value = self.op.inputs[read.position][0]
        leaf = None if value is None else process.leaves.get(value)
        if leaf is not None:
            return clean(leaf.name) or leaf.kind
        if read.maker is None:
            return f"value {value}"
        return f"#{read.maker} {short(clean(process.op(read.maker).node.op))}"


def _key_name(key: Key) -> str:
    return f"output {key[1]}" if key[1] is not None else f"input {key[0]}"


PANE = TensorPane
"""For `panes()`."""
