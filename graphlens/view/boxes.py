"""Which boxes a picture has: modules are opened, best first, while a person can still take it in."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

from graphlens.categories import LIBRARY, PLUMBING, WEIGHT, Category, category, short
from graphlens.letters import count_text, elements, shape_text
from graphlens.view.groups import ROOT, Tree
from graphlens.view.model import Box, Frame, Link, Parameter, place_of, said
from graphlens.view.subject import Forward, Illness, Illnesses, Subject
from graphlens_tracers.events import NodeSeen, ValueId

FLOATS = ("float", "bfloat", "half", "complex", "double")
"""How the types begin of what can be trained: a state of random numbers cannot."""


class Boxes:
    """Boxes and frames of a picture, step by step; each step is one pass over the operations."""

    def __init__(self, subject: Subject, forward: Forward, tree: Tree, sick: Illnesses) -> None:
        self.subject, self.forward, self.tree, self.sick = subject, forward, tree, sick
        self.leaf: dict[int, int] = {}
        self.opened: set[int] = {ROOT}
        self.place: list[int] = [-1] * len(forward.nodes)
        self.extra: list[bool] = [False] * len(forward.nodes)
        self.boxes: list[Box] = []
        self.frames: list[Frame] = []
        self.links: list[Link] = []
        self.first: list[float] = []  # of each box: its first operation, for the order
        self.leaving: dict[int, dict[tuple[int, int], None]] = {}  # of each box: (operation, output)

    def choose(self, budget: int, depth: int | None, full: bool, births: Sequence[int]) -> None:
        """Make the boxes and frames, and say on each what it stands for."""
        self._find_leaves()
        self._open(budget, depth, full, births)
        self._lay_out(ROOT, -1)
        self._copy_places()
        self._fill_boxes()

    # ── which boxes ──────────────────────────────────────────────────────────────────────────

    def _find_leaves(self) -> None:
        """Modules that are one card: around one real operation, or known to every reader."""
        for number, group in enumerate(self.tree.groups):
            if number == ROOT or not group.kind or any(item < 0 for item in group.items) or not group.items:
                continue
            core = [i for i in group.items if category(self.forward.nodes[i].op) not in PLUMBING]
            if len(core) == 1 or (core and group.kind in LIBRARY):
                self.leaf[number] = max(
                    core, key=lambda i: (WEIGHT.get(category(self.forward.nodes[i].op), 0), -i)
                )
            elif group.kind in LIBRARY:
                self.leaf[number] = group.items[0]

    def _open(self, budget: int, depth: int | None, full: bool, births: Sequence[int]) -> None:
        """Decide which groups are frames: best first, those around a birth before all others."""
        tree = self.tree
        focus = {group for i in births for group in tree.around(tree.of[i])}
        shown = {group: self._shown(group) for group in range(len(tree.groups))}
        visible = shown[ROOT]
        heap = [(group not in focus, 1, -tree.groups[group].size, group) for group in tree.inner(ROOT)]
        heapq.heapify(heap)
        while heap:
            aside, level, _, group = heapq.heappop(heap)
            if group in self.leaf or group in tree.stands_for or (depth is not None and level > depth):
                continue
            if focus and not full and depth is None and aside and visible + shown[group] > budget * 2 // 3:
                continue  # what the picture is about comes first
            fits = visible + shown[group] - 1 <= budget
            if not fits and (aside or full):
                continue
            self.opened.add(group)
            visible += shown[group] - 1
            for inner in tree.inner(group):
                entry = (inner not in focus, level + 1, -tree.groups[inner].size, inner)
                heapq.heappush(heap, entry)

    def _shown(self, group: int) -> int:
        """Boxes that a group takes when it is open and all in it is closed."""
        return sum(
            1 for item in self.tree.groups[group].items if item >= 0 or ~item not in self.tree.stands_for
        )

    def _lay_out(self, top: int, frame: int) -> None:
        """Make boxes and frames, in execution order, without recursion."""
        tree = self.tree
        stack: list[tuple[int, int, int]] = [(top, frame, 0)]
        while stack:
            group, around, at = stack.pop()
            items = tree.groups[group].items
            while at < len(items):
                item = items[at]
                at += 1
                if item >= 0:
                    self.place[item] = self._box(
                        Box("op", short(self.forward.nodes[item].op), frame=around), item
                    )
                elif ~item in tree.stands_for:
                    continue
                elif ~item in self.opened:
                    stack.append((group, around, at))
                    stack.append((~item, self._frame(~item, around), 0))
                    break
                else:
                    self._closed(~item, around)

    def _box(self, box: Box, first: float) -> int:
        self.boxes.append(box)
        self.first.append(first)
        return len(self.boxes) - 1

    def _closed(self, number: int, around: int) -> None:
        """A card for a whole group."""
        group = self.tree.groups[number]
        box = Box("leaf" if number in self.leaf else "module", self.name_of(number), group.kind, frame=around)
        box.repeat = len(self.tree.copies.get(number, (number,)))
        box.path = group.path
        at = self._box(box, group.first)
        for i in self._inside(number):
            self.place[i] = at

    def _inside(self, number: int) -> list[int]:
        """Every operation of a group, inner groups included."""
        found: list[int] = []
        stack = [number]
        while stack:
            for item in self.tree.groups[stack.pop()].items:
                if item >= 0:
                    found.append(item)
                else:
                    stack.append(~item)
        return sorted(found)

    def _frame(self, number: int, around: int) -> int:
        group = self.tree.groups[number]
        copies = self.tree.copies.get(number, [number])
        hint = [f"{group.path} {group.kind}".strip()]
        if len(copies) > 1:
            hint.append(f"{len(copies)} equal ones, up to {self.tree.groups[copies[-1]].path}; drawn once")
        hint.append(f"{group.size:,} operations" + (" each" if len(copies) > 1 else ""))
        flow = group.region == "flow"
        self.frames.append(
            Frame(self.name_of(number), group.kind, around, group.path, len(copies), hint=hint, flow=flow)
        )
        return len(self.frames) - 1

    def name_of(self, number: int) -> str:
        """The group's name; "h.0–11" for a run of copies."""
        name = self.tree.groups[number].name
        copies = self.tree.copies.get(number)
        if copies:
            last = self.tree.groups[copies[-1]].name
            common = name.rpartition(".")[0]
            if last.rpartition(".")[0] == common and last != name:
                return f"{name}–{last.rpartition('.')[2]}"
        return name

    def _copy_places(self) -> None:
        """Operations of a folded copy are where their likes in the first copy are."""
        for i in range(len(self.place)):
            like = self._like(i)
            if like != i:
                self.extra[i] = True
                self.place[i] = self.place[like]

    def _like(self, i: int) -> int:
        """The operation of the first copy that stands for this one; itself when it is drawn."""
        groups, stands_for = self.tree.groups, self.tree.stands_for
        group, like = self.tree.of[i], i
        while group > ROOT:
            first = stands_for.get(group)
            if first is not None:
                like += groups[first].first - groups[group].first
            group = groups[group].parent
        return like

    # ── what the boxes say ───────────────────────────────────────────────────────────────────

    def _fill_boxes(self) -> None:
        nodes = self.forward.nodes
        cores = self._cores()
        for i, at in enumerate(self.place):
            self.boxes[at].members.append(nodes[i].node)
            if not self.extra[i]:
                self.boxes[at].own.append(nodes[i].node)
        users: dict[ValueId, set[int]] = {}
        reads: dict[int, dict[ValueId, None]] = {}
        for i, row in enumerate(self.forward.reads):
            for read in row:
                leaf = self.subject.leaves.get(read.value) if read.maker < 0 else None
                if leaf is not None and leaf.kind in ("parameter", "buffer"):
                    users.setdefault(read.value, set()).add(self.place[i])
                    if not self.extra[i]:
                        reads.setdefault(self.place[i], {})[read.value] = None
        by_id = {node.node: i for i, node in enumerate(nodes)}
        for at, box in enumerate(self.boxes):
            own = [by_id[one] for one in box.own]
            self._say(box, own, cores.get(at, own[0]), list(reads.get(at, ())), users)

    def _cores(self) -> dict[int, int]:
        """For each card of a leaf module the operation that it is about."""
        return {self.place[core]: core for group, core in self.leaf.items() if not self.extra[core]}

    def _say(
        self, box: Box, own: list[int], core: int, reads: list[ValueId], users: dict[ValueId, set[int]]
    ) -> None:
        """Fill one box in."""
        nodes, leaves = self.forward.nodes, self.subject.leaves
        node = nodes[core]
        box.op = "" if box.sort == "module" else short(node.op)
        box.category = Category.MODULE if box.sort == "module" else category(node.op)
        box.saved = len({value for i in own for value in self.forward.kept.get(nodes[i].node, ())})
        scope = self.subject.scopes.get(node.scope) if node.scope is not None else None
        if not box.path and scope is not None:
            box.path = scope.path
        specs = [leaves[value] for value in reads]
        if box.sort == "module":
            learned = sum(elements(leaf.spec) for leaf in specs if leaf.kind == "parameter")
            box.note = f"{len(own):,} ops" + (f" · {count_text(learned)} params" if learned else "")
        else:
            named = [
                Parameter(
                    re.split(r"[./]", leaf.name)[-1],
                    shape_text(leaf.spec),
                    leaf.kind == "parameter" and leaf.spec.dtype.startswith(FLOATS),
                    len(users[leaf.value]) > 1,
                )
                for leaf in specs
            ]
            named.sort(key=lambda one: (not one.trained, one.name not in ("weight", "kernel")))
            box.parameters, box.more = named[:4], max(0, len(named) - 4)
            of_kind = category(box.kind)
            if len(own) > 1 and of_kind not in (Category.ELEMENTWISE, box.category):
                box.category, box.op = of_kind, f"{len(own):,} ops"
        box.ill = self._ill(box)
        box.centre = self.subject.centre is not None and self.subject.centre in box.members
        if box.sort != "module" and node.site is not None:
            box.link = self.subject.links.get(node.site, "")
        box.hint = self._hint(box, node, own)

    def _ill(self, box: Box) -> Illness | None:
        found = {self.sick.ill[one] for one in box.members if one in self.sick.ill}
        return "nan" if "nan" in found else "inf" if found else None

    def _hint(self, box: Box, node: NodeSeen, own: list[int]) -> list[str]:
        """The lines of a tooltip: name, place, operation, tensors, source line."""
        lines = [" ".join(filter(None, (box.name, box.kind, f"×{box.repeat}" if box.repeat > 1 else "")))]
        if box.path:
            lines.append(f"module {box.path}")
        if box.sort == "module":
            lines.append(f"{len(own):,} operations" + (" each" if box.repeat > 1 else ""))
        else:
            lines.append(f"op {node.op}")
            lines += [f"out {k}: {said(output)}" for k, output in enumerate(node.outputs[:6])]
            site = self.subject.sites.get(node.site) if node.site is not None else None
            if site is not None:
                lines.append(f"line {place_of(site)}")
        if box.centre:
            lines.append(f"the picture is {self.subject.part}")
        if box.saved:
            lines.append(f"{box.saved} kept for backward")
        return lines
