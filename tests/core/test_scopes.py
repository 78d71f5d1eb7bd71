"""Outlines: module calls as nested spans of a graph's order, and what is left when some are folded."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from factories import graph, ran
from graphlens.build import built
from graphlens.scopes import OP, Outline, outline
from graphlens_tracers.events import (
    Declaration,
    GraphId,
    ModuleCallId,
    ModuleCallSeen,
    Phase,
    ScopeId,
    ScopeSeen,
)

# The path of each module call: 0 Net, 1 Net.a, 2 Net.a.fc, 3 Net.b, 4 Net.a again.
MODULES: list[Declaration] = [
    ScopeSeen(ScopeId(0), None, "Net", "Net"),
    ScopeSeen(ScopeId(1), ScopeId(0), "Net.a", "Block"),
    ScopeSeen(ScopeId(2), ScopeId(1), "Net.a.fc", "Linear"),
    ScopeSeen(ScopeId(3), ScopeId(0), "Net.b", "Block"),
    ModuleCallSeen(ModuleCallId(0), None, ScopeId(0)),
    ModuleCallSeen(ModuleCallId(1), ModuleCallId(0), ScopeId(1)),
    ModuleCallSeen(ModuleCallId(2), ModuleCallId(1), ScopeId(2)),
    ModuleCallSeen(ModuleCallId(3), ModuleCallId(0), ScopeId(3)),
    ModuleCallSeen(ModuleCallId(4), ModuleCallId(0), ScopeId(1), 1),
]
CHAINS = {None: [], 0: [0], 1: [0, 1], 2: [0, 1, 2], 3: [0, 3], 4: [0, 4]}


def of(calls: Sequence[int | None], phases: Sequence[Phase] | None = None) -> Outline:
    """The outline of a graph whose k-th op ran in module call calls[k]."""
    chosen = phases or [Phase.FORWARD] * len(calls)
    nodes = [
        ran(k, module_call=call, phase=phase)
        for k, (call, phase) in enumerate(zip(calls, chosen, strict=True))
    ]
    declared = built([*MODULES, *nodes, graph(*nodes)])
    return outline(declared.order(GraphId(0)), declared)


def spans(found: Outline) -> list[tuple[str, int, int, int]]:
    """Name, start, stop and depth of each."""
    return [(span.name, span.start, span.stop, span.depth) for span in found.spans]


def test_module_calls_are_nested_spans() -> None:
    """What brackets are drawn from."""
    found = of([None, 0, 1, 2, 2, 1, 3, None])

    assert spans(found) == [("Net", 1, 7, 0), ("a", 2, 6, 1), ("fc", 3, 5, 2), ("b", 6, 7, 1)]
    assert found.inner == [-1, 0, 1, 2, 2, 1, 3, -1]
    assert [span.name for _, span in found.around(3)] == ["fc", "a", "Net"]


def test_another_call_of_a_module_is_another_span() -> None:
    """Shared layers."""
    found = of([1, 4])

    assert [(span.name, span.nth) for span in found.spans] == [("Net", 0), ("a", 0), ("a", 1)]
    assert len({span.key for span in found.spans}) == 3


def test_backward_ops_are_spans_of_their_own() -> None:
    """They run in the other order, far from the forward ones."""
    found = of([1, 3, 3, 1], [Phase.FORWARD, Phase.FORWARD, Phase.BACKWARD, Phase.BACKWARD])

    assert [(span.path, span.phase, span.start) for span in found.spans] == [
        ("Net", "forward", 0), ("Net.a", "forward", 0), ("Net.b", "forward", 1),
        ("Net", "backward", 2), ("Net.b", "backward", 2), ("Net.a", "backward", 3),
    ]  # fmt: skip


def test_a_call_that_is_interrupted_has_two_spans() -> None:
    """Each with a key of its own, so that they fold apart."""
    found = of([1, None, 1])

    assert [(span.name, span.again) for span in found.spans] == [("Net", 0), ("a", 0), ("Net", 1), ("a", 1)]
    assert len({span.key for span in found.spans}) == 4


def test_folded_spans_are_one_line() -> None:
    """Inner ones vanish in outer ones."""
    found = of([None, 0, 1, 2, 1, 3])
    a, fc = found.spans[1], found.spans[2]
    lines = found.lines({a.key, fc.key})

    assert lines.start.tolist() == [0, 1, 2, 5]
    assert lines.stop.tolist() == [1, 2, 5, 6]
    assert lines.span.tolist() == [OP, OP, 1, OP]
    assert lines.line_of.tolist() == [0, 1, 2, 2, 2, 3]


def test_folding_to_a_depth() -> None:
    """z1 to z9."""
    found = of([0, 1, 2, 3])

    assert len(found.lines(found.deeper_than(0))) == 1
    assert len(found.lines(found.deeper_than(1))) == 3
    assert len(found.lines(found.deeper_than(9))) == 4


@given(
    calls=st.lists(st.sampled_from([None, 0, 1, 2, 3, 4]), max_size=30),
    phases=st.lists(st.sampled_from([Phase.FORWARD, Phase.BACKWARD]), min_size=30, max_size=30),
    cut=st.integers(0, 30),
    folded=st.sets(st.integers(0, 40)),
)
def test_spans_cover_what_ran_in_them(
    calls: list[int | None], phases: list[Phase], cut: int, folded: set[int]
) -> None:
    """Whatever the order; grown in two parts or at once; and lines cover every op once."""
    found = of(calls, phases[: len(calls)])
    nodes = [ran(k, module_call=call, phase=phases[k]) for k, call in enumerate(calls)]
    declared = built([*MODULES, *nodes, graph(*nodes)])
    grown = Outline()
    order = declared.order(GraphId(0))
    grown.grow(order[:cut], declared)
    grown.grow(order, declared)

    assert (grown.spans, grown.inner) == (found.spans, found.inner)
    for k, call in enumerate(calls):
        around = [span.module_call for _, span in found.around(k)][::-1]
        assert around == CHAINS[call]
        assert all(span.start <= k < span.stop for _, span in found.around(k))
    lines = found.lines({found.spans[k].key for k in folded if k < len(found.spans)})
    assert [k for a, b in zip(lines.start, lines.stop, strict=True) for k in range(a, b)] == list(
        range(len(calls))
    )
    assert [int(lines.start[line]) <= k for k, line in enumerate(lines.line_of)] == [True] * len(calls)
