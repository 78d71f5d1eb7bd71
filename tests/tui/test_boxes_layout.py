"""The chart and its cells say what is true of the graph, whatever the graph."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from graphlens.canvas import ARROW, DOWN, LEFT, RIGHT, UP, Canvas, laid_out
from graphlens.chart import MOST, Chart, Folds, chart_of
from graphlens.scopes import Outline, Span
from graphlens_tracers.events import ModuleCallId, Phase

Reads = list[tuple[int, ...]]
PLAIN = Folds()


def random_graph(seed: int, count: int) -> tuple[Reads, list[bool], Outline]:
    """Operations that read near ones and some far ones, some of them plumbing, in nested modules."""
    rng = random.Random(seed)
    reads: Reads = []
    for k in range(count):
        near = [rng.randrange(max(0, k - 5), k) for _ in range(rng.choice((0, 1, 1, 1, 2)))] if k else []
        far = [rng.randrange(k)] if k and rng.random() < 0.1 else []
        reads.append(tuple(dict.fromkeys(near + far)))
    outline = Outline(inner=[-1] * count)
    nested(outline, rng, 0, count, -1, 0)
    return reads, [rng.random() < 0.3 for _ in range(count)], outline


def nested(outline: Outline, rng: random.Random, start: int, stop: int, parent: int, depth: int) -> None:
    """Spans side by side from `start` to `stop`, with spans in them."""
    at = start
    while at < stop and depth < 4:
        end = min(stop, at + rng.randrange(1, 12))
        if rng.random() < 0.6:
            number = len(outline.spans)
            call = ModuleCallId(number)
            outline.spans.append(
                Span(at, end, depth, parent, call, Phase.FORWARD, f"m{number}", "", "M", 0, f"m{number}")
            )
            outline.inner[at:end] = [number] * (end - at)
            nested(outline, rng, at, end, number, depth + 1)
        at = end


def drawn(seed: int, count: int, folds: Folds = PLAIN, **limits: int) -> tuple[Reads, Chart, Canvas]:
    reads, plumbing, outline = random_graph(seed, count)
    chart = chart_of(reads, outline, plumbing, folds, **limits)
    rng = random.Random(seed)
    sizes = [(rng.randrange(5, 30), rng.choice((1, 4, 6))) for _ in chart.boxes]
    return reads, chart, laid_out(chart, sizes)


graphs = st.tuples(st.integers(0, 10**6), st.integers(1, 90))


@settings(max_examples=60, deadline=None)
@given(graphs, st.booleans(), st.integers(3, 60))
def test_every_operation_is_in_exactly_one_box(graph: tuple[int, int], hide: bool, budget: int) -> None:
    """Whatever is folded and hidden."""
    reads, chart, _ = drawn(*graph, Folds(hide=hide), budget=budget)
    inside = [p for box in chart.boxes for p in [*range(box.start, box.stop), *box.hidden]]

    assert sorted(inside) == list(range(len(reads)))
    assert all(
        chart.of[p] == at
        for at, box in enumerate(chart.boxes)
        for p in [*range(box.start, box.stop), *box.hidden]
    )


@settings(max_examples=60, deadline=None)
@given(graphs, st.booleans(), st.integers(3, 60))
def test_edges_are_those_of_the_graph_and_lead_forward(
    graph: tuple[int, int], hide: bool, budget: int
) -> None:
    """An edge wherever an operation of one box reads what one of another made, and nowhere else."""
    reads, chart, _ = drawn(*graph, Folds(hide=hide), budget=budget)
    wanted = {
        (chart.of[maker], chart.of[position])
        for position, row in enumerate(reads)
        for maker in row
        if chart.of[maker] != chart.of[position]
    }

    assert set(chart.edges) == wanted
    assert all(source < target for source, target in chart.edges)


@settings(max_examples=60, deadline=None)
@given(graphs)
def test_no_two_boxes_share_a_cell_and_no_line_runs_through_one(graph: tuple[int, int]) -> None:
    """All of it inside the canvas."""
    _, _, canvas = drawn(*graph)
    taken: set[tuple[int, int]] = set()
    for place in canvas.places:
        cells = {(place.x + x, place.y + y) for x in range(place.width) for y in range(place.height)}
        assert not cells & taken
        taken |= cells
    lines = {(x, y) for y, row in canvas.lines.items() for x in row}

    assert not lines & taken
    assert all(0 <= x < canvas.width and 0 <= y < canvas.height for x, y in lines | taken)


@settings(max_examples=60, deadline=None)
@given(graphs)
def test_every_edge_ends_at_its_boxes(graph: tuple[int, int]) -> None:
    """Drawn with an arrow into the target, or said at both ends."""
    _, chart, canvas = drawn(*graph)
    far = {(source, target) for source, those in canvas.after.items() for target in those}

    assert far == {(source, target) for target, those in canvas.before.items() for source in those}
    assert far | set(canvas.entries) == set(chart.edges)
    assert not far & set(canvas.entries)
    for (source, target), column in canvas.entries.items():
        above, below = canvas.places[source], canvas.places[target]
        assert below.x < column < below.x + below.width - 1
        assert canvas.lines[below.y - 1][column][0] & ARROW
        assert above.middle in canvas.lines[above.y + above.height]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_lines_lead_from_the_source_to_the_target(seed: int, count: int) -> None:
    """Followed cell by cell as a reader does; where two cross, straight on."""
    _, chart, canvas = drawn(seed, count)
    for source in {source for source, _ in canvas.entries}:
        place = canvas.places[source]
        reached = followed(canvas, place.middle, place.y + place.height)
        wanted = {
            (column, canvas.places[target].y - 1)
            for (maker, target), column in canvas.entries.items()
            if maker == source
        }
        assert wanted <= reached, chart.edges


def followed(canvas: Canvas, x: int, y: int) -> set[tuple[int, int]]:
    """All cells that are reached from one on the way down."""
    steps = {UP: (0, -1), DOWN: (0, 1), LEFT: (-1, 0), RIGHT: (1, 0)}
    back = {UP: DOWN, DOWN: UP, LEFT: RIGHT, RIGHT: LEFT}
    seen: set[tuple[int, int, int]] = set()
    todo = [(x, y, DOWN)]
    while todo:
        x, y, went = todo.pop()
        cell = canvas.lines.get(y, {}).get(x)
        if cell is None or (x, y, went) in seen:
            continue
        seen.add((x, y, went))
        mask = cell[0]
        sides = [side for side in steps if mask & side and side != back[went]]
        if not mask & back[went] and not mask & ARROW:
            sides = [went]  # under a line that goes down
        todo += [(x + steps[side][0], y + steps[side][1], side) for side in sides]
    return {(x, y) for x, y, _ in seen}


def test_the_same_graph_looks_the_same() -> None:
    """Wherever and whenever it is drawn."""
    for seed in range(10):
        one, other = drawn(seed, 70)[2], drawn(seed, 70)[2]

        assert (one.places, one.lines, one.entries) == (other.places, other.lines, other.entries)


def test_a_chain_is_a_straight_line() -> None:
    """The trunk does not bend, however wide its boxes are."""
    reads: Reads = [(), *[(k,) for k in range(9)]]
    chart = chart_of(reads, Outline(inner=[-1] * 10), [False] * 10, Folds())
    canvas = laid_out(chart, [(9 + 2 * (k % 3), 4) for k in range(10)])

    assert len({place.middle for place in canvas.places}) == 1
    assert {x for row in canvas.lines.values() for x in row} == {canvas.places[0].middle}


def test_a_residual_goes_beside_the_trunk() -> None:
    """x + f(g(x)): the branch is the trunk, and the sum has an arrow for each."""
    reads: Reads = [(), (0,), (1,), (0, 2)]
    chart = chart_of(reads, Outline(inner=[-1] * 4), [False] * 4, Folds())
    canvas = laid_out(chart, [(11, 4)] * 4)

    assert chart.trunk == {(0, 1), (1, 2), (2, 3)}
    assert canvas.entries[0, 3] != canvas.entries[2, 3]


def test_too_many_boxes_become_parts_that_open() -> None:
    """A list without modules is cut, and says how often; an opened part shows what is in it."""
    count = 20_000
    reads: Reads = [(k - 1,) if k else () for k in range(count)]
    outline, plain = Outline(inner=[-1] * count), [False] * count
    chart = chart_of(reads, outline, plain, Folds())
    first = chart.boxes[0]
    opened = chart_of(reads, outline, plain, Folds(opened=frozenset({first.key})))

    assert len(chart.boxes) <= MOST and chart.folded == len(chart.boxes)
    assert first.part == (1, len(chart.boxes))
    assert len(opened.boxes) == len(chart.boxes) - 1 + first.ops


def test_modules_open_as_far_as_there_is_room() -> None:
    """What a person opened always, what was folded never, the rest while it fits."""
    _, plumbing, outline = random_graph(5, 80)
    reads: Reads = [()] * 80
    closed = chart_of(reads, outline, plumbing, Folds(), budget=1)
    key = next(box.key for box in closed.boxes if box.key and box.ops > 1)
    opened = chart_of(reads, outline, plumbing, Folds(opened=frozenset({key})), budget=1)
    folded = chart_of(reads, outline, plumbing, Folds(folded=frozenset({key})), budget=1000)

    assert key not in {box.key for box in opened.boxes}
    assert key in {box.key for box in folded.boxes}
    assert len(closed.boxes) < len(opened.boxes) < len(folded.boxes)


def test_what_only_moves_numbers_goes_with_what_it_takes_them_from() -> None:
    """A transposed parameter goes with what multiplies by it; what reads two stays."""
    #             t    mm      view  expand(view, mm)  relu
    reads: Reads = [(), (0,), (1,), (2, 1), (3,)]
    plumbing = [True, False, True, True, False]
    outline = Outline(inner=[-1] * 5)

    hidden = chart_of(reads, outline, plumbing, Folds())
    assert hidden.of == [0, 0, 0, 1, 2]
    assert hidden.hidden == 2 and hidden.edges == [(0, 1), (1, 2)]
    assert len(chart_of(reads, outline, plumbing, Folds(hide=False)).boxes) == 5
