"""The backward pass as the mirror image of the forward one: the gradient of X stands beside X.

Nothing is laid out twice. Each gradient box takes the height of its forward box, and each gradient
runs the forward tensor's way back, reflected; so the two halves cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphlens.categories import PLUMBING, Category, category, short
from graphlens.layout import Rect, Scene, Wire
from graphlens.letters import spec_text
from graphlens.view import Box, View
from graphlens.view.subject import Subject
from graphlens_tracers.events import NodeId, NodeSeen, Phase


@dataclass
class Gradient:
    """A box of the backward half; `of` is the forward box beside it."""

    of: int
    box: Box


@dataclass
class Backward:
    """The backward half of a view.

    Attributes:
        gradients: In the order of their forward boxes.
        at: For a forward box the index of its gradient.
        flows: (from gradient, to gradient, forward link that it runs along).
        seeds: (forward box of a loss, gradient that it starts).
        saved: (forward box, its gradient, tensors kept for it).
        unplaced: Backward operations that belong to no box.
    """

    gradients: list[Gradient] = field(default_factory=list)
    at: dict[int, int] = field(default_factory=dict)
    flows: list[tuple[int, int, int]] = field(default_factory=list)
    seeds: list[tuple[int, int]] = field(default_factory=list)
    saved: list[tuple[int, int, int]] = field(default_factory=list)
    unplaced: int = 0


def backward_of(view: View, subject: Subject) -> Backward:
    """The backward half; without gradients where the graph has no backward pass."""
    operations, handed, unplaced = _homes(view, subject)
    backward = Backward(unplaced=unplaced)
    # Where both ends have gradient operations these say whether one reads the other's result; the
    # forward wiring alone can't always tell a tensor from its detached self. But a gradient that is
    # handed over inside of other operations, as those of loops are, came the way of the forward.
    fed = {link.source for link in view.links if (link.target, link.source) in handed}
    passing = [
        (link.target, link.source) in handed or (link.source not in fed and link.differentiable)
        if link.source in operations and link.target in operations
        else link.differentiable
        for link in view.links
    ]
    for at in _carriers(view, set(operations), passing):
        backward.at[at] = len(backward.gradients)
        backward.gradients.append(Gradient(at, _gradient(view, subject, at, operations.get(at, []))))
    for number, link in enumerate(view.links):
        if passing[number] and link.source in backward.at and link.target in backward.at:
            backward.flows.append((backward.at[link.target], backward.at[link.source], number))
        if view.boxes[link.target].sort == "output" and link.source in backward.at:
            backward.seeds.append((link.target, backward.at[link.source]))
    for at, gradient in enumerate(backward.gradients):
        if view.boxes[gradient.of].saved and gradient.box.members:
            backward.saved.append((gradient.of, at, view.boxes[gradient.of].saved))
    return backward


def _homes(view: View, subject: Subject) -> tuple[dict[int, list[NodeSeen]], set[tuple[int, int]], int]:
    """The backward operations of each forward box, from which to which something is handed, and how
    many operations belong to none.

    An operation that differentiates none (the sum of two gradients) belongs to the box that reads
    its result, else to the one whose result it reads.
    """
    nodes = [node for node in subject.nodes if node.phase is Phase.BACKWARD]
    maker: dict[int, NodeId] = {}
    home: dict[NodeId, int] = {}
    for node in nodes:
        maker.update((output.value, node.node) for output in node.outputs)
        if node.twin is not None and node.twin in view.box_of:
            home[node.node] = view.box_of[node.twin]
    for node in reversed(nodes):
        for value in subject.reads(node):
            made = maker.get(value)
            if node.node in home and made is not None and made not in home:
                home[made] = home[node.node]
    for node in nodes:
        if node.node not in home:
            found = [maker[value] for value in subject.reads(node) if value in maker]
            near = [home[one] for one in found if one in home]
            if near:
                home[node.node] = near[0]
    operations: dict[int, list[NodeSeen]] = {}
    handed: set[tuple[int, int]] = set()
    for node in nodes:
        if node.node in home:
            operations.setdefault(home[node.node], []).append(node)
            for value in subject.reads(node):
                if value in maker and maker[value] in home:
                    handed.add((home[maker[value]], home[node.node]))
    return operations, handed, len(nodes) - len(home)


def _carriers(view: View, own: set[int], passing: list[bool]) -> list[int]:
    """Forward boxes that a gradient passes: behind something learned, and before the loss."""
    links = [
        link for link, passes in zip(view.links, passing, strict=True) if passes and link.source < link.target
    ]
    behind = set(own)
    for link in sorted(links, key=lambda link: link.target):
        if link.source in behind:
            behind.add(link.target)
    before = {link.source for link in view.links if view.boxes[link.target].sort == "output"} | own
    for link in sorted(links, key=lambda link: -link.source):
        if link.target in before:
            before.add(link.source)
    ends = ("input", "output", "constant")
    return [at for at, box in enumerate(view.boxes) if at in behind & before and box.sort not in ends]


def _gradient(view: View, subject: Subject, at: int, operations: list[NodeSeen]) -> Box:
    """The box for a forward box's gradient operations; a small one when there are none of its own."""
    box = view.boxes[at]
    own = set(box.own)
    drawn = [node for node in operations if node.twin in own] or operations
    core = [node for node in drawn if category(node.op) not in PLUMBING]
    made = Box(
        "module" if box.sort == "module" else "op",
        box.name,
        category=box.category,
        frame=box.frame,
        members=[node.node for node in operations],
        own=[node.node for node in drawn],
        repeat=box.repeat,
        path=box.path,
        link=box.link,
        backward=True,
    )
    if not operations:
        made.sort, made.name, made.category = "chain", f"{box.name} (pass)", Category.VIEW
        made.hint = [f"the gradient passes {box.name} unchanged"]
        return made
    if box.small:
        made.sort = "chain"
    elif box.sort == "module":
        made.note = f"{len(drawn):,} gradient ops"
    else:
        made.op = _summary(core) or "shape ops only"
        made.parameters = [one for one in box.parameters if one.trained]
    made.ill = "nan" if any(view.sick.ill.get(node.node) == "nan" for node in operations) else None
    if made.ill is None and any(node.node in view.sick.ill for node in operations):
        made.ill = "inf"
    number = {node: k + 1 for k, node in enumerate(view.sick.births)}
    made.born = min((number[node.node] for node in operations if node.node in number), default=0)
    made.hint = [f"gradient of {box.name}", *(_line(node) for node in drawn[:12])]
    if len(drawn) > 12:
        made.hint.append(f"and {len(drawn) - 12:,} more")
    return made


def _summary(nodes: list[NodeSeen]) -> str:
    """ "mm×2 · sum": the operations by name, repeats counted."""
    names: dict[str, int] = {}
    for node in nodes:
        name = short(node.op).replace("_backward", "").strip("_")
        names[name] = names.get(name, 0) + 1
    said = [name if count == 1 else f"{name}×{count}" for name, count in names.items()]
    return " · ".join(said[:3]) + (f" +{len(said) - 3}" if len(said) > 3 else "")


def _line(node: NodeSeen) -> str:
    return f"{node.op} → {', '.join(spec_text(output.spec) for output in node.outputs[:3])}"


# ── places ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class Reflection:
    """Where the backward half is; x of the forward half becomes `axis` - x."""

    axis: float
    boxes: list[Rect]
    flows: list[Wire]
    seeds: list[Wire]
    saved: list[Wire]

    def frame(self, rect: Rect) -> Rect:
        """A forward frame's mirror image."""
        return Rect(self.axis - rect.x1, rect.y0, self.axis - rect.x0, rect.y1)


def reflect(
    view: View, scene: Scene, backward: Backward, sizes: list[tuple[float, float]], axis: float
) -> Reflection:
    """Put every gradient beside its forward box. `sizes`: width and height of the gradient boxes."""
    boxes: list[Rect] = []
    for gradient, (width, height) in zip(backward.gradients, sizes, strict=True):
        rect = scene.boxes[gradient.of]
        x, y = axis - (rect.x0 + rect.x1) / 2, (rect.y0 + rect.y1) / 2
        boxes.append(Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    flows: list[Wire] = []
    for source, target, number in backward.flows:
        way = [(axis - x, y) for x, y in scene.wires[number]]
        if view.links[number].source < view.links[number].target:
            way.reverse()
        begin, end = boxes[source], boxes[target]
        way[0] = (_inside(way[0][0], begin), begin.y0)
        way[-1] = (_inside(way[-1][0], end), end.y1)
        flows.append(way)
    seeds: list[Wire] = []
    for loss, target in backward.seeds:
        rect, end = scene.boxes[loss], boxes[target]
        x = (end.x0 + end.x1) / 2
        seeds.append([(rect.x1, (rect.y0 + rect.y1) / 2), (x, (rect.y0 + rect.y1) / 2), (x, end.y1)])
    saved: list[Wire] = []
    for source, target, _ in backward.saved:
        rect, end = scene.boxes[source], boxes[target]
        y = (rect.y0 + rect.y1) / 2
        saved.append([(rect.x1, y), (end.x0, y)])
    return Reflection(axis, boxes, flows, seeds, saved)


def _inside(x: float, rect: Rect) -> float:
    """x, moved onto the box."""
    margin = min(8.0, (rect.x1 - rect.x0) / 2)
    return min(max(x, rect.x0 + margin), rect.x1 - margin)
