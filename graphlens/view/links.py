"""Which links a picture has, what comes in and what goes out, and the path that is drawn straight."""

from __future__ import annotations

from graphlens.categories import Category, fresh
from graphlens.letters import elements, size_bytes, spec_text
from graphlens.view.boxes import Boxes
from graphlens.view.model import Box, Link, one_text, said
from graphlens.view.subject import FEW
from graphlens_tracers.events import LeafSeen, ValueId

UNNAMED = {"batch": "input", "earlier": "from before", "unknown": "from elsewhere"}
"""How a leaf without a name is called."""
ENDS = 8
"""More inputs than this are drawn together where the same boxes read them; more results not at all."""


def _has_pill(leaf: LeafSeen) -> bool:
    """It is drawn, and not a line in the cards that read it or a number of the program."""
    if leaf.kind in ("parameter", "buffer"):
        return False
    few = 0 if leaf.kind == "batch" else FEW if leaf.kind == "constant" else 1
    return elements(leaf.spec) > few


class Drawing(Boxes):
    """Boxes with their links; at the end, in execution order."""

    def connect(self, full: bool) -> None:
        """Draw the links, and join what only moves numbers about."""
        self._link()
        self._inputs_and_results()
        if not full:
            self._chain()
        self._tags()
        self._trunk()
        self._mark_illness()

    # ── links ────────────────────────────────────────────────────────────────────────────────

    def _link(self) -> None:
        """One link for all tensors from one box to another; links inside folded copies are drawn once."""
        nodes = self.forward.nodes
        between: dict[tuple[int, int], dict[tuple[int, int], bool]] = {}
        for i, row in enumerate(self.forward.reads):
            if self.extra[i]:
                continue
            for read in row:
                if read.maker >= 0 and self.place[read.maker] != self.place[i]:
                    pair = (self.place[read.maker], self.place[i])
                    tensors = between.setdefault(pair, {})
                    key = (self._like(read.maker), read.slot)
                    passes = not read.cut and not fresh(nodes[read.maker].op)
                    tensors[key] = tensors.get(key, False) or passes
                    self.leaving.setdefault(pair[0], {})[key] = None
        for (source, target), tensors in between.items():
            outputs = [nodes[maker].outputs[slot] for maker, slot in tensors]
            floats = [output.spec.dtype.startswith(("float", "bfloat", "complex")) for output in outputs]
            passes = any(passed and real for passed, real in zip(tensors.values(), floats, strict=True))
            one = next(iter(tensors))
            self.links.append(
                Link(
                    source,
                    target,
                    len(tensors),
                    differentiable=passes,
                    size_bytes=sum(size_bytes(output.spec) for output in outputs),
                    hint=[f"{self.boxes[source].name} → {self.boxes[target].name}"]
                    + [said(output) for output in outputs[:8]],
                    value=one if len(tensors) == 1 else (-1, len(self.links)),
                )
            )
        self._controls()

    def _controls(self) -> None:
        by_id = {node.node: i for i, node in enumerate(self.forward.nodes)}
        known = {(link.source, link.target) for link in self.links}
        for i, node in enumerate(self.forward.nodes):
            for before in node.controls:
                maker = by_id.get(before)
                if maker is None or self.extra[i] or self.place[maker] == self.place[i]:
                    continue
                pair = (self.place[maker], self.place[i])
                if pair not in known:
                    known.add(pair)
                    hint = [f"{self.boxes[pair[0]].name} runs before {self.boxes[pair[1]].name}"]
                    self.links.append(Link(*pair, 0, differentiable=False, control=True, hint=hint))

    # ── ends ─────────────────────────────────────────────────────────────────────────────────

    def ends(self) -> int:
        """How many pills there are for that, at most."""
        read = {read.value for row in self.forward.reads for read in row if read.maker < 0}
        leaves = sum(
            1 for value in read if value in self.subject.leaves and _has_pill(self.subject.leaves[value])
        )
        results = len(self.forward.results)
        return min(leaves, ENDS) + (results if results <= ENDS else 0)

    def _inputs_and_results(self) -> None:
        """Pills for what comes in and for what it was all for."""
        readers: dict[ValueId, dict[int, int]] = {}
        for i, row in enumerate(self.forward.reads):
            for read in row:
                leaf = self.subject.leaves.get(read.value) if read.maker < 0 else None
                if leaf is not None and not self.extra[i] and _has_pill(leaf):
                    readers.setdefault(leaf.value, {}).setdefault(self.place[i], i)
        together: dict[object, list[LeafSeen]] = {}
        for value, boxes in readers.items():
            leaf = self.subject.leaves[value]
            key = (leaf.kind == "batch", *sorted(boxes)) if len(readers) > ENDS else value
            together.setdefault(key, []).append(leaf)
        for leaves in together.values():
            self._input(leaves, readers[leaves[0].value])
        if len(self.forward.results) <= ENDS:
            for i in self.forward.results:
                self._result(i)

    def _input(self, leaves: list[LeafSeen], boxes: dict[int, int]) -> None:
        batch = leaves[0].kind == "batch"
        name = leaves[0].name or UNNAMED.get(leaves[0].kind, leaves[0].kind)
        if len(leaves) > 1:
            name = f"{len(leaves)} " + ("inputs" if batch else "tensors from before")
        frames = [self._around(self.boxes[at].frame) for at in boxes]
        common = [frame for frame in frames[0] if all(frame in other for other in frames)]
        box = Box(
            "input" if batch else "constant", name, category=Category.ENDPOINT if batch else Category.VIEW
        )
        box.frame = -1 if batch or not common else common[0]
        box.hint = [f"{leaf.kind} {leaf.name}: {spec_text(leaf.spec)}" for leaf in leaves[:8]]
        box.tag = spec_text(leaves[0].spec) if len(leaves) == 1 else ""
        at = self._box(box, -1 if batch else min(self.first[one] for one in boxes) - 0.5)
        for target in boxes:
            hint = [f"{name} → {self.boxes[target].name}", *box.hint]
            size = sum(size_bytes(leaf.spec) for leaf in leaves)
            self.links.append(
                Link(
                    at, target, len(leaves), differentiable=False, size_bytes=size, hint=hint, value=(-1, -1)
                )
            )

    def _around(self, frame: int) -> list[int]:
        """The frame and those around it, innermost first."""
        found: list[int] = []
        while frame >= 0:
            found.append(frame)
            frame = self.frames[frame].parent
        return found

    def _result(self, i: int) -> None:
        node = self.forward.nodes[i]
        output = node.outputs[0] if node.outputs else None
        part = node.node in self.subject.ends
        loss = self.forward.trained and output is not None and elements(output.spec) == 1 and not part
        box = Box("output", "loss" if loss else "output", category=Category.ENDPOINT)
        box.note = spec_text(output.spec) if output is not None else ""
        box.hint = [f"{box.name} {box.note}"]
        at = self._box(box, len(self.place))
        if output is not None:
            self.leaving.setdefault(self.place[i], {})[(i, 0)] = None
            self.links.append(
                Link(self.place[i], at, hint=[f"{self.boxes[self.place[i]].name} → {box.name}"], value=(i, 0))
            )

    # ── finish ───────────────────────────────────────────────────────────────────────────────

    def _chain(self) -> None:
        """Make one pill of operations that follow each other and only move numbers about."""
        out: dict[int, list[Link]] = {}
        into: dict[int, list[Link]] = {}
        for link in self.links:
            out.setdefault(link.source, []).append(link)
            into.setdefault(link.target, []).append(link)
        following: dict[int, int] = {}
        for at, box in enumerate(self.boxes):
            links = out.get(at, [])
            if box.sort == "op" and box.small and len(links) == 1 and links[0].tensors == 1:
                other = self.boxes[links[0].target]
                alike = other.frame == box.frame and other.ill == box.ill and other.repeat == box.repeat
                if other.sort == "op" and other.small and len(into[links[0].target]) == 1 and alike:
                    following[at] = links[0].target
        gone: dict[int, int] = {}
        for head in sorted(set(following) - set(following.values())):
            chain = [head]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            self._join(chain)
            gone.update(dict.fromkeys(chain[1:], head))
        if gone:
            kept = [
                link for link in self.links if gone.get(link.source, link.source) != gone.get(link.target, -1)
            ]
            for link in kept:
                link.source = gone.get(link.source, link.source)
            self.links = kept
            self._forget(gone)

    def _join(self, chain: list[int]) -> None:
        """The first box of a chain says and carries all of it."""
        head, last = self.boxes[chain[0]], self.boxes[chain[-1]]
        names: list[list[str]] = []
        for at in chain:
            name = self.boxes[at].name.removeprefix("_").replace("unsafe_view", "view")
            if names and names[-1][0] == name:
                names[-1].append(name)
            else:
                names.append([name])
        said = [same[0] if len(same) == 1 else f"{same[0]}×{len(same)}" for same in names]
        head.hint = [
            f"{len(chain)} operations that compute nothing",
            *[line for at in chain for line in self.boxes[at].hint[1:] if not line.startswith("module ")][
                :16
            ],
        ]
        head.sort, head.name = "chain", " › ".join(said if len(said) <= 4 else [*said[:2], "…", said[-1]])
        for at in chain[1:]:
            head.members += self.boxes[at].members
            head.own += self.boxes[at].own
        head.centre = any(self.boxes[at].centre for at in chain)
        head.saved = sum(self.boxes[at].saved for at in chain)
        if chain[-1] in self.leaving:
            self.leaving[chain[0]] = self.leaving[chain[-1]]
        del last

    def _forget(self, gone: dict[int, int]) -> None:
        """Take boxes out, and number the others anew."""
        kept = [at for at in range(len(self.boxes)) if at not in gone]
        self._renumber(kept)

    def _renumber(self, order: list[int]) -> None:
        """Put the boxes into this order; links and tags follow."""
        new = {old: at for at, old in enumerate(order)}
        self.boxes = [self.boxes[old] for old in order]
        self.first = [self.first[old] for old in order]
        self.leaving = {new[old]: keys for old, keys in self.leaving.items() if old in new}
        for link in self.links:
            link.source, link.target = new[link.source], new[link.target]

    def _tags(self) -> None:
        for at, keys in self.leaving.items():
            outputs = [self.forward.nodes[i].outputs[slot] for i, slot in keys]
            self.boxes[at].tag = one_text(outputs)

    def _trunk(self) -> None:
        """Order the boxes by execution, and find the path with the most work on it: it is drawn straight."""
        order = sorted(range(len(self.boxes)), key=lambda at: (self.first[at], at))
        self._renumber(order)
        into: dict[int, list[Link]] = {}
        for link in self.links:
            if link.source < link.target and not link.control:
                into.setdefault(link.target, []).append(link)
        best: list[float] = []
        by: list[Link | None] = []
        for at, box in enumerate(self.boxes):
            work = 0.2 if box.small else 1 + 0.05 * min(40, len(box.members))
            links = into.get(at, [])
            found = max(links, key=lambda link: best[link.source], default=None)
            best.append(work + (best[found.source] if found else 0))
            by.append(found)
        ends = [at for at, box in enumerate(self.boxes) if box.sort == "output"] or list(range(len(by)))[-1:]
        for end in ends:
            above = by[end]
            while above is not None and not above.trunk:
                above.trunk = True
                above = by[above.source]

    def _mark_illness(self) -> None:
        number = {node: k + 1 for k, node in enumerate(self.sick.births)}
        for box in self.boxes:
            box.born = min((number[one] for one in box.members if one in number), default=0)
        for link in self.links:
            target = self.boxes[link.target]
            link.hot = bool(self.boxes[link.source].ill) and bool(target.ill or target.sort == "output")
            if link.hot and target.sort == "output":
                target.ill = self.boxes[link.source].ill
