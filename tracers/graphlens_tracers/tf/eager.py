"""Operations that TensorFlow runs at once, one by one, as nodes of the step that they belong to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from types import FrameType
from typing import Any

from graphlens_tracers.events import NodeId
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Ran
from graphlens_tracers.tf.building import Building
from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.looking import ALIKE
from graphlens_tracers.tf.looks import Looks
from graphlens_tracers.tf.nodes import Node, Nodes, Operation
from graphlens_tracers.tf.stream import Stack, Stream

CALL = "StatefulPartitionedCall"
"""What a function that is called is, as an operation."""


@dataclass(slots=True)
class _Ran:
    """An operation that ran, for its gradient to find.

    Attributes:
        inputs: The tensors that it read, by their ids; `shapes`: of what it made.
        round: When its gradient was last asked for.
    """

    node: NodeId
    inputs: tuple[int, ...]
    shapes: tuple[Any, ...]
    round: int = -1


class Eager:
    """What one thread runs eagerly.

    Attributes:
        stream: The calls that it is part of.
        on: Whether it is recorded; `failed`: called when we fail.
    """

    def __init__(
        self, sink: LogSink, functions: Functions, building: Building, stream: Stream, health: bool,
        keeping: Keeping, failed: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._functions = functions
        self._building = building
        self.stream = stream
        self.on = True
        self.failed = failed
        self._nodes = Nodes(sink, functions, building, health)
        stream.shapes = self._nodes.shapes
        self._looks = Looks(sink, health, keeping)
        self._ran: dict[str, list[_Ran]] = {}  # by type, of this call
        self._round = 0

    def ran(self, ran: Operation, began: int, frame: FrameType | None) -> None:
        """An operation ran."""
        took = perf_counter_ns() - began
        stack = self.between(frame)
        if self.stream.idle:
            self.stream.went()
            return
        node = self._go(ran, stack)
        alike = ran.inputs[0] if ran.name in ALIKE and ran.inputs else None
        self._looks.write(node, ran.inputs, ran.outputs, began, took, alike)
        if compat.is_taped():
            self.stream.taped = True
            inputs = tuple([tensor._id for tensor in ran.inputs])
            shapes = tuple([tensor._shape_tuple() for tensor in ran.outputs])
            self._ran.setdefault(ran.name, []).append(_Ran(node.id, inputs, shapes))

    def called(
        self, calls: Calls, ran: Ran, inputs: Sequence[Any], outputs: Sequence[Any], began: int, took: int,
        frame: FrameType | None,
    ) -> None:  # fmt: skip
        """A function ran: its calls are inside of an operation."""
        stack, stream = self.between(frame), self.stream
        stream.entering()
        if stream.idle:
            calls.skip(ran)
            stream.went()
        else:
            name = ran.body.function
            function = self._functions.declare(name)
            graph = None if function is None else function.graph
            written = () if function is None else sorted(function.written)
            arguments = () if function is None else function.given
            operation = Operation(CALL, ("f", name), inputs, outputs, (), graph, written, arguments)
            node = self._go(operation, stack)
            calls.write(ran, began, took, stream.caller(node.id))
            self._looks.interrupted()
            self._looks.write(node, inputs, outputs, began, took, inside=ran.told is not None)
        stream.entered()
        trains, layered = calls.does(ran)
        if trains or (layered and not compat.is_taped()):
            self.stream.anchored(stack, frame, trains)

    def met(
        self, function: str, inputs: Sequence[Any], outputs: Sequence[Any], began: int, took: int,
        frame: FrameType, trains: bool,
    ) -> None:  # fmt: skip
        """A function ran whose calls are in another log."""
        stack = self.between(frame)
        if not self.stream.idle:
            node = self._go(Operation(CALL, ("f", function), inputs, outputs), stack)
            self._looks.write(node, inputs, outputs, began, took)
        if trains:
            self.stream.anchored(stack, frame, True)

    def printed(self, tensor: Any) -> None:
        """The script has written a tensor as text."""
        self._looks.printed(tensor)

    def interrupted(self) -> None:
        """Others have written rows."""
        self._looks.interrupted()

    def anchor(self, trains: bool) -> None:
        """A step has done its work here: it `trains`, or evaluates."""
        if self.on:
            frame = sys._getframe(1)
            self.stream.anchored(self.stream.frames.stack(frame), frame, trains)

    def between(self, frame: FrameType | None) -> Stack:
        """A call may begin with what runs now; gives its stack."""
        stream = self.stream
        stack = stream.frames.stack(frame)
        if stream.between(stack, frame):
            if self._nodes.begin(stream.call, stream.setting_up):
                stream.ways.forget()
            self._looks.begin(None if self.stream.step < 0 else self.stream.step)
            self._ran.clear()
            self._building.begin_trace()
        return stack

    def _go(self, ran: Operation, stack: Stack) -> Node:
        """The call goes on with the node of what ran."""
        node, step = self._nodes.find(ran, stack, self.stream.ways.expected())
        self.stream.ways.go(step)
        self.stream.went()
        return node

    def differentiated(
        self, op: str, inputs: Sequence[Any] | None, gradients: Sequence[Any]
    ) -> NodeId | None:
        """The operation that ran eagerly whose gradient is asked for; None when it is not known.

        Args:
            inputs: What it read, as far as its gradient needs it; `gradients`: of its outputs.
        """
        ids = None if inputs is None else [getattr(tensor, "_id", None) for tensor in inputs]
        shapes = [one._shape_tuple() if hasattr(one, "_shape_tuple") else None for one in gradients]
        for ran in reversed(self._ran.get(op, ())):
            if ran.round == self._round or not _fits(ids, ran.inputs) or not _fits(shapes, ran.shapes):
                continue
            ran.round = self._round
            return ran.node
        return None

    def begin_gradients(self) -> None:
        """From now on gradients are asked for: of each operation once."""
        self._round += 1


def _fits(some: Sequence[Any] | None, whole: Sequence[Any]) -> bool:
    """Whether what is known of a list is as it says."""
    return some is None or (
        len(some) == len(whole)
        and all(one is None or one == other for one, other in zip(some, whole, strict=True))
    )
