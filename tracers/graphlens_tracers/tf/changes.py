"""What was changed by hand while a script was held, until its row is there to say so of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphlens_tracers.events import ByHand, Numerics, Seq, Unusual
from graphlens_tracers.tf.moments import Moment

if TYPE_CHECKING:
    from graphlens_tracers.tf.tracer import TensorFlowTracer


class Change(NamedTuple):
    """A tensor was replaced.

    Attributes:
        text: The expression; `which`: which of the inputs, or of the outputs.
        numerics: How that output looks now; None of an input, and of what holds no numbers.
    """

    text: str
    which: int
    is_input: bool
    numerics: Numerics | None

    def said(self, seq: int) -> Unusual:
        """What the log says of it; `seq`: the operation's."""
        if self.is_input:
            return Unusual(Seq(seq), 0, by_hand=(ByHand(self.text, self.which),))
        return Unusual(Seq(seq), self.which, self.numerics, by_hand=(ByHand(self.text),))


class _Changed(NamedTuple):
    """What was changed of an operation in a function.

    Attributes:
        called: The function that Python called; `function`, `node`: where the operation is.
        row: Its row among those of the call; None: not known.
    """

    called: str
    function: str
    node: str
    row: int | None
    changes: Sequence[Change]


class Changes:
    """Those of operations in functions that one thread runs."""

    def __init__(self) -> None:
        self._changed: list[_Changed] = []

    def add(self, moment: Moment, changes: Sequence[Change]) -> None:
        """Those of an operation that has run."""
        frame = moment.frame
        called = frame.stack[0].function
        self._changed.append(_Changed(called, frame.function, moment.node, frame.run.rows, changes))

    def wrote(self, tracer: TensorFlowTracer, called: str) -> None:
        """A call of a function is over: say of its rows what was changed."""
        ours = [one for one in self._changed if one.called == called]
        self._changed = [one for one in self._changed if one.called != called]
        for one in ours:
            seq = tracer.seq_of(one.function, one.node, one.row)
            if seq is None:
                tracer.said_gap(f"which row {one.node} has, of which something was changed by hand")
                continue
            for change in one.changes:
                tracer.sink.declare(change.said(seq))
