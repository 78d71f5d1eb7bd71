"""The frames of the Step mode beside the source: tensors, stacks, breakpoints, answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from rich.segment import Segment

from graphlens.letters import spec_text
from graphlens.text import clean, clean_line
from graphlens_tracers.control import Breakpoint
from graphlens_tui import words
from graphlens_tui.boxes import Box
from graphlens_tui.held import Held, Said, output_of
from graphlens_tui.paint import classes, elided, sized
from graphlens_tui.palette import style
from graphlens_tui.screen import Printed

NARROW = 44
"""Cells below which a tensor takes a line less wide."""


def tensors_box(said: Said, box: Box, height: int) -> None:
    """What goes into the operation, and what came out of it."""
    palette = box.palette
    after = said["when"] == "after"
    box.title = f"tensors of #{said['seq']} {clean(said['op'])}"
    rows = [(f"in{k}", one) for k, one in enumerate(said["inputs"])]
    rows += [(f"out{k}", one) for k, one in enumerate(said["outputs"])]
    specs = [clean(spec_text(output_of(one).spec)) for _, one in rows if one]
    wide = min(22, max((len(text) for text in specs), default=8) + 1)
    for name, one in rows:
        _tensor(name, one, wide, box)
    if not rows:
        box.line(("it reads no tensor", palette.faint))
    if not after:
        box.line(("out  ", palette.mute), ("it has not run yet: ", palette.faint),
                 (".", palette.warn, "bold"), (" runs it and stops", palette.faint))  # fmt: skip
    elif said["outputs"]:
        box.line(("as of this call: it has just run", palette.faint, "italic"))


def _tensor(name: str, tensor: Said | None, wide: int, box: Box) -> None:
    palette, glyphs = box.palette, box.glyphs
    if tensor is None:
        box.line((f"{name:<6}", palette.mute), ("no tensor", palette.faint))
        return
    output = output_of(tensor)
    numbers = words.values(output) if output.looked_at else clean(str(tensor.get("unread", "")))
    ill = output.finite is False
    hue = palette.text if not ill else palette.nan if tensor.get("nan") else palette.inf
    mark = glyphs.none if not output.looked_at else glyphs.nan if ill and tensor.get("nan") else (
        glyphs.inf if ill else glyphs.fine)  # fmt: skip
    who = clean(str(tensor.get("name") or ""))
    room = max(0, box.width - 6 - wide - 2 - 12 - 20)
    signs: list[tuple[str, str] | tuple[str, str, str]] = []
    if box.width >= NARROW:
        for there, glyph, colour in zip(
            classes(output), glyphs.classes, (*palette.signs, palette.inf, palette.nan), strict=True
        ):
            text = glyphs.unknown if there is None and output.looked_at else glyph if there else glyphs.absent
            signs.append((text * 2, colour if there else palette.faint))
        signs.append((" ", palette.mute))
    named = [(sized(elided(who, room - 1, glyphs.text("…"), left=True), room), palette.bright)] * (room > 8)
    box.line(
        (f"{name:<6}", palette.mute), (f"{mark} ", hue, "bold"), *named,
        (sized(elided(clean(spec_text(output.spec)), wide - 1, glyphs.text("…")), wide), palette.mute),
        *signs, (numbers, hue, "bold" if ill else ""),
    )  # fmt: skip
    if ill and output.where:
        places = " ".join(f"[{','.join(map(str, place))}]" for place in output.where[:4])
        many = sum(int(tensor.get(key) or 0) for key in ("nan", "pos_inf", "neg_inf"))
        more = f" {glyphs.text('…')}{many - 4:,} more" if many > 4 else ""
        box.line((" " * 6, palette.mute), (f"at {places}{more}", hue))


def stack_box(said: Said, held: Held, cwd: str, active: bool, box: Box, height: int) -> None:
    """Python's frames, then modules, the graph, and the frame's variables."""
    palette, glyphs = box.palette, box.glyphs
    box.title = "stack"
    stack = said["stack"]
    names = [clean(str(frame["function"])).removeprefix("<").removesuffix(">") for frame in stack]
    wide = min(box.width // 3, max((len(name) for name in names), default=4) + 2)
    folder = cwd.rstrip("/") + "/"
    for k, frame in enumerate(stack):
        here = k == held.frame
        file = str(frame["file"]).removeprefix(folder)
        place = f"{clean(PurePath(file).name if box.width < 60 else file)}:{frame['line']}"
        mark = glyphs.here if here else " "
        name = sized(elided(names[k], wide - 1, glyphs.text("…")), wide)
        box.line(
            (f"{mark} ", palette.warn if active else palette.mute, "bold"),
            (name, palette.bright if here else palette.text, "bold" if here else ""),
            (f"{place}  ", palette.accent), (clean_line(str(frame["code"])), palette.mute),
        )  # fmt: skip
    if not stack:
        box.line(("no frame of yours: a library runs", palette.faint))
    modules = [clean(str(path)) for path in said["modules"]]
    inner = [path.rpartition(".")[2] if k else path for k, path in enumerate(modules)]
    box.line(("module ", palette.mute), (glyphs.path.join(inner) or "(none)", palette.text))
    step = "" if said["step"] is None else f"step {said['step']} · "
    graph = f" · {clean(str(said['graph']))}" if said["graph"] else ""
    iterations = [one["iteration"] for one in said.get("graphs", ()) if one["iteration"] is not None]
    graph += f" · iteration {iterations[-1]}" if iterations else ""
    box.line(("graph  ", palette.mute), (f"{step}{said['phase']}{graph}", palette.text),
             (f"   {clean(str(said['thread']))}, process {said['pid']}", palette.faint))  # fmt: skip
    forward = said.get("forward")
    if forward:
        where = (
            f"  {clean(PurePath(str(forward['file'])).name)}:{forward['line']}" if "file" in forward else ""
        )
        box.line(
            ("of     ", palette.mute), (clean(str(forward["op"])), palette.text), (where, palette.accent)
        )
    for name, value in (held.locals or {}).items():
        box.line((f"{clean(name, 30)} ", palette.bright), (f"= {clean(value, 300)}", palette.mute))


def breakpoints_box(
    breakpoints: Sequence[Breakpoint], why: str, chosen: int | None, box: Box, keys: tuple[str, str]
) -> None:
    """Where it is to stop, and how often it did."""
    palette, glyphs = box.palette, box.glyphs
    box.title = "break / watch"
    for k, one in enumerate(breakpoints):
        watch = one.kind == "any"
        mark = glyphs.none if not one.enabled else glyphs.marked if watch else glyphs.fine
        hit = why == f"breakpoint {one.number}"
        hits = (
            "off"
            if not one.enabled
            else f"HIT {one.hits}"
            if hit
            else f"hits {one.hits}"
            if one.hits
            else "—"
        )
        text = clean(one.condition if watch else str(one)) + (" once" if one.temporary else "")
        room = max(8, box.width - 16)
        text = sized(elided(text, room - 1, glyphs.text("…")), room)
        hue = palette.mute if not one.enabled else palette.lanes[0] if watch else palette.nan
        box.line(
            (f"{glyphs.here} " if k == chosen else "  ", palette.warn, "bold"), (f"{mark} ", hue),
            (f"{one.number:<3}", palette.faint),
            (text, palette.text if one.enabled else palette.faint),
            (hits, palette.inf if hit else palette.mute, "bold" if hit else ""),
        )  # fmt: skip
    if not breakpoints:
        box.line((keys[0], palette.warn, "bold"), (" stops at this line or operation   ", palette.faint),
                 (keys[1], palette.warn, "bold"), (" watches for NaN or a rule", palette.faint))  # fmt: skip


def answers_box(held: Held, box: Box, height: int) -> None:
    """What was asked, what came of it, and what was changed by hand."""
    palette = box.palette
    box.title = "asked"
    changes = held.changes
    for seq, which, text in changes[-3:]:
        box.line(("changed ", palette.warn, "bold"), (f"#{seq} {which} = {clean(text, 200)}", palette.text))
    if len(changes) > 3:
        box.line((f"and {len(changes) - 3} changes before", palette.faint))
    room = max(0, height - len(box.lines))
    colours = {"asked": palette.accent, "": palette.text, "wrong": palette.nan}
    for text, kind in held.answers[-room:] if room else ():
        box.line(("› " if kind == "asked" else "  ", palette.mute), (text, colours[kind]))


def output_box(printed: Printed, box: Box, height: int) -> None:
    """The last lines that the script printed."""
    box.title = "output"
    ground = style(box.palette.text, box.palette.ground)
    rows = [row for row in printed.rows if row.text] if len(printed) < 400 else list(printed.rows)[-height:]
    for row in rows[-height:]:
        left, line = box.width, []
        for text, look in row.pieces():
            cut = elided(box.glyphs.text(text), left, box.glyphs.text("…"))
            left -= len(cut)
            line.append(Segment(cut, ground + look))
            if left <= 0:
                break
        box.lines.append(line)
    if not rows:
        box.line(("nothing printed yet", box.palette.faint))
