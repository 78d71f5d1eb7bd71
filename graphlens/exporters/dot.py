"""A graph for Graphviz: the same boxes, frames and links as the picture, placed by `dot`.

Ids are made by us (n0, b0, cluster_0), and labels are always quoted strings, never HTML: nothing
that a script chose can become DOT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from graphlens.categories import Category
from graphlens.exporters import Options
from graphlens.exporters._links import LONGEST
from graphlens.exporters._palette import STRIPES, mixed
from graphlens.exporters.svg import half_of, view_for
from graphlens.mirror import Backward
from graphlens.text import clean
from graphlens.view import Box, Subject, View

if TYPE_CHECKING:
    from graphlens.store import Run


class Dot:
    """The exporter."""

    name = "dot"
    suffix = ".dot"
    draws = True

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses."""
        from graphlens.exporters._chosen import subject_for

        out.write(text(subject_for(run, options), options).encode())


EXPORTER = Dot()


def text(subject: Subject, options: Options | None = None) -> str:
    """The whole document."""
    options = options or Options()
    view = view_for(subject, options)
    backward, phase = half_of(view, subject, options.phase)
    lines = [
        "digraph graphlens {",
        f"  label={quoted(f'{view.title} ({phase})')}; labelloc=t; labeljust=l; fontsize=16;",
        '  graph [fontname="Helvetica", ranksep=0.35, nodesep=0.25, newrank=true];',
        '  node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", fillcolor="#ffffff"];',
        '  edge [fontname="Helvetica", fontsize=9, arrowsize=0.6, color="#75828f"];',
    ]
    if phase != "backward":
        lines += _frames(view, -1, 1)
        lines += _links(view)
    lines += _backward(view, backward, phase)
    return "\n".join([*lines, "}", ""])


def quoted(said: str, most: int = 400) -> str:
    """A DOT string; what is in it means nothing to Graphviz."""
    inside = clean(said, most).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def _label(box: Box) -> str:
    """Lines of a box, each quoted by itself: `\\n` is the only escape that is ours."""
    head = f"{'∇ ' if box.backward else ''}{box.name}" + (f" ×{box.repeat}" if box.repeat > 1 else "")
    named = [f"{one.name} {one.shape}" for one in box.parameters]
    rows = [
        f"{head} {box.kind}".strip(),
        box.op if box.op != box.name and not box.small else "",
        *named,
        box.note,
    ]
    if box.born:
        rows.append(f"{'NaN' if box.ill == 'nan' else 'Inf'} born here")
    return '"' + "\\n".join(quoted(row)[1:-1] for row in rows if row) + '"'


def _box(box: Box, name: str) -> str:
    stripe = STRIPES.get(box.category, ("#7d8894", ""))[0]
    colour = "#c81e1e" if box.ill else "#3f4c5a" if box.sort == "module" else stripe
    plain = box.category in (Category.MODULE, Category.ENDPOINT)
    facts = {
        "label": _label(box),
        "shape": "ellipse" if box.sort in ("input", "output") else "box",
        "style": '"dashed,rounded,filled"' if box.small or box.backward else '"rounded,filled"',
        "color": f'"{colour}"',
        "fillcolor": '"#ffffff"' if plain else f'"{mixed(stripe, "#ffffff", 0.1)}"',
        "penwidth": "2.5" if box.ill or box.centre else "",
        "URL": quoted(box.link, LONGEST) if box.link else "",
        "tooltip": quoted("; ".join(box.hint)) if box.hint else "",
    }
    return f"{name} [{', '.join(f'{key}={value}' for key, value in facts.items() if value)}];"


def _frames(view: View, parent: int, depth: int) -> list[str]:
    """The boxes in a frame, and the frames in it; a stack instead of recursion."""
    lines: list[str] = []
    stack: list[tuple[int, int, bool]] = [(parent, depth, True)]
    while stack:
        frame, level, opens = stack.pop()
        pad = "  " * level
        if not opens:
            lines.append(f"{pad}}}")
            continue
        if frame >= 0:
            one = view.frames[frame]
            name = one.name + (f" ×{one.repeat}" if one.repeat > 1 else "")
            lines.append(f"{pad}subgraph cluster_{frame} {{")
            said = quoted(f"{name} {one.kind}".strip())
            style = '"rounded,dashed"' if one.flow else "rounded"
            lines.append(f'{pad}  label={said}; labeljust=l; style={style}; color="#c3ccd5";')
            stack.append((frame, level, False))
            pad += "  "
        lines += [f"{pad}{_box(box, f'n{at}')}" for at, box in enumerate(view.boxes) if box.frame == frame]
        inner = [at for at, one in enumerate(view.frames) if one.parent == frame]
        stack += [(at, level + (frame >= 0), True) for at in reversed(inner)]
    return lines


def _links(view: View) -> list[str]:
    lines: list[str] = []
    for link in view.links:
        facts = ["weight=8"] if link.trunk else []
        if link.control:
            facts.append("style=dotted")
        if link.hot:
            facts.append('color="#c81e1e", penwidth=2.2')
        tag = view.boxes[link.source].tag
        if tag:
            facts.append(f"taillabel={quoted(tag)}" if not link.trunk else f"label={quoted(tag)}")
        lines.append(
            f"  n{link.source} -> n{link.target}" + (f" [{', '.join(facts)}]" if facts else "") + ";"
        )
    return lines


def _backward(view: View, backward: Backward, phase: str) -> list[str]:
    """Gradients, from the loss up; beside their forward boxes where those are drawn."""
    lines = [f"  {_box(one.box, f'b{at}')}" for at, one in enumerate(backward.gradients)]
    for (
        source,
        target,
        _,
    ) in backward.flows:  # said the other way round, so that `dot` ranks it like the forward
        lines.append(f'  b{target} -> b{source} [color="#6d4bd1", dir=back];')
    for loss, target in backward.seeds:
        if phase == "backward":
            lines.append(f"  {_box(view.boxes[loss], f'n{loss}')}")
        lines.append(f'  n{loss} -> b{target} [color="#6d4bd1", constraint=false];')
    if phase == "both":
        for source, target, count in backward.saved:
            what = quoted(f"{count} kept")
            lines.append(
                f'  n{source} -> b{target} [color="#9a6700", style=dashed, constraint=false, tooltip={what}];'
            )
        for at, one in enumerate(backward.gradients):
            lines.append(f"  {{ rank=same; n{one.of}; b{at}; }}")
    return lines
