"""Shapes that differ from call to call: told by what ran, declared once for all calls that have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from graphlens_tracers.events import ShapesSeen
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf.bodies import Body, Tensor
from graphlens_tracers.tf.function import Function

MOST = 64
"""Shapes of one function that are told apart; of the calls after that they stay unknown."""


class Shapes:
    """Which shapes were declared of each function."""

    def __init__(self, sink: LogSink, new: Callable[[], int]) -> None:
        """`new`: gives an id for shapes."""
        self._sink, self._new = sink, new
        self._known: dict[tuple[int, bytes], int] = {}
        self._counts: dict[int, int] = {}

    def of(self, function: Function, body: Body, told: bytes) -> int:
        """The id of the `ShapesSeen` of one execution; 0: as the nodes declare.

        Args:
            told: The shapes of what the body has `open`, one after another, as int32.
        """
        graph = function.graph
        if not told or graph is None:
            return 0
        key = graph, told
        if key not in self._known:
            self._counts[graph] = self._counts.get(graph, 0) + 1
            if self._counts[graph] > MOST:
                return 0
            self._known[key] = self._new()
            specs, at = dict(function.specs), 0
            sizes = np.frombuffer(told, np.int32).tolist()
            for one in body.open:
                tensor = Tensor(function.names[one.at], one.slot)
                specs[tensor] = replace(specs[tensor], shape=tuple(sizes[at : at + one.rank]))
                at += one.rank
            self._sink.declare(ShapesSeen(self._known[key], graph, tuple(specs.values())))
        return self._known[key]
