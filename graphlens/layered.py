"""Layered drawing of one flat graph: layers, order within them, and x coordinates.

After Sugiyama, Tagawa and Toda (1981); x coordinates after Brandes and Köpf (2001), extended by
ports and by lines that must be straight. Without recursion, and the same result for the same input.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass, field

ITEM_GAP = 18.0
LINE_GAP = 9.0
STRAIGHT = 0.65
"""How much of a gap is enough where no line bends."""
PASSES = 14  # sweeps at most in search of fewer crossings; a third of it for very large graphs


@dataclass(frozen=True, slots=True)
class Item:
    """Something with a place: how far it reaches from its anchor to each side."""

    left: float
    right: float
    above: float
    below: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line from an item's bottom to another's top.

    Attributes:
        source, target: Items by index; a source comes before its targets.
        out, into: Where it leaves and enters, from the anchors.
        key: Lines of one source with equal keys run together as far as they can.
        trunk: To be drawn straight if at all possible.
    """

    source: int
    target: int
    out: float = 0.0
    into: float = 0.0
    key: Hashable = None
    trunk: bool = False


@dataclass
class Arranged:
    """Where everything is.

    Attributes:
        x, y: Of each item's anchor; everything lies between 0 and `width`, 0 and `height`.
        bends: For each line, the vertical stretches it takes between its ends: (x, from y, to y).
    """

    x: list[float]
    y: list[float]
    bends: list[list[tuple[float, float, float]]]
    width: float
    height: float
    crossings: int


@dataclass
class _Points:
    """Items and, behind them, the points where long lines pass a layer."""

    items: list[Item]
    layer: list[int]
    count: int
    item_gap: float = ITEM_GAP
    line_gap: float = LINE_GAP
    up: list[list[tuple[int, float, float]]] = field(default_factory=list)  # (neighbour, its port, own port)
    down: list[list[tuple[int, float, float]]] = field(default_factory=list)
    trunk: set[tuple[int, int]] = field(default_factory=set)

    def passes(self, point: int) -> bool:
        """It is not an item but a line passing."""
        return point >= self.count


def arrange(
    items: Sequence[Item],
    lines: Sequence[Line],
    *,
    first: Sequence[int] = (),
    last: Sequence[int] = (),
    gap: float = 22.0,
) -> Arranged:
    """Place items, in an order in which every line's source comes before its target.

    `first` and `last` are pinned to the outermost layers (the ports of a frame).
    """
    layer = layers(len(items), lines, set(first), set(last))
    points = _Points(list(items), layer, len(items))
    routes, rows, crossings = _ordered(points, lines)
    x = _columns(points, rows) if items else []
    return _measured(points, rows, lines, routes, x, set(first) | set(last), gap, crossings)


@dataclass(frozen=True)
class Columns:
    """Where everything is from left to right, for who measures rows and bends lines in another way.

    Points are the items and, behind them, where lines pass a layer. `layer` and `x` (of the anchor) are
    those of each point, `rows` the points of each layer, `routes` those of each line, ends included.
    """

    layer: list[int]
    rows: list[list[int]]
    routes: list[list[int]]
    x: list[float]


def columns(
    items: Sequence[Item], lines: Sequence[Line], *, item_gap: float = ITEM_GAP, line_gap: float = LINE_GAP
) -> Columns:
    """As `arrange`, up to the x coordinates."""
    points = _Points(list(items), layers(len(items), lines), len(items), item_gap, line_gap)
    routes, rows, _ = _ordered(points, lines)
    return Columns(points.layer, rows, routes, _columns(points, rows) if items else [])


def _ordered(points: _Points, lines: Sequence[Line]) -> tuple[list[list[int]], list[list[int]], int]:
    """The points of each line, those of each row, and how many lines cross."""
    routes = _connect(points, lines)
    rows: list[list[int]] = [[] for _ in range(max(points.layer, default=-1) + 1)]
    for point, at in enumerate(points.layer):
        rows[at].append(point)
    return routes, rows, _reorder(points, rows)


# ── layers ───────────────────────────────────────────────────────────────────────────────────


def layers(
    count: int, lines: Sequence[Line], first: Set[int] = frozenset(), last: Set[int] = frozenset()
) -> list[int]:
    """The layer of each item: as early as possible, then as late as shortens more lines than it lengthens."""
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in sorted({(line.source, line.target) for line in lines}):
        after[source].append(target)
        before[target].append(source)
    layer = [0] * count
    for item in range(count):
        least = 1 if first and item not in first else 0
        layer[item] = 0 if item in first else max([least, *(layer[one] + 1 for one in before[item])])
    for _ in range(3):
        moved = False
        for item in range(count - 1, -1, -1):
            if item in first or item in last or not after[item]:
                continue
            latest = min(layer[one] for one in after[item]) - 1
            if latest > layer[item] and len(after[item]) >= len(before[item]) + (1 if before[item] else 0):
                layer[item] = latest
                moved = True
        if not moved:
            break
    if last:
        end = max([layer[item] for item in range(count) if item not in last], default=0) + 1
        for item in last:
            layer[item] = end
    used = {at: k for k, at in enumerate(sorted(set(layer)))}
    return [used[at] for at in layer]


def _connect(points: _Points, lines: Sequence[Line]) -> list[list[int]]:
    """Make the points where lines pass; returns the points of each line, ends included."""
    points.up = [[] for _ in points.items]
    points.down = [[] for _ in points.items]
    passing: dict[tuple[int, Hashable, int], int] = {}
    joined: set[tuple[int, int, float, float]] = set()
    routes: list[list[int]] = []
    for line in lines:
        route = [line.source]
        for at in range(points.layer[line.source] + 1, points.layer[line.target]):
            key = (line.source, line.key, at)
            if key not in passing:
                passing[key] = len(points.items)
                points.items.append(Item(1.0, 1.0, 0.0, 0.0))
                points.layer.append(at)
                points.up.append([])
                points.down.append([])
            route.append(passing[key])
        route.append(line.target)
        for k, (upper, lower) in enumerate(itertools.pairwise(route)):
            out = line.out if k == 0 else 0.0
            into = line.into if k == len(route) - 2 else 0.0
            if line.trunk:
                points.trunk.add((upper, lower))
            if (upper, lower, out, into) not in joined:
                joined.add((upper, lower, out, into))
                points.down[upper].append((lower, into, out))
                points.up[lower].append((upper, out, into))
        routes.append(route)
    return routes


def _reorder(points: _Points, rows: list[list[int]]) -> int:
    """Sort every row by where its neighbours are, down and up, and keep the best; returns crossings."""
    best, fewest, stale = [list(row) for row in rows], _crossings(points, rows), 0
    passes = PASSES if len(points.items) < 4000 else PASSES // 3
    for turn in range(passes):
        if not fewest or stale > 4:
            break
        downwards = turn % 2 == 0
        order = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
        for at in order:
            beside = points.up if downwards else points.down
            _sort_row(points, rows[at], rows[at - 1 if downwards else at + 1], beside, turn % 4 > 1)
        found = _crossings(points, rows)
        if found < fewest:
            best, fewest, stale = [list(row) for row in rows], found, 0
        else:
            stale += 1
    for at, row in enumerate(best):
        rows[at][:] = row
    if 0 < fewest and len(points.items) < 600:
        fewest = _swap(points, rows, fewest)
    return fewest


def _sort_row(
    points: _Points,
    row: list[int],
    fixed: list[int],
    beside: list[list[tuple[int, float, float]]],
    reverse: bool,
) -> None:
    """Order a row by the mean place of its neighbours in the fixed one; points without any stay."""
    place = {point: k for k, point in enumerate(fixed)}
    wanted: dict[int, float] = {}
    for point in row:
        if beside[point]:
            total = 0.0
            for other, port, _ in beside[point]:
                item = points.items[other]
                total += place[other] + port / (item.left + item.right + 1)
            wanted[point] = total / len(beside[point])
    now = {point: -k if reverse else k for k, point in enumerate(row)}
    moving = sorted(wanted, key=lambda point: (wanted[point], now[point]))
    staying = [(k, point) for k, point in enumerate(row) if point not in wanted]
    for k, point in staying:
        moving.insert(k, point)
    row[:] = moving


def _crossings(points: _Points, rows: list[list[int]]) -> int:
    """How many pairs of lines cross, over all neighbouring rows."""
    total = 0
    for upper, lower in itertools.pairwise(rows):
        total += _between(points, upper, {point: k for k, point in enumerate(lower)})
    return total


def _between(points: _Points, upper: Sequence[int], place: dict[int, int]) -> int:
    """Crossings between two rows, counted by a tree of sums."""
    ends: list[tuple[int, float]] = []
    for point in upper:
        leaving = [(port, place[other], into) for other, into, port in points.down[point] if other in place]
        ends += [(at, into) for _, at, into in sorted(leaving)]
    ranks = {end: k + 1 for k, end in enumerate(sorted(set(ends)))}
    tree = [0] * (len(ranks) + 1)
    total = 0
    for seen, end in enumerate(ends):
        at = ranks[end]
        while at:
            total -= tree[at]
            at &= at - 1
        total += seen
        at = ranks[end]
        while at < len(tree):
            tree[at] += 1
            at += at & -at
    return total


def _swap(points: _Points, rows: list[list[int]], fewest: int) -> int:
    """Swap neighbours in a row as long as that takes crossings away."""
    for _ in range(4):
        gained = 0
        for at, row in enumerate(rows):
            for k in range(len(row) - 1):
                a, b = row[k], row[k + 1]
                gain = 0
                if at:
                    place = {point: n for n, point in enumerate(rows[at - 1])}
                    gain += _pair(points.up[a], points.up[b], place)
                if at + 1 < len(rows):
                    place = {point: n for n, point in enumerate(rows[at + 1])}
                    gain += _pair(points.down[a], points.down[b], place)
                if gain > 0:
                    row[k], row[k + 1] = b, a
                    gained += gain
        fewest -= gained
        if not gained:
            break
    return fewest


def _pair(
    a: Sequence[tuple[int, float, float]], b: Sequence[tuple[int, float, float]], place: dict[int, int]
) -> int:
    """Crossings of the lines of a (left) with those of b, less what there would be after a swap."""
    gain = 0
    for one, one_port, _ in a:
        for other, other_port, _ in b:
            left, right = (place[one], one_port), (place[other], other_port)
            gain += 1 if left > right else -1 if left < right else 0
    return gain


# ── x coordinates ────────────────────────────────────────────────────────────────────────────


def _columns(points: _Points, rows: list[list[int]]) -> list[float]:
    """x of every point: four extreme alignments, and the mean of the middle two."""
    conflicts = _conflicts(points, rows)
    found: list[list[float]] = []
    for upwards in (False, True):
        for mirrored in (False, True):
            x = _aligned(points, rows, conflicts, upwards, mirrored)
            found.append([-one for one in x] if mirrored else x)
    spans = []
    for x in found:
        lows = [x[point] - item.left for point, item in enumerate(points.items)]
        highs = [x[point] + item.right for point, item in enumerate(points.items)]
        spans.append((min(lows), max(highs)))
    low, high = min(spans, key=lambda span: span[1] - span[0])
    for k, (x, span) in enumerate(zip(found, spans, strict=True)):
        shift = high - span[1] if k % 2 else low - span[0]
        found[k] = [one + shift for one in x]
    middle = []
    for point in range(len(points.items)):
        four = sorted(x[point] for x in found)
        middle.append((four[1] + four[2]) / 2)
    for row in rows:  # the mean can come too close by a hair
        for a, b in itertools.pairwise(row):
            middle[b] = max(middle[b], middle[a] + _apart(points, a, b))
    return middle


def _apart(points: _Points, a: int, b: int) -> float:
    """The least distance of two neighbours' anchors."""
    gap = points.line_gap if points.passes(a) or points.passes(b) else points.item_gap
    return points.items[a].right + gap + points.items[b].left


def _conflicts(points: _Points, rows: list[list[int]]) -> set[tuple[int, int]]:
    """Segments that may not be straight, because they cross one that goes before.

    Long lines go before short ones, and the trunk before all.
    """
    found: set[tuple[int, int]] = set()
    for upper, lower in itertools.pairwise(rows):
        place = {point: k for k, point in enumerate(upper)}
        below = {point: k for k, point in enumerate(lower)}
        segments = [(place[a], below[b], a, b) for b in lower for a, _, _ in points.up[b]]
        straight = [one for one in segments if (one[2], one[3]) in points.trunk]
        inner = [one for one in segments if points.passes(one[2]) and points.passes(one[3])]
        for strong, weak in ((straight, segments), (inner, segments)):
            if not strong or len(strong) * len(weak) > 250_000:
                continue
            for at_a, at_b, a, b in weak:
                if (a, b) in points.trunk or (strong is inner and points.passes(a) and points.passes(b)):
                    continue
                if any((at_a - up) * (at_b - down) < 0 for up, down, _, _ in strong):
                    found.add((a, b))
    return found


def _aligned(
    points: _Points, rows: list[list[int]], conflicts: set[tuple[int, int]], upwards: bool, mirrored: bool
) -> list[float]:
    """One of the four: align each point with a middle neighbour, then push everything to one side."""
    sign = -1.0 if mirrored else 1.0
    order = [row[::-1] if mirrored else row for row in (rows[::-1] if upwards else rows)]
    beside = points.down if upwards else points.up
    root = list(range(len(points.items)))
    shift = [0.0] * len(points.items)
    taken = [False] * len(points.items)
    kept = {a if not upwards else b for a, b in points.trunk}  # whom the trunk alone may be aligned with
    for fixed, row in itertools.pairwise(order):
        place = {point: k for k, point in enumerate(fixed)}
        furthest = -1
        for point in row:
            for other, port, own in _middle(points, beside[point], place, point):
                pair = (point, other) if upwards else (other, point)
                if taken[other] or place[other] <= furthest or pair in conflicts:
                    continue
                if other in kept and pair not in points.trunk:
                    continue
                taken[other] = True
                furthest = place[other]
                root[point] = root[other]
                shift[point] = shift[other] + sign * (port - own)
                break
    return _compacted(points, order, root, shift, mirrored)


def _middle(
    points: _Points, beside: Sequence[tuple[int, float, float]], place: dict[int, int], point: int
) -> list[tuple[int, float, float]]:
    """The neighbours to align with, best first: on the trunk, else the middle ones."""
    straight = [one for one in beside if (one[0], point) in points.trunk or (point, one[0]) in points.trunk]
    if straight:
        return straight[:1]
    ordered = sorted(beside, key=lambda one: (place[one[0]], one[1]))
    if not ordered:
        return []
    half = (len(ordered) - 1) // 2
    return ordered[half : half + 1 + (len(ordered) + 1) % 2]


def _compacted(
    points: _Points, order: list[list[int]], root: list[int], shift: list[float], mirrored: bool
) -> list[float]:
    """x of every point when blocks of aligned points are pushed together, left to right."""
    after: dict[int, dict[int, float]] = {}
    before: dict[int, int] = dict.fromkeys(root, 0)
    for row in order:
        for a, b in itertools.pairwise(row):
            apart = (_apart(points, b, a) if mirrored else _apart(points, a, b)) + shift[a] - shift[b]
            known = after.setdefault(root[a], {})
            if root[b] not in known:
                before[root[b]] += 1
                known[root[b]] = apart
            else:
                known[root[b]] = max(known[root[b]], apart)
    ready = [block for block, count in before.items() if not count]
    place = dict.fromkeys(before, 0.0)
    topological: list[int] = []
    while ready:
        block = ready.pop()
        topological.append(block)
        for other, apart in after.get(block, {}).items():
            place[other] = max(place[other], place[block] + apart)
            before[other] -= 1
            if not before[other]:
                ready.append(other)
    for block in reversed(topological):  # and those with room towards what they belong to
        room = [place[other] - apart for other, apart in after.get(block, {}).items()]
        if room and min(room) > place[block]:
            place[block] = min(room)
    return [place[root[point]] + shift[point] for point in range(len(points.items))]


def _bent(points: _Points, lines: Sequence[Line], routes: list[list[int]], x: list[float]) -> set[int]:
    """The rows above which a line is not straight."""
    bent: set[int] = set()
    for line, route in zip(lines, routes, strict=True):
        across = [x[point] for point in route]
        starts, ends = [x[line.source] + line.out, *across[1:-1]], [*across[1:-1], x[line.target] + line.into]
        for point, start, end in zip(route[1:], starts, ends, strict=True):
            if abs(end - start) > 1.0:
                bent.add(points.layer[point])
    return bent


def _measured(
    points: _Points,
    rows: list[list[int]],
    lines: Sequence[Line],
    routes: list[list[int]],
    x: list[float],
    pinned: set[int],
    gap: float,
    crossings: int,
) -> Arranged:
    """Give every row its height, and every line its bends."""
    count = points.count
    left = min((x[k] - item.left for k, item in enumerate(points.items)), default=0.0)
    right = max((x[k] + item.right for k, item in enumerate(points.items)), default=0.0)
    tops: list[float] = []
    anchors: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    port_row = False
    bent = _bent(points, lines, routes, x)
    for at, row in enumerate(rows):
        above = max(points.items[point].above for point in row)
        below = max(points.items[point].below for point in row)
        ports = all(point in pinned or points.passes(point) for point in row)
        if at:
            y += gap * (0.55 if ports or port_row else 1.0) * (1.0 if at in bent else STRAIGHT)
        port_row = ports
        tops.append(y)
        anchors.append(y + above)
        y += above + below
        bottoms.append(y)
    bends: list[list[tuple[float, float, float]]] = []
    for line, route in zip(lines, routes, strict=True):
        source, target = line.source, line.target
        # Straight through the own row at both ends: bends lie between rows, where nothing else is.
        at = points.layer[source]
        end = min(anchors[at] + points.items[source].below, bottoms[at])
        stretch = [(x[source] + line.out - left, end, bottoms[at])]
        stretch += [(x[p] - left, tops[points.layer[p]], bottoms[points.layer[p]]) for p in route[1:-1]]
        at = points.layer[target]
        start = max(anchors[at] - points.items[target].above, tops[at])
        stretch.append((x[target] + line.into - left, tops[at], start))
        bends.append(stretch)
    return Arranged(
        [one - left for one in x[:count]],
        [anchors[points.layer[item]] for item in range(count)],
        bends,
        right - left,
        y,
        crossings,
    )
