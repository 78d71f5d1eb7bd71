"""Which call an op belongs to: begun late, nested, turned, never ended."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphlens.calls import CallTable
from graphlens_tracers.events import CallBegan, CallEnded, CallId, CallTurned, GraphId, Seq


def began(call: int, first: int, **more: object) -> CallBegan:
    """A training step that begins."""
    fields = {"graph": GraphId(0), "step": call, "role": "train", **more}
    return CallBegan(CallId(call), first=Seq(first), **fields)  # type: ignore[arg-type]  # as named


def table(*events: CallBegan | CallTurned | CallEnded) -> CallTable:
    """A table that has these events."""
    found = CallTable()
    for event in events:
        found.fold(event)
    return found


def of(calls: CallTable, stop: int) -> list[int]:
    """The call of ops 0 to `stop`, all on strand 0."""
    found: list[int] = calls.of(np.arange(stop), None, 0).tolist()
    return found


def test_an_op_belongs_to_the_call_that_began_last() -> None:
    """Steps follow each other."""
    calls = table(began(0, 0), CallEnded(CallId(0), Seq(2)), began(1, 3))

    assert of(calls, 6) == [0, 0, 0, 1, 1, 1]


def test_between_calls_an_op_belongs_to_none() -> None:
    """What was not said is not guessed."""
    calls = table(began(0, 1), CallEnded(CallId(0), Seq(2)), began(1, 4))

    assert of(calls, 6) == [-1, 0, 0, -1, 1, 1]


def test_a_call_that_begins_late_takes_the_ops_from_its_first_on() -> None:
    """Only in its loop is it clear that the step before was over long ago."""
    calls = table(began(0, 0))
    before = of(calls, 5)
    calls.fold(began(1, 2))

    assert before == [0] * 5
    assert of(calls, 5) == [0, 0, 1, 1, 1]
    assert calls.call(CallId(0), {0: 4}).last == 1
    assert calls.call(CallId(1), {0: 4}).last == 4


def test_a_call_inside_another_one_gives_back_what_follows_it() -> None:
    """A function called in a step; a loop body in that."""
    calls = table(
        began(0, 0),
        began(1, 2, parent=CallId(0)),
        began(2, 3, parent=CallId(1)),
        CallEnded(CallId(2), Seq(3)),
        CallEnded(CallId(1), Seq(5)),
        CallEnded(CallId(0), Seq(7)),
    )

    assert of(calls, 9) == [0, 0, 1, 2, 1, 1, 0, 0, -1]


def test_a_call_that_ran_nothing_has_no_op() -> None:
    """Its last is one before its first."""
    calls = table(began(0, 3), CallEnded(CallId(0), Seq(2)), began(1, 3))

    assert of(calls, 5) == [-1, -1, -1, 1, 1]
    assert calls.call(CallId(0), {0: 4}).last == 2


def test_the_end_says_what_it_was_after_all() -> None:
    """Graph, step and role are sure only then; what it leaves out stays."""
    calls = table(
        began(0, 0, step=None, role="setup"),
        CallTurned(CallId(0), GraphId(5)),
        CallEnded(CallId(0), Seq(1), role="eval", step=4, shapes=2, error="boom"),
        began(1, 2),
        CallEnded(CallId(1), Seq(3), step=-1),
        CallTurned(CallId(1), GraphId(9)),
    )
    first, second = calls.calls({0: 9})

    assert (first.graph, first.role, first.step, first.shapes, first.error) == (5, "eval", 4, 2, "boom")
    assert (second.graph, second.role, second.step, second.ended) == (0, "train", None, True)


@dataclass
class Step:
    """A step as it really was."""

    first: int
    last: int


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    pauses=st.lists(st.integers(0, 2), min_size=8, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_any_order_of_being_said_gives_the_same(lengths: list[int], pauses: list[int], order: Random) -> None:
    """Beginnings and ends may come late, and twice: the truth is one."""
    truth: list[Step] = []
    at = 0
    for length, pause in zip(lengths, pauses, strict=False):
        truth.append(Step(at, at + length - 1))
        at += length + pause
    events: list[CallBegan | CallEnded] = []
    for k, step in enumerate(truth):
        events += [began(k, step.first), CallEnded(CallId(k), Seq(step.last))]
    begins = [event for event in events if isinstance(event, CallBegan)]
    order.shuffle(begins)
    ends = [event for event in events if isinstance(event, CallEnded)]
    calls = table(*begins, *ends, *begins)

    expected = [next((k for k, s in enumerate(truth) if s.first <= seq <= s.last), -1) for seq in range(at)]
    assert of(calls, at) == expected


@given(
    calls=st.lists(
        st.tuples(st.integers(0, 30), st.none() | st.integers(-1, 12), st.none() | st.integers(0, 8)),
        max_size=9,
    ),
    order=st.randoms(use_true_random=False),
)
def test_looking_after_every_event_gives_the_same_as_looking_once(
    calls: list[tuple[int, int | None, int | None]], order: Random
) -> None:
    """Only the end of a timeline is worked out again, whatever comes where."""
    events: list[CallBegan | CallEnded] = []
    for k, (first, length, parent) in enumerate(calls):
        events.append(began(k, first, parent=None if parent is None else CallId(parent)))
        if length is not None:
            events.append(CallEnded(CallId(k), Seq(first + length)))
    order.shuffle(events)
    watched = CallTable()
    for k, event in enumerate(events):
        watched.fold(event)
        assert of(watched, 45) == of(table(*events[: k + 1]), 45)
