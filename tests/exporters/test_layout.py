"""Placing: layers, crossings, straight lines, frames; checked by geometry, not by looking."""

from __future__ import annotations

import itertools
import random

import pytest

from graphlens.layered import Item, Line, arrange
from graphlens.layout import Rect, Size, place
from graphlens.view import view_of
from models import flat, residual, transformer, two_towers

BOX = Item(30, 30, 10, 10)


def test_every_line_points_down() -> None:
    lines = [Line(0, 1), Line(0, 3), Line(1, 2), Line(2, 3)]
    placed = arrange([BOX] * 4, lines)

    for line in lines:
        assert placed.y[line.source] < placed.y[line.target]


def test_trunk_is_straight() -> None:
    """The branch goes around; the trunk does not give way."""
    lines = [Line(0, 1, trunk=True), Line(1, 2, trunk=True), Line(2, 3, trunk=True), Line(0, 3)]
    placed = arrange([BOX] * 4, lines)

    assert len(set(placed.x)) == 1


def test_lines_of_one_value_share_their_way() -> None:
    lines = [Line(0, 1), Line(1, 2), Line(2, 3), Line(2, 4), Line(0, 3, key="v"), Line(0, 4, key="v")]
    placed = arrange([BOX] * 5, lines)

    assert placed.bends[4][1] == placed.bends[5][1]


def test_crossings_are_taken_away() -> None:
    """Two crossed pairs that a swap puts right."""
    lines = [Line(0, 3), Line(1, 2), Line(2, 5), Line(3, 4)]

    assert arrange([BOX] * 6, lines).crossings == 0


def test_ports_decide_the_order() -> None:
    """What leaves a wide item on its left is drawn left of what leaves on its right."""
    wide = Item(100, 100, 10, 10)
    placed = arrange([wide, BOX, BOX], [Line(0, 1, out=80), Line(0, 2, out=-80)])

    assert placed.x[2] < placed.x[1]
    assert placed.crossings == 0


@pytest.mark.parametrize("seed", range(12))
def test_items_of_any_graph_keep_apart(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(2, 60)
    items = [
        Item(rng.uniform(5, 80), rng.uniform(5, 80), rng.uniform(5, 40), rng.uniform(5, 40))
        for _ in range(count)
    ]
    lines = [
        Line(
            a,
            b,
            out=rng.uniform(-5, 5),
            into=rng.uniform(-5, 5),
            key=rng.randint(0, 2),
            trunk=rng.random() < 0.2,
        )
        for a, b in (sorted(rng.sample(range(count), 2)) for _ in range(rng.randint(0, 3 * count)))
    ]
    placed = arrange(items, lines)
    rects = [
        Rect(x - item.left, y - item.above, x + item.right, y + item.below)
        for x, y, item in zip(placed.x, placed.y, items, strict=True)
    ]

    for a, b in itertools.combinations(rects, 2):
        assert min(a.x1, b.x1) - max(a.x0, b.x0) < 0.01 or min(a.y1, b.y1) - max(a.y0, b.y0) < 0.01
    for rect in rects:
        assert rect.x0 >= -0.01 and rect.x1 <= placed.width + 0.01
        assert rect.y0 >= -0.01 and rect.y1 <= placed.height + 0.01
    for line, bends in zip(lines, placed.bends, strict=True):
        ys = [y for _, top, bottom in bends for y in (top, bottom)]
        assert ys == sorted(ys), line


def test_nothing_to_place() -> None:
    placed = arrange([], [])

    assert (placed.width, placed.height, placed.x) == (0.0, 0.0, [])


def test_a_chain_of_thousands_needs_no_recursion() -> None:
    lines = [Line(k, k + 1) for k in range(4999)]
    placed = arrange([BOX] * 5000, lines)

    assert len(set(placed.x)) == 1


@pytest.mark.parametrize(
    "model", [transformer(12), residual(3), two_towers(), flat(40)], ids=lambda m: m.name
)
def test_boxes_lie_in_their_frames_and_wires_meet_boxes(model: object) -> None:
    from models import Model

    assert isinstance(model, Model)
    view = view_of(model.subject())
    scene = place(view, [Size(80, 30, 40, 13)] * len(view.boxes), [60.0] * len(view.frames))

    for box, rect in zip(view.boxes, scene.boxes, strict=True):
        if box.frame >= 0:
            outer = scene.frames[box.frame]
            assert outer.x0 < rect.x0 and rect.x1 < outer.x1 and outer.y0 < rect.y0 and rect.y1 < outer.y1
    for frame, rect in zip(view.frames, scene.frames, strict=True):
        if frame.parent >= 0:
            outer = scene.frames[frame.parent]
            assert outer.x0 < rect.x0 and rect.x1 < outer.x1 and outer.y0 < rect.y0 and rect.y1 < outer.y1
    for link, wire in zip(view.links, scene.wires, strict=True):
        source, target = scene.boxes[link.source], scene.boxes[link.target]
        assert source.x0 <= wire[0][0] <= source.x1 and wire[0][1] == source.y1
        assert target.x0 <= wire[-1][0] <= target.x1 and wire[-1][1] == target.y0
        assert all(y0 <= y1 + 1e-6 for (_, y0), (_, y1) in itertools.pairwise(wire))


@pytest.mark.parametrize("model", [transformer(12), residual(3), two_towers()], ids=lambda m: m.name)
def test_no_wire_runs_through_a_box(model: object) -> None:
    """Straight stretches only: bends lie between rows, where no box is."""
    from models import Model

    assert isinstance(model, Model)
    view = view_of(model.subject())
    scene = place(view, [Size(80, 30, 40, 13)] * len(view.boxes), [60.0] * len(view.frames))

    for link, wire in zip(view.links, scene.wires, strict=True):
        for (x0, y0), (x1, y1) in itertools.pairwise(wire):
            for at, rect in enumerate(scene.boxes):
                if at in (link.source, link.target) or abs(x0 - x1) > 0.1:
                    continue
                assert not (rect.x0 < x0 < rect.x1 and min(y1, rect.y1) - max(y0, rect.y0) > 0.1)
