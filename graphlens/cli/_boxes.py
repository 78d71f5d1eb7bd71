"""`graphlens show RUN boxes`: the chart of a step, as the terminal UI draws it, as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphlens.chart import Folds
from graphlens.process import Process
from graphlens.processes import Who
from graphlens.session import Run
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp, Usage
from graphlens_tui.box_paint import BoxPainter, text_of
from graphlens_tui.charting import Calls, Drawn, Zoom, drawn, place_of, snapshot
from graphlens_tui.decoded import Decoded, Ill
from graphlens_tui.glyphs import chosen
from graphlens_tui.palette import DARK
from graphlens_tui.timeline import Timeline

Answer = dict[str, Any]  # Any: JSON


def boxes_answer(run: Run, whos: list[Who], which: str | None) -> Answer:
    """The chart of the step or function that an operation is in; without one, that where it first went
    wrong, else of the first. Raises Usage for what is no number, UnknownOp where there is no graph."""
    process: Process = whos[0].process
    timeline = Timeline(process)
    timeline.update()
    ill = Ill.of(process)
    first = ill.after(-1)
    if which is not None and not which.isdecimal():
        raise Usage(f"`show RUN boxes` takes the number of an op: {clean(which)!r}")
    seq = int(which) if which is not None else first if first is not None else _first(timeline)
    found = place_of(timeline, seq)
    if found is None:
        raise UnknownOp(f"op {seq} is in no graph that was recorded")
    stretch, position, call = found
    born = ill.after(int(call.first) - 1)
    place = None if born is None or born > call.last else timeline.position(born)
    focus = [position] + ([place[1]] if place is not None and place[0] == call.graph else [])
    taken = snapshot(process, timeline, call, Folds(focus=tuple(focus)), Zoom.WIDE, live=False)
    glyphs = chosen()
    known = drawn(taken, glyphs)
    calls = Calls(known, timeline, Decoded(process), ill, stretch)
    painter = BoxPainter(known, calls, glyphs, DARK)
    width = known.canvas.width
    return {
        "graph": int(call.graph),
        "name": timeline.graph_name(call.graph),
        "call": int(call.call),
        "step": call.step,
        "ops": len(known.chart.of),
        "folded": known.chart.folded,
        "hidden": known.chart.hidden,
        "width": width,
        "height": known.canvas.height,
        "boxes": [_box(known, calls, box) for box in range(len(known.chart.boxes))],
        "edges": [{"from": source, "to": target} for source, target in known.chart.edges],
        "canvas": text_of(painter.row(y, 0, width) for y in range(known.canvas.height)),
    }


def _first(timeline: Timeline) -> int:
    """The first operation that is in a graph."""
    return next((first for first, _, graph, _ in timeline.pieces() if graph >= 0), 0)


def _box(known: Drawn, calls: Calls, box: int) -> Answer:
    one, label, place = known.chart.boxes[box], known.labels[box], known.canvas.places[box]
    ops = [calls.seq(position) for position in [*range(one.start, one.stop), *one.hidden]]
    health = calls.health(box)
    return {
        "name": label.name,
        "kind": one.span.kind if one.span is not None else None,
        "folded": bool(one.key),
        "ops": sorted(seq for seq in ops if seq is not None),
        "shape": label.shape,
        "health": health.ill or health.glyph,
        "born": calls.born(box),
        "x": place.x,
        "y": place.y,
        "width": place.width,
        "height": place.height,
    }


def text_lines(answer: Answer) -> Iterator[str]:
    """What is seen, and the canvas."""
    said = [f"{clean(answer['name'])}", f"{len(answer['boxes']):,} boxes of {answer['ops']:,} ops"]
    if answer["folded"]:
        said.append(f"{answer['folded']:,} folded to keep it small")
    if answer["hidden"]:
        said.append(f"{answer['hidden']:,} plumbing hidden")
    yield " · ".join(said)
    yield ""
    yield from answer["canvas"]
