"""Whoever listens to functions that run operation by operation, and what a recording of that says."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphlens.store import Process
from graphlens_tracers.tf.interpreted import Interpreted
from graphlens_tracers.tf.moments import Listener, Moment, Way

Choose = Callable[[Moment], Way]
Change = Callable[[Moment, Sequence[Any]], Sequence[Any]]
_NUMBER = re.compile(r"\d+")


def enter(moment: Moment) -> Way:
    """Everything runs operation by operation."""
    return Way.ENTER


def sometimes(seed: int) -> Choose:
    """What may be entered is, more often than not."""
    chosen = random.Random(seed)
    return lambda moment: chosen.choice((Way.ENTER, Way.ENTER, Way.WHOLE))


@dataclass
class Hearing:
    """Hears of everything.

    Attributes:
        choose: How an operation runs; `change`: with which tensors the run goes on.
        ran: Moments, in the order in which they were over. They hold their tensors.
        failures: Operations that raised, and what.
    """

    choose: Choose = enter
    change: Change = lambda moment, outputs: outputs
    ran: list[Moment] = field(default_factory=list)
    failures: list[tuple[str, BaseException]] = field(default_factory=list)

    def before(self, moment: Moment) -> Way:
        return self.choose(moment)

    def after(self, moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        self.ran.append(moment)
        return self.change(moment, outputs)

    def failed(self, moment: Moment, error: BaseException) -> None:
        self.failures.append((moment.node, error))

    @property
    def nodes(self) -> list[str]:
        """Names of what ran."""
        return [moment.node for moment in self.ran]


@contextlib.contextmanager
def interpreted(listener: Listener | None) -> Iterator[Interpreted]:
    """Functions run operation by operation in the block, and somebody listens."""
    made = Interpreted()
    made.listener = listener
    undo = made.install()
    try:
        yield made
    finally:
        while undo:
            undo.pop()()


def said(process: Process) -> list[tuple[str, list[tuple[int, str, str]]]]:
    """Of every operation in order its key, without what TensorFlow counts up, and its ranges as text."""
    rows, found = process.rows(0, process.op_count), process.ranges(0, process.op_count)
    return [
        (
            _NUMBER.sub("N", process.nodes[int(rows.node[seq])].key),  # type: ignore[index]  # a plain int
            [
                (int(found.slot[at]), float(found.low[at]).hex(), float(found.high[at]).hex())
                for at in range(int(found.offsets[seq]), int(found.offsets[seq + 1]))
            ],
        )
        for seq in range(process.op_count)
    ]
