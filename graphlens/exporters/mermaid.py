"""A graph for Mermaid, which GitHub and many editors draw: the same boxes, frames and links as the picture.

Ids are made by us, and of a name only letters, digits and a few marks are written as they are:
everything else is a character's number, which means nothing to Mermaid, Markdown or HTML.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from graphlens.exporters import Options
from graphlens.exporters.svg import half_of, view_for
from graphlens.mirror import Backward
from graphlens.text import clean
from graphlens.view import Box, Subject, View

if TYPE_CHECKING:
    from graphlens.store import Run

PLAIN = frozenset(" _-.,:=+/×→∇›…?*()[]")
"""Marks that mean nothing inside of a quoted label."""
LINKS = "/:?=&#%@+,.~-_"
"""Of a link, what else than letters and digits is written as it is."""
MOST = 80
"""Characters of a label's line."""
CLASSES = (
    "classDef module stroke-width:2px",
    "classDef small stroke-dasharray:3 2",
    "classDef gradient stroke:#6d4bd1,stroke-dasharray:3 2",
    "classDef centre stroke-width:3px",
    "classDef ill stroke:#c81e1e,stroke-width:3px",
)
BRACKETS = {"input": ("([", "])"), "output": ("([", "])"), "module": ("[[", "]]"), "chain": ("(", ")")}


class Mermaid:
    """The exporter."""

    name = "mermaid"
    suffix = ".mmd"
    draws = True

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses."""
        from graphlens.exporters._chosen import subject_for

        out.write(text(subject_for(run, options), options).encode())


EXPORTER = Mermaid()


def text(subject: Subject, options: Options | None = None) -> str:
    """The whole document."""
    options = options or Options()
    view = view_for(subject, options)
    backward, phase = half_of(view, subject, options.phase)
    title = json.dumps("".join(c if c.isalnum() or c in PLAIN else "?" for c in clean(view.title, MOST)))
    lines = ["---", f"title: {title}", "---", "flowchart TB"]
    if phase != "backward":
        lines += _frames(view)
        lines += _links(view)
    lines += _backward(view, backward, phase)
    drawn = view.boxes if phase != "backward" else []
    lines += [
        f'  click n{at} href "{quote(box.link, safe=LINKS)}"' for at, box in enumerate(drawn) if box.link
    ]
    return "\n".join([*lines, *(f"  {one}" for one in CLASSES), ""])


def quoted(said: str, most: int = MOST) -> str:
    """A label of which nothing means anything to Mermaid, which takes no empty one."""
    return '"' + (_coded(clean(said, most)) or f"#{ord(' ')};") + '"'


def _coded(said: str) -> str:
    return "".join(c if c.isalnum() or c in PLAIN else f"#{ord(c)};" for c in said)


def _box(box: Box, name: str) -> str:
    head = f"{'∇ ' if box.backward else ''}{box.name}" + (f" ×{box.repeat}" if box.repeat > 1 else "")
    rows = [
        f"{head} {box.kind}".strip(),
        box.op if box.op != box.name and not box.small else "",
        *(f"{one.name} {one.shape}" for one in box.parameters),
        box.note,
        f"{'NaN' if box.ill == 'nan' else 'Inf'} born here" if box.born else "",
    ]
    label = "<br/>".join(quoted(row)[1:-1] for row in rows if row) or quoted("")[1:-1]
    left, right = BRACKETS.get(box.sort, ("(", ")") if box.small else ("[", "]"))
    kind = "ill" if box.ill else "gradient" if box.backward else "module" if box.sort == "module" else ""
    kind = kind or ("centre" if box.centre else "small" if box.small else "")
    return f'{name}{left}"{label}"{right}' + (f":::{kind}" if kind else "")


def _frames(view: View) -> list[str]:
    """The boxes in a frame, and the frames in it; a stack instead of recursion."""
    boxes: dict[int, list[int]] = {}
    inner: dict[int, list[int]] = {}
    for at, box in enumerate(view.boxes):
        boxes.setdefault(box.frame, []).append(at)
    for at, frame in enumerate(view.frames):
        inner.setdefault(frame.parent, []).append(at)
    lines: list[str] = []
    stack = [(-1, 1, True)]
    while stack:
        number, level, opens = stack.pop()
        pad = "  " * level
        if not opens:
            lines.append(f"{pad}end")
            continue
        if number >= 0:
            frame = view.frames[number]
            name = frame.name + (f" ×{frame.repeat}" if frame.repeat > 1 else "")
            lines.append(f"{pad}subgraph s{number}[{quoted(f'{name} {frame.kind}'.strip())}]")
            stack.append((number, level, False))
            pad += "  "
        lines += [f"{pad}{_box(view.boxes[at], f'n{at}')}" for at in boxes.get(number, ())]
        stack += [(at, level + (number >= 0), True) for at in reversed(inner.get(number, ()))]
    return lines


def _links(view: View) -> list[str]:
    lines = []
    for link in view.links:
        arrow = "-.->" if link.control else "==>" if link.hot else "-->"
        tag = view.boxes[link.source].tag
        said = f"|{quoted(tag)}|" if tag and not link.control else ""
        lines.append(f"  n{link.source} {arrow}{said} n{link.target}")
    return lines


def _backward(view: View, backward: Backward, phase: str) -> list[str]:
    lines = [f"  {_box(one.box, f'b{at}')}" for at, one in enumerate(backward.gradients)]
    lines += [f"  b{source} --> b{target}" for source, target, _ in backward.flows]
    for loss, target in backward.seeds:
        if phase == "backward":
            lines.append(f"  {_box(view.boxes[loss], f'n{loss}')}")
        lines.append(f"  n{loss} --> b{target}")
    if phase == "both":
        lines += [
            f"  n{source} -.->|{quoted(f'{count} kept')}| b{target}"
            for source, target, count in backward.saved
        ]
    return lines
