"""Where the script is held: its source, what has run, tensors, stacks, breakpoints, and what it printed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from textual.events import Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import Seq
from graphlens_tui.boxes import Box
from graphlens_tui.details import of_operation
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.held import SECTIONS, Held
from graphlens_tui.model import Model, Shown
from graphlens_tui.paint import elided
from graphlens_tui.palette import Palette, style
from graphlens_tui.panes import Pane, Slot
from graphlens_tui.screen import Printed
from graphlens_tui.source import Sources
from graphlens_tui.stacking import Fill, Panel, stacked
from graphlens_tui.step_boxes import answers_box, breakpoints_box, output_box, stack_box, tensors_box
from graphlens_tui.step_lanes import LanesView
from graphlens_tui.step_source import Cuts, Files, Results, SourceView, fill_source

WIDE = 120
"""Columns from which tensors, stack and breakpoints stand beside the source."""


@dataclass
class StepMoved(Message):
    """Another operation is looked at; or another frame of the stack."""

    frame: bool = False


class StepPane(Pane):
    """All frames of the mode; the app puts what is held into `held`, and says `changed`.

    Attributes:
        printed: What the script printed.
        keys: What makes a breakpoint, and a watch.
    """

    TITLE: ClassVar[str] = "step"
    SLOT: ClassVar[Slot] = "step"
    HELP: ClassVar[str | None] = """\
The script is held before the operation that ▶ marks: it has not run yet. s runs it and
stops at the next, n at the next of this module, u after this module, c at the next
breakpoint. N S U C go the same ways back in what was recorded: the script stays held.
At the end of each line stands what it computed. tab goes round the frames: in the
source j and k move a line, in the execution an operation, in the stack a frame.
A run that is over can be gone through in the same way."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.held = Held()
        self.printed = Printed()
        self.keys: tuple[str, str] = ("b", "w")
        self._lanes = LanesView()
        self._files = Files(model)
        self._results = Results()
        self._cuts = Cuts()
        self._sources: Sources | None = None
        self._strips: list[Strip] | None = None
        self._kept: dict[str, tuple[tuple[int, int], Box]] = {}
        self._comparing = False
        self._heights = {"source": 1, "execution": 1}

    # ── what is looked at ────────────────────────────────────────────────────────────────────

    def shown(self) -> Shown | None:
        """The process that is shown, if it is the one that is held."""
        shown, said = self.model.shown, self.held.said
        if shown is not None and said is not None and shown.process.pid != said["pid"]:
            return None
        return shown

    def at(self) -> Seq | None:
        """The operation of the record that is looked at; None for where it is held."""
        held, shown = self.held, self.shown()
        if held.back is not None or held.said is not None or shown is None or not shown.timeline.end:
            return held.back
        return Seq(shown.timeline.end - 1)

    def current(self) -> tuple[str, int, bool] | None:
        """(file, line, whether it is that of the forward operation) of what is looked at."""
        held, at, shown = self.held, self.at(), self.shown()
        if at is None:
            where, said = held.where(), held.said
            forward = said is not None and held.frame == 0 and "file" in (said.get("forward") or {})
            return None if where is None else (*where, forward)
        try:
            op = None if shown is None else shown.process.op(at)
        except UnknownOp:
            return None
        if op is None or op.site is None:
            return None
        return op.site.file, op.site.line, op.node.twin is not None

    def cursor(self) -> tuple[str, int] | None:
        """The (file, line) that the cursor in the source is on."""
        if self.held.line is not None:
            return self.held.line
        current = self.current()
        return None if current is None else current[:2]

    def wide(self) -> bool:
        """Whether there is room for everything at once."""
        return self.size.width >= WIDE

    def sections(self) -> tuple[str, ...]:
        """What `tab` goes round now."""
        empty = {"answers": not (self.held.answers or self.held.changes)}
        return tuple(one for one in SECTIONS if not empty.get(one))

    def turn(self, by: int) -> None:
        """The cursor goes to the next frame."""
        held, sections = self.held, self.sections()
        at = sections.index(held.section) if held.section in sections else 0
        self.open(sections[(at + by) % len(sections)])

    def open(self, section: str) -> None:
        """The cursor goes to a frame."""
        self.held.section = section
        if section != "source":
            self.held.other = section
        self.held.chosen = self.held.frame if section == "stack" else 0
        self.changed()

    def move(self, lines: int) -> None:
        """Down or up, in the frame that the cursor is in."""
        held = self.held
        if held.section == "source":
            here = self.cursor()
            if here is not None:
                held.line = (here[0], max(1, here[1] + lines))
        elif held.section == "breakpoints":
            held.chosen = max(0, min(held.chosen + lines, len(held.breakpoints) - 1))
        elif held.section == "stack" and held.said is not None:
            held.frame = max(0, min(held.frame + lines, len(held.said["stack"]) - 1))
            held.locals, held.line, held.back = None, None, None
            self.post_message(StepMoved(frame=True))
        elif held.section == "execution":
            self._move_operation(lines)
        self.changed()

    def _move_operation(self, lines: int) -> None:
        held, shown = self.held, self.shown()
        if shown is None or not shown.timeline.end or (self.model.live and held.said is None):
            return
        end = shown.timeline.end
        at = end if held.back is None and held.said is not None else self.at()
        target = max(0, (end - 1 if at is None else at) + lines)
        held.back = Seq(min(target, end - 1)) if held.said is None or target < end else None
        held.line = None
        self.post_message(StepMoved())

    def move_to(self, *, end: bool) -> None:
        """To the first line, or to the last."""
        self.move(1_000_000 if end else -1_000_000)

    @property
    def rows(self) -> int:
        """Lines of the frame that the cursor is in."""
        return max(1, self._heights.get(self.held.section, 10))

    # ── the screen ───────────────────────────────────────────────────────────────────────────

    def changed(self, section: str = "") -> None:
        """Something else is to be seen; `section`: in that frame, and in no other."""
        if section:
            self._kept.pop(section, None)
            self._kept.pop("tabs", None)
        else:
            self._kept.clear()
        if not self.is_on_screen:
            self._strips = None
        elif not self._comparing:
            self._comparing = True
            self.call_next(self._compare)

    def _compare(self) -> None:
        """Make the lines anew, and paint those that are not as they were: at a stop most of them are."""
        self._comparing = False
        before = self._strips
        if before is None or not self.is_on_screen:
            self._strips = None
            self.refresh()
            return
        self._strips = now = self._made()
        rows = [y for y in range(max(len(now), len(before))) if now[y : y + 1] != before[y : y + 1]]
        if rows:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in rows))

    def recolour(self, palette: Palette) -> None:
        """Use these colours."""
        self._lanes.recolour(palette)
        self._strips = None
        super().recolour(palette)

    def on_resize(self, event: Resize) -> None:
        """There is other room."""
        self._strips = None
        self.changed()

    def render_line(self, y: int) -> Strip:
        """One line of the screen; the first one that is asked for makes them all."""
        if self._strips is None:
            self._strips = self._made()
        ground = style(self.palette.text, self.palette.ground)
        strip = self._strips[y] if y < len(self._strips) else Strip([])
        return strip.adjust_cell_length(self.size.width, ground)

    def _made(self) -> list[Strip]:
        width, height = self.size.width, self.size.height
        if width < 8 or height < 4:
            return []
        if not self.wide():
            top = max(5, height * 9 // 20)
            panels = [
                Panel(self._once("source", self._source), 5, top, top),
                Panel(self._once("tabs", self._tabs), 4, height - top, height),
            ]
            return [Strip(line) for line in stacked(panels, height, lambda: self._box(width), width).lines]
        side = width * 2 // 5
        top = max(5, height * 11 // 20)
        panels = [
            Panel(self._once("source", self._source), 5, top, top),
            Panel(self._once("execution", self._execution), 5, height - top, height),
        ]
        left = stacked(panels, height, lambda: self._box(width - side), width - side)
        right = stacked(self._side(height), height, lambda: self._box(side), side)
        return [Strip([*a, *b]) for a, b in zip(left.lines, right.lines, strict=True)]

    def _box(self, width: int) -> Box:
        return Box(max(4, width - 4), self.glyphs, self.palette)

    def _once(self, section: str, fill: Fill) -> Fill:
        """The same, but what has not changed since the last time is not made again."""

        def put(box: Box, height: int) -> None:
            room = box.width, height
            kept = self._kept.get(section)
            if kept is None or kept[0] != room:
                fill(box, height)
                self._kept[section] = room, replace(box, lines=list(box.lines))
            else:
                box.lines, box.title, box.hue = list(kept[1].lines), kept[1].title, kept[1].hue

        return put

    def _side(self, height: int) -> list[Panel]:
        held, said = self.held, self.held.said
        tensors = 10 if said is None else 4 + 2 * len(said["inputs"]) + 2 * len(said["outputs"])
        tensors = max(6, min(tensors, height // 3)) if self.at() is None else height // 2
        stack = 4 if said is None else 6 + len(said["stack"]) + len(held.locals or ())
        stack = min(stack, height // 3)
        breaks = min(2 + max(1, len(held.breakpoints)), height // 4)
        found = [
            Panel(self._once("tensors", self._tensors), 5, tensors, tensors),
            Panel(self._once("stack", self._stack), 5, stack, stack),
            Panel(self._once("breakpoints", self._breakpoints), 3, breaks, breaks),
        ]
        if held.answers or held.changes:
            asked = 2 + min(len(held.answers) + min(4, len(held.changes)), max(6, height // 4))
            found.append(Panel(self._once("answers", self._answers), 4, asked, asked))
        return [*found, Panel(self._once("output", self._output), 3, 6, height)]

    def _tabs(self, box: Box, height: int) -> None:
        """One of the frames for which there is no room beside the source."""
        fills = {"execution": self._execution, "tensors": self._tensors, "stack": self._stack,
                 "breakpoints": self._breakpoints, "answers": self._answers,
                 "output": self._output}  # fmt: skip
        name = self.held.other if self.held.other in self.sections() else "execution"
        fills[name](box, height)
        names = {"breakpoints": "break", "answers": "asked"}
        tabs = [one for one in self.sections() if one != "source"]
        marked = [f"[{names.get(one, one)}]" if one == name else names.get(one, one) for one in tabs]
        box.title = " ".join(marked)

    def _active(self, section: str, box: Box) -> bool:
        """Whether the cursor is in a frame; its title says so."""
        active = self.held.section == section
        box.hue = self.palette.accent if active else self.palette.mute
        return active

    def _source(self, box: Box, height: int) -> None:
        active = self._active("source", box)
        if active:
            box.hue = self.palette.bright
        current, cursor = self.current(), self.cursor()
        self._heights["source"] = height
        if cursor is None:
            box.title = "source"
            waits = (
                "waiting for the first operation" if self.model.live else "no source line is known of this"
            )
            box.line((waits, self.palette.faint))
            return
        file = cursor[0]
        lines = self._files.lines(file, box)
        if lines is not None and cursor[1] > len(lines):
            self.held.line = cursor = (file, max(1, len(lines)))
        backward = current is not None and current[2]
        more = " — of the forward operation" if backward else ""
        name = elided(self._files.shown(file), max(8, box.width - 4 - len(more)), "…", left=True)
        box.title = name + more
        line = current[1] if current is not None and current[0] == file else 0
        shown = self.shown()
        at = self.at()
        end = 0 if shown is None else shown.timeline.end if at is None else at + 1
        results = {} if shown is None else self._results.of(shown, end)
        view = SourceView(file, line, cursor[1], backward)
        fill_source(view, lines, results, self._cuts, self.held.breakpoints, box, height)

    def _execution(self, box: Box, height: int) -> None:
        active = self._active("execution", box)
        self._heights["execution"] = height
        held = self.held
        self._lanes.fill(
            self.shown(), held.said, self.at(), held.breakpoints, self.model.ill, self.model.live,
            active, box, height,
        )  # fmt: skip

    def _tensors(self, box: Box, height: int) -> None:
        at, said = self.at(), self.held.said
        if at is None and said is not None:
            tensors_box(said, box, height)
        else:
            box.title = "tensors" if at is None else f"as recorded: #{at}"
            self._recorded(at, box)
        self._active("tensors", box)

    def _recorded(self, at: Seq | None, box: Box) -> None:
        """What was recorded of an operation."""
        shown = self.shown()
        if shown is None or at is None:
            box.line(("nothing has run yet", self.palette.faint))
            return
        if self._sources is None:
            self._sources = Sources(shown.process, self.model.session.run.info.cwd)
        try:
            of_operation(self.model, shown, self._sources, at, box, around=-1)
        except UnknownOp as error:
            box.line((str(error), self.palette.warn))

    def _stack(self, box: Box, height: int) -> None:
        active, said = self._active("stack", box), self.held.said
        if said is None:
            box.title = "stack"
            text = "the script runs" if self.model.live else "the run is over"
            box.line((text, self.palette.faint))
            return
        stack_box(said, self.held, self.model.session.run.info.cwd, active, box, height)

    def _breakpoints(self, box: Box, height: int) -> None:
        active, held = self._active("breakpoints", box), self.held
        why = "" if held.said is None else str(held.said["why"])
        breakpoints_box(held.breakpoints, why, held.chosen if active else None, box, self.keys)

    def _answers(self, box: Box, height: int) -> None:
        self._active("answers", box)
        answers_box(self.held, box, height)

    def _output(self, box: Box, height: int) -> None:
        self._active("output", box)
        output_box(self.printed, box, height)


PANE = StepPane
