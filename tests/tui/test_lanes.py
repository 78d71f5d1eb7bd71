"""The lane layout says what is true of the graph, whatever the graph."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlens.lanes import NOBODY, Lanes

Reads = list[tuple[int, ...]]


def laid_out(reads: Reads, width: int = 4, span: int = 40) -> Lanes:
    lanes = Lanes(width, span)
    lanes.grow(reads, 0)
    return lanes


def test_a_chain_stays_in_one_lane() -> None:
    """The main road of a network is a straight line."""
    lanes = laid_out([(), (0,), (1,), (2,)])

    assert lanes.column == [0, 0, 0, 0]


def test_a_residual_runs_beside_its_branch() -> None:
    """x + f(g(x)): x keeps its lane while the branch is worked out, and the sum takes it over."""
    lanes = laid_out([(), (0,), (1,), (0, 2)])

    assert lanes.column == [0, 1, 1, 0]
    assert list(lanes.before(3)) == [0, 2, NOBODY, NOBODY]


def test_an_edge_longer_than_the_span_is_a_jump() -> None:
    """What the backward pass reads from far up is said by number."""
    lanes = laid_out([(), *[(k,) for k in range(9)], (9, 0)], span=4)

    assert lanes.jumps_from(10) == [0]
    assert lanes.jumps_to(0) == [10]


def test_the_value_needed_latest_gives_way() -> None:
    """With two lanes and three values, the one whose next reader is farthest becomes a jump."""
    lanes = laid_out([(), (), (), (2,), (1,), (0,)], width=2)

    assert lanes.jumps_to(0) == [5]
    assert lanes.jumps_to(1) == []


def test_what_lost_its_lane_does_not_lead_into_the_line_that_took_it() -> None:
    """A line drawn into an operation means that it is read there, and nothing else."""
    lanes = laid_out([(), (), (), (2,), (1,), (0,)], width=2)

    for line in range(len(lanes)):
        into = lanes.before(line)[lanes.column[line]]
        assert into == NOBODY or into in lanes.reads[line]


def graphs(longest: int = 60) -> st.SearchStrategy[Reads]:
    def build(seed: int, count: int) -> Reads:
        rng = random.Random(seed)
        return [
            tuple(dict.fromkeys(rng.randrange(k) for _ in range(rng.randrange(4)))) if k else ()
            for k in range(count)
        ]

    return st.builds(build, st.integers(0, 1 << 30), st.integers(1, longest))


@settings(max_examples=150, deadline=None)
@given(reads=graphs(), width=st.integers(1, 6), span=st.integers(1, 20))
def test_every_use_is_a_lane_or_a_jump_and_no_lane_means_two_values(
    reads: Reads, width: int, span: int
) -> None:
    """No edge is lost, none is invented, and no value runs in two lanes."""
    lanes = laid_out(reads, width, span)

    for line, makers in enumerate(reads):
        carried = [maker for maker in lanes.before(line) if maker != NOBODY]
        assert len(set(carried)) == len(carried)
        assert all(maker < line for maker in carried)
        assert sorted([m for m in makers if m in carried] + lanes.jumps_from(line)) == sorted(makers)
        assert 0 <= lanes.column[line] < width
        for maker in carried:
            assert any(line <= user <= line + span for user in lanes.users[maker]), "it runs idle"
    for line in range(len(reads)):
        assert all(line in lanes.jumps_from(user) for user in lanes.jumps_to(line))


@settings(max_examples=100, deadline=None)
@given(reads=graphs(80), cuts=st.lists(st.integers(0, 80), max_size=5), span=st.integers(1, 12))
def test_a_graph_that_grows_is_laid_out_as_if_it_had_been_whole(
    reads: Reads, cuts: list[int], span: int
) -> None:
    """Live or saved, the same picture."""
    whole = laid_out(reads, 3, span)
    grown = Lanes(3, span)
    for cut in [*sorted(cuts), len(reads)]:
        grown.grow(reads[:cut], len(grown))

    assert grown.column == whole.column
    assert [list(grown.before(k)) for k in range(len(reads) + 1)] == [
        list(whole.before(k)) for k in range(len(reads) + 1)
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_lines(count: int) -> None:
    """An empty graph has lanes too."""
    lanes = laid_out([()] * count)

    assert len(lanes) == count
    assert list(lanes.before(count)) == [NOBODY] * 4
