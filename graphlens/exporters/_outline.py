"""A whole graph as plain data for a page that opens and closes modules by itself.

The same operations, modules, repeats and parts as in a picture (`graphlens.view`), each phase a tree of
its own. For every module the rows that its items stand in are worked out here, by the layout that
draws pictures; the page only measures how wide and high they are, which changes as modules are opened.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphlens.categories import category
from graphlens.exporters._chosen import Chosen, subject_of, telling
from graphlens.layered import Item, Line, columns
from graphlens.letters import elements, shape_text, spec_text
from graphlens.plain import inside, number, shown_path
from graphlens.text import clean, clean_line, lines_of
from graphlens.view import FULL
from graphlens.view.folding import fold
from graphlens.view.groups import ROOT, Tree, cut, gather, tree_of
from graphlens.view.subject import Forward, Illness, Illnesses, Subject, forward_of, illnesses
from graphlens_tracers.events import GraphId, NodeId, Phase, ValueId

if TYPE_CHECKING:
    from graphlens.store import Call, Process

SHOWN = 40
"""Boxes that are open at first, at most."""
GRAPHS = 40
"""Functions, branches and loop bodies that come along, at most."""
MOST = 60
"""Items of one module that are not cut into parts."""
_Key = tuple[str, int]
"""An item of a group: ("op", i), ("group", number) or ("pill", order); or a port of it."""
_Line = tuple[_Key, _Key]
ENDS = 8
"""More inputs than this are drawn together where the same operations read them."""
IN, OUT = ("in", 0), ("out", 0)
"""Where lines come into a module, and where they leave it."""

_SLASH_OR_DOT = re.compile(r"[./]")
Data = dict[str, Any]  # Any: JSON


@dataclass
class Outline:
    """What the page is given; each list is referred to by index."""

    strings: dict[str, int] = field(default_factory=dict)
    groups: list[list[Any]] = field(default_factory=list)
    layouts: dict[str, int] = field(default_factory=dict)
    laid_out: dict[object, int] = field(default_factory=dict)
    ops: list[list[Any]] = field(default_factory=list)
    place: dict[NodeId, int] = field(default_factory=dict)
    sections: list[Data] = field(default_factory=list)

    def string(self, said: str, longest: int = 200) -> int:
        """The number of a text, made safe to show."""
        return self.strings.setdefault(clean(said, longest), len(self.strings))


def outline(
    picked: Chosen,
    cwd: str = "",
    phase: str = "auto",
    depth: int | None = None,
    part: Callable[[Subject], Subject] = lambda whole: whole,
) -> Data:
    """The graph and those that are entered in it, their health, and what is known of each operation.

    Args:
        phase: "backward": the page begins with that half.
        depth: Levels of modules that are open at first; None: as many as a person can take in.
        part: What is to be shown of the chosen graph; what is entered in it is there as a whole.
    """
    made = Outline()
    subject = part(subject_of(picked))
    facts = _Facts(made, picked.process, cwd)
    entered: dict[GraphId, int] = {}
    ill: dict[int, str] = {}
    born: list[int] = []
    called, enters = _called(picked)
    for one in [picked, *called]:
        told = subject if one is picked else subject_of(one)
        if not subject.ill:
            told = replace(told, ill={})
        sick = illnesses(told)
        facts.read(one, told)
        entered[one.seen.graph] = len(made.sections)
        for first, name, half in _phases(told):
            named = (
                name
                if one is picked
                else clean(one.seen.name)
                if first
                else f"{clean(one.seen.name)}: {name}"
            )
            _section(made, named, half, sick, fed=first, depth=depth)
        ill |= {made.place[node]: which for node, which in sick.ill.items() if node in made.place}
        born += [made.place[node] for node in sick.births if node in made.place]
    names = [section["name"] for section in made.sections]
    return {
        "schema": "graphlens/page/2",
        "title": clean(f"{picked.seen.name} · {subject.part}" if subject.part else picked.seen.name),
        "said": [clean(one) for one in _said(subject)],
        "missing": [clean(one) for one in subject.missing],
        "strings": list(made.strings),
        "groups": made.groups,
        "layouts": [json.loads(one) for one in made.layouts],
        "ops": made.ops,
        "categories": {str(at): str(category(op)) for op, at in facts.names.items()},
        "leaves": facts.leaves,
        "lines": facts.lines,
        "links": facts.links if subject.links else {},
        "sections": made.sections,
        "enters": {
            str(made.place[node]): [entered[graph] for graph in graphs if graph in entered]
            for node, graphs in enters.items()
            if node in made.place and graphs
        },
        "ill": {str(op): which for op, which in ill.items()},
        "born": born,
        "start": names.index(phase) if phase in names else 0,
    }


def _said(subject: Subject) -> list[str]:
    """What the page says of itself: step, framework, and what of the graph is not there."""
    return [*subject.said, *([f"not in this part: {subject.outside:,} ops"] if subject.outside else [])]


def _called(picked: Chosen) -> tuple[list[Chosen], dict[NodeId, list[GraphId]]]:
    """The graphs that operations enter, branches and loop bodies, with a call of each; and who enters which.

    What ran says that: an operation of a loop is declared with its condition alone.
    """
    process, inside = picked.process, picked.call
    calls: dict[GraphId, list[Call]] = {}
    enters: dict[NodeId, list[GraphId]] = {}
    for call in process.calls():
        if (
            inside is not None
            and inside.first <= call.first
            and call.last <= inside.last
            and call.at is not None
        ):
            calls.setdefault(call.graph, []).append(call)
            if call.graph not in enters.setdefault(call.at, []):
                enters[call.at].append(call.graph)
    known = {seen.graph: seen for seen in process.graphs()}
    found = [picked]
    done = {picked.seen.graph}
    for one in found:
        for node in process.order(one.seen.graph):
            declared = process.nodes[node].calls
            graphs = enters.setdefault(node, [])
            if declared is not None and declared not in graphs:
                graphs.append(declared)
            for graph in graphs:
                if graph not in done and graph in known and len(found) <= GRAPHS:
                    done.add(graph)
                    shown = telling(process, calls.get(graph, []))
                    found.append(picked._replace(seen=known[graph], call=shown))
    return found[1:], enters


def _phases(subject: Subject) -> list[tuple[bool, str, Subject]]:
    """What is drawn for itself: first the forward pass with its data, the backward pass, what remains."""
    drawn = {node.node for node in forward_of(subject).nodes}
    has_forward = any(node.phase is Phase.FORWARD for node in subject.nodes)
    parts: dict[str, list[Any]] = {"forward" if has_forward else "all": []}
    first = next(iter(parts))
    for node in subject.nodes:
        early = node.phase in (Phase.FORWARD, Phase.DATA) or not has_forward or node.node in drawn
        name = "backward" if node.phase is Phase.BACKWARD else first if early else str(node.phase)
        parts.setdefault(name, []).append(node)
    order = [first, "backward", "optimizer"]
    names = [*(name for name in order if name in parts), *(name for name in parts if name not in order)]
    # The forward half is given everything: what the backward reads says what it was all for.
    return [
        (name == first, name, subject if name == first else replace(subject, nodes=parts[name]))
        for name in names
        if parts[name]
    ]


# ── what is known of an operation ────────────────────────────────────────────────────────────


class _Facts:
    """Looks up operations: a list each, as short as can be, for there may be thousands."""

    def __init__(self, made: Outline, process: Process, cwd: str) -> None:
        self.made, self.process, self.cwd = made, process, cwd
        self.leaves: list[list[int]] = []
        self.lines: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.names: dict[str, int] = {}
        self._leaf: dict[int, int] = {}
        self._reads: dict[NodeId, tuple[ValueId | None, ...]] = {}
        self._makers: dict[ValueId, tuple[NodeId, int]] = {}
        self._sources: dict[str, list[str]] = {}

    def read(self, picked: Chosen, subject: Subject) -> None:
        """Put the operations of a graph into the outline."""
        flat, self.subject = self.process.flat(picked.seen.graph), subject
        self._reads, self._makers = flat.reads, {}
        for one in flat.nodes:
            for slot, output in enumerate(one.outputs):
                self._makers.setdefault(output.value, (one.node, slot))
        self._ran, self._specs = _ran(picked), _specs(picked)
        for node in subject.nodes:
            if node.node in self.made.place:
                continue
            self.made.place[node.node] = len(self.made.ops)
            self.made.ops.append(self.op(node.node))

    def op(self, node: NodeId) -> list[Any]:
        """[op, module, phase, file, line, seq, took_ns, outputs, inputs, twin, arguments]; -1: none."""
        made, process = self.made, self.process
        seen = process.nodes[node]
        site = process.site_of(seen)
        file = line = -1
        if site is not None:
            file, line = made.string(shown_path(site.file, self.cwd)), site.line
            self._line(site.file, file, line)
            if leads := self.subject.links.get(site.site):
                self.links[f"{file}:{line}"] = leads
        seq, took, ranges = self._ran.get(node, (-1, -1, {}))
        outputs = [
            [made.string(spec_text(spec)), *(_short(one) for one in ranges.get(slot, ()))]
            for slot, spec in enumerate(self._specs.get(node) or [output.spec for output in seen.outputs])
        ]
        inputs = [self._input(value) for value in self._reads[node]]
        twin = -1 if seen.twin is None else self.made.place.get(seen.twin, -1)
        form = made.string(seen.form, 160)
        module = made.string(inside(process.scope_path(seen)))
        phase = made.string(str(seen.phase))
        op = self.names.setdefault(seen.op, made.string(seen.op))
        return [op, module, phase, file, line, seq, took, outputs, inputs, twin, form]

    def _input(self, value: ValueId | None) -> int | list[int] | None:
        """The operation that makes it, with its slot unless that is 0; `~leaf`; null for no value."""
        if value is None:
            return None
        maker = self._makers.get(value)
        if maker is not None and maker[0] in self.made.place:
            at = self.made.place[maker[0]]
            return at if maker[1] == 0 else [at, maker[1]]
        if value not in self._leaf:
            leaf = self.subject.leaves.get(value)
            self._leaf[value] = len(self.leaves)
            said = ("?", "unknown", "?") if leaf is None else (leaf.name, leaf.kind, spec_text(leaf.spec))
            self.leaves.append([self.made.string(one) for one in said])
        return ~self._leaf[value]

    def _line(self, path: str, file: int, line: int) -> None:
        key = f"{file}:{line}"
        if key in self.lines:
            return
        if path not in self._sources:
            source = self.process.source(path)
            self._sources[path] = lines_of(source) if source else []
        lines = self._sources[path]
        if 1 <= line <= len(lines):
            self.lines[key] = clean_line(lines[line - 1].strip(), 300)


def _short(value: float) -> float | str | None:
    """A number in as many digits as people read."""
    told = number(value)
    return float(f"{told:.4g}") if isinstance(told, float) else told


def _ran(picked: Chosen) -> dict[NodeId, tuple[int, int, dict[int, tuple[float, float]]]]:
    """How each operation went in the call that is shown: its number, its time, the range of each output."""
    process, call = picked.process, picked.call
    if call is None or call.last < call.first:
        return {}
    rows = process.rows(call.first, call.last + 1)
    ranges = process.ranges(call.first, call.last + 1)
    offsets, slots = ranges.offsets.tolist(), ranges.slot.tolist()
    lows, highs = ranges.low.tolist(), ranges.high.tolist()
    found: dict[NodeId, tuple[int, int, dict[int, tuple[float, float]]]] = {}
    columns = zip(rows.seq.tolist(), rows.node.tolist(), rows.call.tolist(), rows.took.tolist(), strict=True)
    for k, (seq, node, of, took) in enumerate(columns):
        if of == call.call:
            mine = range(offsets[k], offsets[k + 1])
            numbers = {slots[j]: (lows[j], highs[j]) for j in mine if not lows[j] > highs[j]}
            found[NodeId(node)] = seq, took, numbers
    return found


def _specs(picked: Chosen) -> dict[NodeId, tuple[Any, ...]]:
    """What the outputs were in the call that is shown, where that is not as declared."""
    process, call = picked.process, picked.call
    if call is None or not call.shapes:
        return {}
    return {node: process.specs(call, node) for node in process.order(call.graph)}


# ── the tree of a phase ──────────────────────────────────────────────────────────────────────


def _section(
    made: Outline, name: str, subject: Subject, sick: Illnesses, *, fed: bool, depth: int | None
) -> None:
    forward = forward_of(subject)
    if not forward.nodes:
        return
    ill: dict[int, Illness] = {
        i: sick.ill[node.node] for i, node in enumerate(forward.nodes) if node.node in sick.ill
    }
    tree = tree_of(subject, forward)
    fold(tree, subject, forward, ill)
    _wrap_copies(tree)
    cut(tree, forward, MOST, SHOWN)
    base = len(made.groups)
    pills = _pills(made, subject, forward) if fed else []
    lines = _lines(tree, forward, pills)
    for at, group in enumerate(tree.groups):
        # The numbers of operations are those of the page; a module is ~its number.
        items = [_of(made, forward, item) if item >= 0 else ~(base + ~item) for item in group.items]
        if at == ROOT:
            items = [*(pill for pill, _ in pills), *items]
        layout = _layout(made, tree, at, lines[at], len(pills)) if group.items else -1
        parent = base + group.parent if group.parent >= 0 else -1
        told = made.string(group.name or name), made.string(group.kind)
        made.groups.append([*told, parent, group.size, layout, items])
    homes = {made.place[node]: _of(made, forward, i) for node, i in forward.through.items() if i >= 0}
    params = {
        str(_of(made, forward, i)): said
        for i in range(len(forward.nodes))
        if (said := _params(made, subject, forward, i))
    }
    born = [i for i, node in enumerate(forward.nodes) if node.node in set(sick.births)]
    opened = _opened(tree, born, depth)
    made.sections.append(
        {
            "name": name,
            "root": base,
            "open": [base + at for at in opened],
            "homes": {str(node): home for node, home in homes.items()},
            "params": params,
        }
    )


def _of(made: Outline, forward: Forward, i: int) -> int:
    return made.place[forward.nodes[i].node]


def _params(made: Outline, subject: Subject, forward: Forward, i: int) -> list[int]:
    """ "weight 64×64" of each parameter and buffer that an operation reads."""
    found = []
    for read in forward.reads[i]:
        leaf = subject.leaves.get(read.value) if read.maker < 0 else None
        if leaf is not None and leaf.kind in ("parameter", "buffer"):
            found.append(made.string(f"{_SLASH_OR_DOT.split(leaf.name)[-1]} {shape_text(leaf.spec)}"))
    return found[:6]


def _pills(made: Outline, subject: Subject, forward: Forward) -> list[tuple[int, list[int]]]:
    """What is fed in, as items of the outermost level: the place of each in the list, and who reads it."""
    fed: dict[int, list[int]] = {}
    for i, row in enumerate(forward.reads):
        for read in row:
            leaf = subject.leaves.get(read.value) if read.maker < 0 else None
            if leaf is not None and leaf.kind in ("batch", "argument") and elements(leaf.spec):
                fed.setdefault(read.value, []).append(i)
    together: dict[object, list[int]] = {}
    for value, readers in fed.items():
        together.setdefault(tuple(readers) if len(fed) > ENDS else value, []).append(value)
    found: list[tuple[int, list[int]]] = []
    for values in together.values():
        leaf = subject.leaves[ValueId(values[0])]
        name = (leaf.name or leaf.kind) if len(values) == 1 else f"{len(values)} inputs"
        outputs = [[made.string(spec_text(leaf.spec))]] if len(values) == 1 else []
        found.append((len(made.ops), fed[values[0]]))
        told = [made.string(one) for one in (name, "", leaf.kind)]
        made.ops.append([*told, -1, -1, -1, -1, outputs, [], -1, -1])
    return found


def _wrap_copies(tree: Tree) -> None:
    """Put the copies of a repeat into a group of their own, to be opened one by one."""
    for first, copies in list(tree.copies.items()):
        number = tree.groups[first].parent
        group = tree.groups[number]
        if len(copies) < 2 or group.items == [~one for one in copies]:
            continue
        at = group.items.index(~first)
        head, last = tree.groups[first], tree.groups[copies[-1]]
        common = head.name.rpartition(".")[0]
        alike = last.name.rpartition(".")[0] == common and last.name != head.name
        name = f"{head.name}–{last.name.rpartition('.')[2]}" if alike else head.name
        made = gather(tree, number, [~one for one in copies], name)
        tree.groups[made].kind = f"{head.kind} ×{len(copies)}".strip()
        group.items[at : at + len(copies)] = [~made]
    tree.copies.clear()
    tree.stands_for.clear()


def _lines(tree: Tree, forward: Forward, pills: Sequence[tuple[int, list[int]]]) -> list[dict[_Line, None]]:
    """For each group the lines between its items, and from and to its border; each once."""
    found: list[dict[_Line, None]] = [{} for _ in tree.groups]
    around = [[tree.of[i], *_outer(tree, tree.of[i])] for i in range(len(forward.nodes))]

    def cross(item: _Key, groups: Iterable[int], *, into: bool) -> _Key:
        """The item through which a line leaves, or comes into, these groups, innermost first."""
        for group in groups:
            found[group][(IN, item) if into else (item, OUT)] = None
            item = "group", group
        return item

    for i, row in enumerate(forward.reads):
        for read in row:
            if read.maker < 0:
                continue
            mine, theirs = around[i], around[read.maker]
            common = next(group for group in mine if group in theirs)
            source = cross(("op", read.maker), theirs[: theirs.index(common)], into=False)
            found[common][source, cross(("op", i), mine[: mine.index(common)], into=True)] = None
    for order, (_, readers) in enumerate(pills):
        for i in readers:
            found[ROOT][("pill", order), cross(("op", i), around[i][:-1], into=True)] = None
    return found


def _outer(tree: Tree, group: int) -> list[int]:
    found = []
    while group != ROOT:
        group = tree.groups[group].parent
        found.append(group)
    return found


def _layout(made: Outline, tree: Tree, number: int, lines: Mapping[_Line, None], pills: int) -> int:
    """Rows of points and the way of each line through them; groups of equal structure share one.

    Points are the items, in their order; then where lines come in and go out, if any do; then where a
    line passes a row.
    """
    items = tree.groups[number].items
    order: list[_Key] = [("pill", at) for at in range(pills)] if number == ROOT else []
    order += [("op", item) if item >= 0 else ("group", ~item) for item in items]
    count = len(order)
    ports = [port for port in (IN, OUT) if any(port in line for line in lines)]
    # `columns` wants every line's source before its target.
    sequence = [*(port for port in ports if port == IN), *order, *(port for port in ports if port == OUT)]
    place = {key: at for at, key in enumerate(sequence)}
    # Modules can read each other by turns: such a line is laid out the other way round.
    wanted = sorted({(place[source], place[target]) for source, target in lines})
    structure = (count, *ports, *wanted)
    if structure in made.laid_out:
        return made.laid_out[structure]
    box, port = Item(60.0, 60.0, 15.0, 15.0), Item(4.0, 4.0, 0.0, 0.0)
    sizes = [port if key in (IN, OUT) else box for key in sequence]
    found = columns(sizes, [Line(min(pair), max(pair), key=min(pair)) for pair in wanted])
    # And back to the page's numbers: items first.
    number_of = {place[key]: at for at, key in enumerate([*order, *ports])}
    rows = [[number_of.get(point, point) for point in row] for row in found.rows]
    routes = [
        [number_of.get(point, point) for point in (route if source < target else reversed(route))]
        for (source, target), route in zip(wanted, found.routes, strict=True)
    ]
    known = {
        "items": count,
        "in": count if IN in ports else -1,
        "out": count + len(ports) - 1 if OUT in ports else -1,
        "rows": rows,
        "routes": routes,
    }
    at = made.layouts.setdefault(json.dumps(known, separators=(",", ":")), len(made.layouts))
    made.laid_out[structure] = at
    return at


# ── what is open at first ────────────────────────────────────────────────────────────────────


def _opened(tree: Tree, born: Iterable[int], depth: int | None) -> list[int]:
    """The groups that are open at first: those around a birth, then the outer and the larger ones."""
    opened = {ROOT}
    visible = len(tree.groups[ROOT].items)

    def open_up(group: int) -> None:
        nonlocal visible
        if group not in opened:
            opened.add(group)
            visible += len(tree.groups[group].items) - 1

    for i in itertools.islice(born, 1):
        for group in reversed([tree.of[i], *_outer(tree, tree.of[i])]):
            open_up(group)
    waiting: list[tuple[int, int, int]] = []

    def offer(group: int) -> None:
        for inner in tree.inner(group):
            if len(tree.groups[inner].items) > 1:
                heapq.heappush(waiting, (tree.depth(inner), -tree.groups[inner].size, inner))

    for group in sorted(opened):
        offer(group)
    while waiting:
        level, _, group = heapq.heappop(waiting)
        if depth is not None:
            if level <= depth and visible < FULL:
                open_up(group)
                offer(group)
            continue
        if group in opened or visible + len(tree.groups[group].items) - 1 > SHOWN:
            continue
        open_up(group)
        offer(group)
    return sorted(opened)
