"""Sees each operation that TensorFlow executes eagerly, on whatever thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from threading import get_ident
from time import perf_counter_ns
from types import FrameType
from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.eager import Eager
from graphlens_tracers.tf.nodes import Operation


class _Moment:
    """What one thread is in the middle of.

    Attributes:
        running: Whether an operation is, by the quick way; `given`: what it was given, `began`: when it did.
    """

    __slots__ = ("began", "eager", "given", "running", "thread")

    def __init__(self, eager: Eager) -> None:
        self.eager = eager
        self.thread = get_ident()
        self.running = False
        self.given: tuple[Any, ...] = ()
        self.began = 0
        compat.context.context().add_op_callback(self.ran)

    def ran(
        self, op: str, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> Any:
        """An operation ran; or one was added to a graph, or it comes by the slow way, too."""
        if graph is None and self.running and self.thread == get_ident():
            self.see(Operation(op, attributes, inputs, outputs, self.given), self.began, sys._getframe())
        # Into a graph go the outputs that the last callback gives, and each is given those of the one before.
        others = graph is not None and len(compat.context.context().op_callbacks) > 1
        return outputs if others else None

    def see(self, operation: Operation, since: int, frame: FrameType) -> None:
        """Hand it over."""
        if self.eager.on:
            try:
                self.eager.ran(operation, since, frame)
            except Exception as error:
                self.eager.failed(error)


class _Local(threading.local):
    moment: _Moment | None = None


def hook(
    eager: Eager, begin_thread: Callable[[], Eager], before: Callable[[], bool]
) -> list[Callable[[], object]]:
    """Let every operation be seen; each result undoes a part.

    Args:
        eager: Of this thread; `begin_thread`: gives that of another one.
        before: Called before an operation runs, until it gives True, and before a variable is made.
    """
    quick, slow = compat.pywrap_tfe.TFE_Py_FastPathExecute, compat.pywrap_tfe.TFE_Py_Execute
    here, main, local = get_ident(), _Moment(eager), _Local()
    ready = False

    def other() -> _Moment:
        if local.moment is None:
            local.moment = _Moment(begin_thread())
        return local.moment

    def around_quick(*args: Any) -> Any:
        nonlocal ready
        me = main if get_ident() == here else other()
        if not ready:
            ready = before()
        around = me.running, me.given, me.began  # of an operation that runs Python, which runs this one
        me.running, me.given = True, args[3:]  # behind what executes it, its type and its name
        me.began = perf_counter_ns()
        try:
            return quick(*args)
        except BaseException as error:
            compat.leave_out(error)
            raise
        finally:
            me.running, me.given, me.began = around

    def around_slow(handle: Any, device: Any, op: Any, inputs: Any, attributes: Any, count: Any) -> Any:
        began = perf_counter_ns()
        try:
            outputs = slow(handle, device, op, inputs, attributes, count)
        except BaseException as error:
            compat.leave_out(error)
            raise
        name = compat.text(op)
        if compat.op_def(name) is not None:
            me = main if get_ident() == here else other()
            me.see(Operation(name, tuple(attributes or ()), tuple(inputs), outputs), began, sys._getframe())
        return outputs

    def printed(tensor: Any) -> None:
        me = main if get_ident() == here else local.moment
        if me is not None and me.eager.on and hasattr(tensor, "_id"):
            try:
                me.eager.printed(tensor)
            except Exception as error:
                me.eager.failed(error)

    compat.pywrap_tfe.TFE_Py_FastPathExecute = around_quick
    compat.pywrap_tfe.TFE_Py_Execute = around_slow
    return [
        partial(compat.context.context().remove_op_callback, main.ran),
        partial(setattr, compat.pywrap_tfe, "TFE_Py_FastPathExecute", quick),
        partial(setattr, compat.pywrap_tfe, "TFE_Py_Execute", slow),
        compat.note_variables(before),
        compat.note_text(printed),
    ]
