"""Repeats: equal neighbours drawn once, whether they are modules or the rounds of a loop.

Linear in the number of operations, times the depth of the modules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphlens.letters import elements
from graphlens.view.groups import Group, Tree, gather, put_in_place
from graphlens.view.subject import Forward, Illness, Subject
from graphlens_tracers.events import ValueId

ROUNDS = 3
"""Fewer equal rounds of operations than this are drawn as they are."""
PERIOD = 64
"""Longer rounds are not looked for."""

Spans = dict[ValueId, tuple[int, int]]
"""The first and the last operation that read a leaf."""

# ── copies ───────────────────────────────────────────────────────────────────────────────────


def fold(tree: Tree, subject: Subject, forward: Forward, ill: Mapping[int, Illness]) -> None:
    """Recognise neighbouring groups of equal structure, wiring and health as copies of the first.

    Copies follow each other without an operation between them, and each is fed by the one before
    in the same way (a chain), or all are fed and read alike (branches).
    """
    marks = _marks(tree, subject, forward, ill)
    if _wrap_rounds(tree, subject, forward, marks):
        marks = _marks(tree, subject, forward, ill)
    spans = _spans(forward)
    results = set(forward.results)
    for group in tree.groups:
        items = group.items
        at = 0
        while at < len(items):
            stop = at + 1
            if items[at] < 0 and tree.groups[~items[at]].size > 1:
                stop = _run(tree, subject, forward, marks[1], spans, results, items, at)
            if stop - at > 1:
                numbers = [~item for item in items[at:stop]]
                tree.copies[numbers[0]] = numbers
                tree.stands_for.update(dict.fromkeys(numbers[1:], numbers[0]))
            at = stop
    for number in range(1, len(tree.groups)):  # a frame around nothing but copies says nothing
        group = tree.groups[number]
        if (
            group.items
            and group.items[0] < 0
            and len(tree.copies.get(~group.items[0], ())) == len(group.items)
        ):
            for item in group.items:
                tree.groups[~item].name = f"{group.name}.{tree.groups[~item].name}"
            if number not in tree.copies and number not in tree.stands_for:
                put_in_place(tree, number)


def _marks(
    tree: Tree, subject: Subject, forward: Forward, ill: Mapping[int, Illness]
) -> tuple[list[int], list[int]]:
    """A number for each operation and for each group; equal ones mean equal structure, shapes, health.

    What an operation reads is only in the number of the innermost group that holds both ends.
    """
    interned: dict[object, int] = {}

    def number(what: object) -> int:
        return interned.setdefault(what, len(interned))

    edges: list[list[tuple[int, int, int, int]]] = [[] for _ in tree.groups]
    depth = [tree.depth(at) for at in range(len(tree.groups))]
    own: list[int] = []
    for i, node in enumerate(forward.nodes):
        leaves: list[object] = []
        for k, read in enumerate(forward.reads[i]):
            if read.maker >= 0:
                common = _common(tree, depth, tree.of[i], tree.of[read.maker])
                start = tree.groups[common].first
                edges[common].append((i - start, k, read.maker - start, read.slot))
            leaf = subject.leaves.get(read.value) if read.maker < 0 else None
            shown = leaf is not None and leaf.kind in ("parameter", "buffer")
            leaves.append((leaf.kind, leaf.spec.shape) if leaf is not None and shown else None)
        outputs = tuple((output.spec.shape, output.spec.dtype) for output in node.outputs)
        own.append(number((node.op, outputs, tuple(leaves), ill.get(i))))
    marks = [0] * len(tree.groups)
    for at in sorted(range(len(tree.groups)), key=lambda at: -depth[at]):
        group = tree.groups[at]
        inside = tuple(own[item] if item >= 0 else ~marks[~item] for item in group.items)
        marks[at] = number((group.kind, inside, tuple(edges[at])) if group.whole else ("alone", at))
    return own, marks


def _spans(forward: Forward) -> Spans:
    """Of each leaf the first and the last operation that read it."""
    spans: Spans = {}
    for i, row in enumerate(forward.reads):
        for read in row:
            if read.maker < 0:
                spans[read.value] = (spans.get(read.value, (i, i))[0], i)
    return spans


def _common(tree: Tree, depth: list[int], a: int, b: int) -> int:
    """The innermost group around both."""
    while a != b:
        if depth[a] >= depth[b]:
            a = tree.groups[a].parent
        else:
            b = tree.groups[b].parent
    return a


def _run(
    tree: Tree,
    subject: Subject,
    forward: Forward,
    marks: list[int],
    spans: Spans,
    results: set[int],
    items: list[int],
    at: int,
) -> int:
    """Where the run of copies that begins at `items[at]` ends (exclusive)."""
    groups = tree.groups
    base: tuple[object, ...] | None = None
    chained = False
    stop = at + 1
    while stop < len(items) and items[stop] < 0 and marks[~items[stop]] == marks[~items[at]]:
        before, this = groups[~items[stop - 1]], groups[~items[stop]]
        if this.first != before.last + 1:
            break
        fed = _fed(subject, forward, spans, this, before)
        if base is None:
            chained = any(source[0] == "before" for *_, source in fed)
            base = fed
            if not chained and _fed(subject, forward, spans, before, None) != fed:
                break
        elif fed != base:
            break
        if not _read_alike(forward, results, before, this, chained):
            break
        stop += 1
    return stop


def _fed(
    subject: Subject, forward: Forward, spans: Spans, group: Group, before: Group | None
) -> tuple[tuple[int, int, tuple[str, int, int]], ...]:
    """What a copy reads from outside: from the copy before it, or from fixed others."""
    found: list[tuple[int, int, tuple[str, int, int]]] = []
    for i in range(group.first, group.last + 1):
        for k, read in enumerate(forward.reads[i]):
            if read.maker >= group.first:
                continue
            if read.maker < 0:
                leaf = subject.leaves.get(read.value)
                if (
                    leaf is None
                    or leaf.kind in ("parameter", "buffer", "constant")
                    or elements(leaf.spec) < 2
                ):
                    continue
                span = spans.get(read.value, (-1, -1))
                if leaf.kind != "batch" and group.first <= span[0] and span[1] <= group.last:
                    continue  # each copy has one of its own
                found.append((i - group.first, k, ("leaf", read.value, 0)))
            elif before is not None and before.first <= read.maker <= before.last:
                found.append((i - group.first, k, ("before", read.maker - before.first, read.slot)))
            else:
                found.append((i - group.first, k, ("other", read.maker, read.slot)))
    return tuple(found)


def _read_alike(forward: Forward, results: set[int], before: Group, this: Group, chained: bool) -> bool:
    """Nothing but the next copy reads from a copy of a chain; branches are read by the same others."""
    for i in range(before.first, before.last + 1):
        beyond = {user for user in forward.users[i] if user > before.last}
        if i in results:
            return False
        if chained and any(user > this.last for user in beyond):
            return False
        if not chained and beyond != {
            u for u in forward.users[i - before.first + this.first] if u > this.last
        }:
            return False
    return True


# ── rounds ───────────────────────────────────────────────────────────────────────────────────


def _wrap_rounds(tree: Tree, subject: Subject, forward: Forward, marks: tuple[list[int], list[int]]) -> bool:
    """Make a group of each round of a loop, so that rounds can be folded like modules."""
    found = False
    own, of_group = marks
    spans = _spans(forward)
    for number in range(len(tree.groups)):
        items = tree.groups[number].items
        if len(items) < 2 * ROUNDS:
            continue
        sequence = [own[item] if item >= 0 else ~of_group[~item] for item in items]
        start, period, count = _longest(tree, subject, forward, spans, items, sequence)
        if count >= ROUNDS:
            rounds = [items[start + k * period : start + (k + 1) * period] for k in range(count)]
            made = [~gather(tree, number, held, "repeated") for held in rounds]
            tree.groups[number].items = [*items[:start], *made, *items[start + count * period :]]
            found = True
    return found


def _longest(
    tree: Tree, subject: Subject, forward: Forward, spans: Spans, items: list[int], sequence: list[int]
) -> tuple[int, int, int]:
    """Where equal rounds begin, how many items a round has, and how many rounds there are.

    Candidates for the period are the commonest distances between an item and its last like.
    """
    seen: dict[int, int] = {}
    apart: Counter[int] = Counter()
    for at, mark in enumerate(sequence):
        if mark in seen and 1 < at - seen[mark] <= PERIOD:
            apart[at - seen[mark]] += 1
        seen[mark] = at
    best = (0, 0, 0)
    for period, _ in sorted(apart.items(), key=lambda one: (-one[1], one[0]))[:3]:
        for start, stop in _stretches(sequence, period):
            for shift in range(min(period, stop - start - ROUNDS * period + 1)):
                count = _rounds(tree, subject, forward, spans, items, start + shift, stop, period)
                if count >= ROUNDS and count * period > best[1] * best[2]:
                    best = (start + shift, period, count)
                if count * period > (stop - start) // 2:
                    break  # nearly all of it: another beginning finds no more
    return best


def _stretches(sequence: list[int], period: int) -> list[tuple[int, int]]:
    """The few longest stretches in which every item is like the one a period before."""
    found: list[tuple[int, int]] = []
    begin = 0
    for at in range(period, len(sequence) + 1):
        if at == len(sequence) or sequence[at] != sequence[at - period]:
            if at - begin >= ROUNDS * period:
                found.append((begin, at))
            begin = at - period + 1
    return sorted(found, key=lambda one: one[0] - one[1])[:3]


def _rounds(
    tree: Tree, subject: Subject, forward: Forward, spans: Spans, items: list[int], start: int, stop: int,
    period: int,
) -> int:  # fmt: skip
    """How many rounds from `start` on are wired like the first ones; 0 when not even two are."""

    def round_at(at: int) -> Group | None:
        held = items[at : at + period]
        group = Group(-1, "", "", "")
        group.first = held[0] if held[0] >= 0 else tree.groups[~held[0]].first
        group.last = held[-1] if held[-1] >= 0 else tree.groups[~held[-1]].last
        group.size = sum(1 if item >= 0 else tree.groups[~item].size for item in held)
        return group if group.whole else None

    before = round_at(start)
    inner = _inner(forward, before) if before is not None else ()
    base: object = None
    count = 1
    for at in range(start + period, stop - period + 1, period):
        this = round_at(at)
        if before is None or this is None or this.first != before.last + 1 or _inner(forward, this) != inner:
            break
        fed = _fed(subject, forward, spans, this, before)
        if base is not None and fed != base:
            break
        if not any(source[0] == "before" for *_, source in fed):
            break  # rounds of a loop hand something on
        if not _read_alike(forward, set(), before, this, True):
            break
        base, before = fed, this
        count += 1
    return count if count > 1 else 0


def _inner(forward: Forward, group: Group) -> tuple[tuple[int, int, int, int], ...]:
    """How the operations of a round read each other."""
    return tuple(
        (i - group.first, k, read.maker - group.first, read.slot)
        for i in range(group.first, group.last + 1)
        for k, read in enumerate(forward.reads[i])
        if read.maker >= group.first
    )
