"""A view placed by Graphviz' `dot`, for who asks for it. We measure and draw; it only places.

It is given numbers: empty boxes of fixed sizes with names of ours. It runs in a process of its own with
a limit of time and of memory, and what it cannot do our own layout does.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from graphlens.layout import FOOT, HEAD, SIDE, Rect, Scene, Size, Wire, room_of
from graphlens.text import clean
from graphlens.view import View

PROGRAM = "GRAPHLENS_DOT"
"""The environment's variable that names the program, where it is not the `dot` on the path."""
SECONDS, MEMORY = 10.0, 2 << 30
CHEAP = 3_000
"""Ranks that all lines pass together, up to which it is quick: it makes a point of each."""


class Unplaced(Exception):
    """Graphviz is not there, or has not done it; the message says which."""


def program() -> str | None:
    """The `dot` to run; None where there is none."""
    return shutil.which(os.environ.get(PROGRAM) or "dot")


def cost(view: View) -> int:
    """How many ranks the lines pass, about: as boxes would stand below each other."""
    rank = [0] * len(view.boxes)
    for link in sorted(view.links, key=lambda link: min(link.source, link.target)):
        source, target = sorted((link.source, link.target))
        rank[target] = max(rank[target], rank[source] + 1)
    return sum(abs(rank[link.target] - rank[link.source]) for link in view.links)


def place(view: View, sizes: Sequence[Size], heads: Sequence[float]) -> Scene:
    """As `layout.place`; the wires are Bézier curves.

    Raises:
        Unplaced: There is no `dot`, or it has taken too long, or failed.
    """
    found = program()
    if found is None:
        raise Unplaced("there is no dot on the path")
    rooms = [room_of(size) for size in sizes]
    answer = _run(found, _document(view, rooms, heads))
    try:
        return _scene(view, sizes, rooms, answer)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise Unplaced(f"dot answered something else than was asked: {error!r}") from None


CHILD = """
import os, pathlib, sys
import graphviz
try:
    import resource
except ImportError:  # not on every system
    pass
else:
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
graphviz.backend.dot_command.DOT_BINARY = pathlib.Path(sys.argv[1])
try:
    told = graphviz.pipe("dot", "json0", sys.stdin.buffer.read(), quiet=True)
except graphviz.CalledProcessError as error:
    sys.exit(f"exit code {error.returncode}")
sys.stdout.buffer.write(told)
"""
"""`graphviz` waits for its program for ever: so it does that in a process that we can end."""


def _run(found: str, document: str) -> dict[str, Any]:  # Any: JSON
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, found, str(MEMORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            told, complaint = process.communicate(document.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Unplaced(f"dot took longer than {SECONDS:g} s") from None
        finally:
            _end(process)
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unplaced(f"dot failed: {clean(said) or f'exit code {process.returncode}'}")
    try:
        answer: dict[str, Any] = json.loads(told)
    except ValueError:
        raise Unplaced("dot answered no JSON") from None
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of it: itself and, where the system has groups of processes, what it started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


# ── the question ─────────────────────────────────────────────────────────────────────────────


def _document(view: View, rooms: Sequence[tuple[float, float, float, float]], heads: Sequence[float]) -> str:
    lines = [
        "digraph g {",
        "graph [nodesep=0.25, ranksep=0.31];",
        "node [shape=plain];",
        "edge [arrowhead=none];",
    ]
    inner: dict[int, list[int]] = {}
    for at, frame in enumerate(view.frames):
        inner.setdefault(frame.parent, []).append(at)
    boxes: dict[int, list[int]] = {}
    for at, box in enumerate(view.boxes):
        boxes.setdefault(box.frame, []).append(at)
    stack: list[tuple[int, bool]] = [(-1, True)]
    while stack:
        around, opens = stack.pop()
        if not opens:
            lines.append("}")
            continue
        if around >= 0:
            width = f"{max(heads[around] - 2 * SIDE, 1):.0f}"
            lines.append(f"subgraph cluster_{around} {{ margin={(SIDE + FOOT) / 2:.0f};")
            lines.append(
                f'label=<<table border="0" cellborder="0" fixedsize="true" width="{width}"'
                f' height="{HEAD - FOOT:.0f}"><tr><td></td></tr></table>>;'
            )
            stack.append((around, False))
        for at in boxes.get(around, ()):
            lines.append(f"n{at} [label=<{_node(rooms[at])}>];")
        stack += [(at, True) for at in reversed(inner.get(around, ()))]
    for number, link in enumerate(view.links):
        source, target = sorted((link.source, link.target))
        if source != target:
            weight = ", weight=8" if link.trunk else ""
            lines.append(f"n{source}:p:s -> n{target}:p:n [id=e{number}{weight}];")
    return "\n".join([*lines, "}"])


def _node(room: tuple[float, float, float, float]) -> str:
    """A box with what stands beside it: lines meet the box in its middle."""
    left, right, above, below = (math.ceil(one) for one in room)
    height = f'height="{above + below}" fixedsize="true"'
    cells = f'<td port="p" width="{2 * left}" {height}></td>'
    if right > left:
        cells += f'<td width="{right - left}" {height}></td>'
    table = 'border="0" cellborder="0" cellspacing="0" cellpadding="0"'
    return f'<table {table} width="{left + right}" {height}><tr>{cells}</tr></table>'


# ── the answer ───────────────────────────────────────────────────────────────────────────────


def _scene(
    view: View,
    sizes: Sequence[Size],
    rooms: Sequence[tuple[float, float, float, float]],
    answer: dict[str, Any],
) -> Scene:
    """Boxes, frames and curves; y grows downwards."""
    _, _, width, height = _numbers(answer["bb"])
    boxes = [Rect(0, 0, 0, 0)] * len(view.boxes)
    frames = [Rect(0, 0, 0, 0)] * len(view.frames)
    for one in answer.get("objects", ()):
        name = str(one["name"])
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = _numbers(one["bb"])
            frames[int(name.removeprefix("cluster_"))] = Rect(x0, height - y1, x1, height - y0)
        else:
            at = int(name.removeprefix("n"))
            x, y = _numbers(one["pos"])
            left, right, above, below = rooms[at]
            x, y = x - (math.ceil(right) - math.ceil(left)) / 2, height - y - (below - above) / 2
            half = Size(sizes[at].width / 2, sizes[at].height / 2)
            boxes[at] = Rect(x - half.width, y - half.height, x + half.width, y + half.height)
    wires: list[Wire] = [[] for _ in view.links]
    for one in answer.get("edges", ()):
        number = int(str(one["id"]).removeprefix("e"))
        link = view.links[number]
        source, target = sorted((link.source, link.target))
        points = [(x, height - y) for x, y in map(_numbers, str(one["pos"]).split())]
        wire = _joined(points, boxes[source], boxes[target])
        wires[number] = wire if link.source < link.target else wire[::-1]
    whole = all(rect.x1 > rect.x0 for rect in (*boxes, *frames))
    if not whole or any(not wires[k] for k, link in enumerate(view.links) if link.source != link.target):
        raise ValueError("not everything has a place")
    return Scene(boxes, frames, wires, width, height, curved=True)


def _numbers(text: object) -> list[float]:
    return [float(one) for one in str(text).split(",")]


def _joined(points: Wire, source: Rect, target: Rect) -> Wire:
    """A curve from one box to the other: it was made for boxes with the room around them."""
    begin = (_inside(points[0][0], source), source.y1)
    end = (_inside(points[-1][0], target), target.y0)
    return [*_straight(begin, points[0]), *points, *_straight(points[-1], end)[1:], end]


def _straight(a: tuple[float, float], b: tuple[float, float]) -> Wire:
    """A straight stretch of a curve, without its end."""
    third = ((b[0] - a[0]) / 3, (b[1] - a[1]) / 3)
    return [a, (a[0] + third[0], a[1] + third[1]), (b[0] - third[0], b[1] - third[1])]


def _inside(x: float, rect: Rect) -> float:
    return min(max(x, rect.x0 + 8), rect.x1 - 8) if rect.x1 - rect.x0 > 16 else (rect.x0 + rect.x1) / 2
