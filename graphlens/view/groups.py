"""The operations of a picture as a tree: calls of modules, with repeats and overlong lists recognised.

Everything here is linear in the number of operations (times the depth of the modules).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphlens.view.subject import Forward, RegionSort, Subject
from graphlens_tracers.events import ModuleCallId, ScopeId

ROOT = 0
PART = 30
"""An overlong list of operations is cut into parts of about so many."""
PARTS = 40
"""And parts into parts, when there are more of them than this."""


@dataclass
class Group:
    """A call of a module, or a part of an overlong list.

    Attributes:
        parent: Its group; -1 for the root.
        name: Below its parent: "h.0", "attn", "part 2 of 5".
        path: The module's full path; empty for the root and for parts of it.
        kind: The module's class name; empty for the root and for parts.
        items: What it holds, in execution order: an operation's index, or `~group`.
        first, last: The first and the last operation in it.
        size: How many operations are in it, those of inner groups included.
        region: It is no module: a function, a loop, a branch, or a part of one.
    """

    parent: int
    name: str
    path: str
    kind: str
    items: list[int] = field(default_factory=list)
    first: int = -1
    last: int = -1
    size: int = 0
    region: RegionSort | None = None

    @property
    def whole(self) -> bool:
        """Nothing else ran between its operations."""
        return self.last - self.first + 1 == self.size


@dataclass
class Tree:
    """Groups, parents before children; `of` is the innermost group of each operation.

    Attributes:
        copies: For each representative of a repeat, all its copies in order, itself first.
        stands_for: For each other copy, its representative.
    """

    groups: list[Group]
    of: list[int]
    copies: dict[int, list[int]] = field(default_factory=dict)
    stands_for: dict[int, int] = field(default_factory=dict)

    def inner(self, group: int) -> Iterator[int]:
        """The groups directly in a group."""
        return (~item for item in self.groups[group].items if item < 0)

    def depth(self, group: int) -> int:
        """How many groups there are around it; 0 for the root."""
        depth = 0
        while group > ROOT:
            group = self.groups[group].parent
            depth += 1
        return depth

    def around(self, group: int) -> list[int]:
        """The group and all around it, innermost first, without the root."""
        found: list[int] = []
        while group > ROOT:
            found.append(group)
            group = self.groups[group].parent
        return found


def tree_of(subject: Subject, forward: Forward) -> Tree:
    """Group operations by the call of the module they ran in."""
    groups = [Group(-1, "", "", "")]
    known: dict[ModuleCallId, int] = {}
    firsts: dict[tuple[int, ScopeId], int] = {}
    of: list[int] = []
    for i, node in enumerate(forward.nodes):
        group = _group_of(subject, groups, known, firsts, node.module_call)
        of.append(group)
        groups[group].items.append(i)
        at = group
        while at >= 0:
            inside = groups[at]
            inside.first = i if inside.first < 0 else inside.first
            inside.last = i
            inside.size += 1
            at = inside.parent
    for number in range(1, len(groups)):
        groups[groups[number].parent].items.append(~number)
    for inside in groups:
        inside.items.sort(key=lambda item: item if item >= 0 else groups[~item].first)
    tree = Tree(groups, of)
    _unwrap(tree)
    return tree


def _group_of(
    subject: Subject,
    groups: list[Group],
    known: dict[ModuleCallId, int],
    firsts: dict[tuple[int, ScopeId], int],
    call: ModuleCallId | None,
) -> int:
    """The group of a module call, made now if it is new; a call nobody declared is the root.

    Args:
        firsts: By the group around and the module: which call of it the first one here is.
    """
    new: list[ModuleCallId] = []
    while call is not None and call not in known and call in subject.module_calls:
        new.append(call)
        call = subject.module_calls[call].parent
    group = known.get(call, ROOT) if call is not None else ROOT
    for one in reversed(new):
        said = subject.module_calls[one]
        scope = subject.scopes.get(said.scope)
        path, kind = (scope.path, scope.kind) if scope is not None else ("?", "")
        outer = groups[group].path
        name = path[len(outer) + 1 :] if outer and path.startswith(f"{outer}.") else path
        if not name:  # a module that calls itself
            name = path.rpartition(".")[2]
        nth = said.nth - firsts.setdefault((group, said.scope), said.nth)
        region = subject.regions.get(said.scope)
        groups.append(Group(group, f"{name} #{nth + 1}" if nth > 0 else name, path, kind, region=region))
        group = known[one] = len(groups) - 1
    return group


def _unwrap(tree: Tree) -> None:
    """Take away frames that say nothing: around the whole model, and around a single other one."""
    groups = tree.groups
    for number in range(1, len(groups)):
        outer = groups[number]
        if len(outer.items) == 1 and outer.items[0] < 0:
            inner = groups[~outer.items[0]]
            if outer.region == "function":
                put_in_place(tree, number)
                continue
            inner.name = f"{outer.name}.{inner.name}"
            put_in_place(tree, number)
    while len(tops := list(tree.inner(ROOT))) == 1:
        top = groups[tops[0]]
        if top.region == "flow" or 2 * top.size <= groups[ROOT].size or len(top.items) < 2:
            break
        put_in_place(tree, tops[0])
        if top.region is None:
            break


def put_in_place(tree: Tree, number: int) -> None:
    """Put what a group holds into its parent, where the group was."""
    group = tree.groups[number]
    parent = tree.groups[group.parent]
    at = parent.items.index(~number)
    parent.items[at : at + 1] = group.items
    for item in group.items:
        if item < 0:
            tree.groups[~item].parent = group.parent
        else:
            tree.of[item] = group.parent
    group.items = []
    group.size = 0


def gather(tree: Tree, number: int, items: list[int], name: str) -> int:
    """A new group of these items of a group; the caller puts it in their place."""
    part = Group(number, name, tree.groups[number].path, "", items)
    at = len(tree.groups)
    tree.groups.append(part)
    for item in items:
        if item >= 0:
            tree.of[item] = at
        else:
            tree.groups[~item].parent = at
    first, last = items[0], items[-1]
    part.first = first if first >= 0 else tree.groups[~first].first
    part.last = last if last >= 0 else tree.groups[~last].last
    part.size = sum(1 if item >= 0 else tree.groups[~item].size for item in items)
    return at


# ── parts ────────────────────────────────────────────────────────────────────────────────────


def cut(tree: Tree, forward: Forward, most: int, at_root: int) -> None:
    """Cut lists of more than `most` items into parts, where the fewest tensors cross.

    The outermost list must be shown, so it is cut earlier: it is not all that there is to see.
    """

    def shown(number: int) -> list[int]:
        return [item for item in tree.groups[number].items if ~item not in tree.stands_for]

    for number in range(len(tree.groups)):
        while len(items := shown(number)) > (at_root if number == ROOT else most):
            _cut_one(tree, forward, number, items)


def _cut_one(tree: Tree, forward: Forward, number: int, shown: list[int]) -> None:
    """Replace the items of one group by parts of it."""
    group = tree.groups[number]
    per = max(PART, -(-len(shown) // PARTS)) if len(shown) <= PART * PARTS else PART
    crossing = _crossing(tree, forward, group, shown)
    cuts = [0]
    while len(shown) - cuts[-1] > per * 5 // 4:
        low, high = cuts[-1] + per * 3 // 4, cuts[-1] + per * 5 // 4
        cuts.append(min(range(low, high), key=lambda at: (crossing[at], abs(at - low - per // 4))))
    cuts.append(len(shown))
    copies = {item: [~copy for copy in tree.copies.get(~item, ())][1:] for item in shown if item < 0}
    parts: list[int] = []
    for k, (start, stop) in enumerate(itertools.pairwise(cuts)):
        held: list[int] = []
        for item in shown[start:stop]:
            held += [item, *copies.get(item, ())]
        parts.append(~gather(tree, number, held, f"part {k + 1} of {len(cuts) - 1}"))
    group.items = parts


def _crossing(tree: Tree, forward: Forward, group: Group, shown: list[int]) -> list[int]:
    """For each position in the list, how many operations before it are read behind it."""
    place: dict[int, int] = {}
    starts = [item if item >= 0 else tree.groups[~item].first for item in shown]
    at = 0
    for i in range(group.first, group.last + 1):
        while at + 1 < len(starts) and starts[at + 1] <= i:
            at += 1
        place[i] = at
    change = [0] * (len(shown) + 1)
    for i, here in place.items():
        furthest = max((place[user] for user in forward.users[i] if user in place), default=here)
        if furthest > here:
            change[here + 1] += 1
            change[furthest + 1] -= 1
    total = 0
    crossing: list[int] = []
    for step in change:
        total += step
        crossing.append(total)
    return crossing
