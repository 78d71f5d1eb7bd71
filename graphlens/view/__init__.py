"""What a picture shows of a graph: which boxes, which links, what is folded, hidden and said.

The same for every format that draws. Boxes stand for operations, links for tensors.
"""

from __future__ import annotations

from graphlens.view.folding import fold
from graphlens.view.groups import cut, tree_of
from graphlens.view.links import Drawing
from graphlens.view.model import Box, Frame, Link, Parameter, View
from graphlens.view.notes import notes_of, title_of
from graphlens.view.subject import Illness, Subject, forward_of, illnesses

__all__ = [
    "BUDGET", "FULL", "Box", "Frame", "Illness", "Link", "Parameter", "Subject", "View", "view_of",
]  # fmt: skip

BUDGET = 60
"""Boxes that a person can take in."""
FULL = 2_000
"""Boxes that a program can still show."""


def view_of(
    subject: Subject,
    *,
    budget: int = BUDGET,
    depth: int | None = None,
    full: bool = False,
    folded: bool = True,
) -> View:
    """Choose what to show.

    Args:
        budget: Modules are opened, the outer and the larger first, while there are at most so many boxes.
        depth: Open so many levels of modules instead, up to `FULL` boxes.
        full: Open everything and fold nothing, up to `budget` boxes.
        folded: Draw equal neighbouring modules once.
    """
    forward = forward_of(subject)
    sick = illnesses(subject)
    ill: dict[int, Illness] = {
        i: sick.ill[node.node] for i, node in enumerate(forward.nodes) if node.node in sick.ill
    }
    tree = tree_of(subject, forward)
    if folded and not full and subject.centre is None:
        fold(tree, subject, forward, ill)
    if depth is not None:
        budget = max(budget, FULL)
    cut(tree, forward, budget, budget if full or depth is not None else budget * 2 // 3)
    born = set(sick.births)
    births = [i for i, node in enumerate(forward.nodes) if node.node in born]
    births += [i for i, node in enumerate(forward.nodes) if node.node == subject.centre]
    drawing = Drawing(subject, forward, tree, sick)
    drawing.choose(budget if full or depth is not None else budget - drawing.ends(), depth, full, births)
    drawing.connect(full)
    box_of = {node: at for at, box in enumerate(drawing.boxes) for node in box.members}
    for node, home in forward.through.items():
        box_of.setdefault(node, box_of[forward.nodes[home].node])
    return View(
        title=title_of(subject, forward),
        boxes=drawing.boxes,
        links=drawing.links,
        frames=drawing.frames,
        box_of=box_of,
        notes=notes_of(drawing),
        trained=forward.trained,
        ops=len(subject.nodes),
        sick=sick,
    )
