"""What the status line says in the Step mode: why it stopped, and where."""

from __future__ import annotations

from graphlens.session import RunState
from graphlens.text import clean
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.events import Seq
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.held import Held
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette
from graphlens_tui.widgets.bars import Part, Parts

REASONS = {
    "start": "at its first operation", "step": "one operation on", "over": "the next of this module",
    "out": "out of the module", "line": "the next line", "phase": "another phase",
    "training-step": "the next training step",
    "non-finite": "it made a NaN or an infinity", "after": "it has just run",
    "at": "the operation asked for", "pause": "paused",
}  # fmt: skip


def reason(why: str, breakpoints: list[Breakpoint]) -> str:
    """Why it stopped, in words."""
    if why.startswith("breakpoint "):
        number = why.removeprefix("breakpoint ")
        one = next((one for one in breakpoints if str(one.number) == number), None)
        if one is None:
            return why
        return f"watch {number}: {one.condition}" if one.kind == "any" else f"breakpoint {number}: {one}"
    return REASONS.get(why, why)


def step_status(
    model: Model, held: Held, at: Seq | None, note: Part | None, glyphs: Glyphs, palette: Palette
) -> Parts:
    """Why it is held and where; or that it runs, or what is looked back at."""
    right = [] if note is None else [note, Part(" ")]
    said = held.said
    if said is None:
        if held.pausing:
            left = [Part(f" {glyphs.running} pausing ", palette.on_ill, True, palette.warn, need=9),
                    Part("  until its next operation: a long one, or a sleep, has to end first",
                         palette.text, need=6)]  # fmt: skip
        elif model.session.state is RunState.RUNNING:
            left = [Part(f" {glyphs.running} running ", palette.good, True, need=9),
                    Part("  p stops it at its next operation", palette.mute, need=5)]  # fmt: skip
        else:
            text = "the run is over" if at is None else f"in the record, at op {at}"
            left = [Part(f" {text} ", palette.text, True, need=9),
                    Part("  s n u c go on in it, S N U C back", palette.mute, need=4)]  # fmt: skip
        return Parts(left, right)
    if held.back is not None:
        left = [
            Part(" looking back ", palette.on_accent, True, palette.accent, need=9),
            Part(f" at op {held.back}; ", palette.bright, True, need=9),
            Part(f"the script is held at {said['seq']}", palette.warn, True, need=8),
        ]
        return Parts(left, right)
    step = "" if said["step"] is None else f"step {said['step']} · "
    many = 0 if held.prompt is None else len(held.prompt.debugger.stops) - 1
    left = [
        Part(f" {glyphs.stopped} stopped ", palette.on_ill, True, palette.warn, need=9),
        Part(f" {clean(reason(str(said['why']), held.breakpoints), 120)}", palette.warn, True, need=7),
        Part(f"  {said['when']} op #{said['seq']} {clean(str(said['op']), 60)}", palette.text, need=8),
        Part(f"   {step}{said['phase']}", palette.mute, need=5),
    ]
    if said["module"]:
        left.append(Part(f"   {clean(str(said['module']), 60)}", palette.mute, need=3))
    if many > 0:
        left.append(Part(f"   and {many} more held", palette.warn, True, need=6))
    return Parts(left, right)
