"""Sees each operation that TensorFlow executes eagerly, on the thread that imported it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from threading import get_ident
from time import perf_counter_ns
from types import FrameType
from typing import Any

from graphlens_tracers.sink import LogSink
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.eager import Eager
from graphlens_tracers.tf.nodes import Operation


def hook(eager: Eager, sink: LogSink, before: Callable[[], bool]) -> list[Callable[[], object]]:
    """Let every operation be seen; each result undoes a part.

    Args:
        before: Called before an operation runs, until it gives True.
    """
    quick, slow = compat.pywrap_tfe.TFE_Py_FastPathExecute, compat.pywrap_tfe.TFE_Py_Execute
    here, context = get_ident(), compat.context.context()
    began = 0
    given: tuple[Any, ...] = ()
    ready = running = False

    def elsewhere() -> None:
        sink.gap("thread", "operations that run eagerly on other threads")

    def around_quick(*args: Any) -> Any:
        nonlocal began, given, ready, running
        if get_ident() != here:
            elsewhere()
            try:
                return quick(*args)
            except BaseException as error:
                compat.leave_out(error)
                raise
        if not ready:
            ready = before()
        around = running, given, began  # of an operation that runs Python, which runs this one
        running, given = True, args[3:]  # behind what executes it, its type and its name
        began = perf_counter_ns()
        try:
            return quick(*args)
        except BaseException as error:
            compat.leave_out(error)
            raise
        finally:
            running, given, began = around

    def around_slow(handle: Any, device: Any, op: Any, inputs: Any, attributes: Any, count: Any) -> Any:
        before = perf_counter_ns()
        try:
            outputs = slow(handle, device, op, inputs, attributes, count)
        except BaseException as error:
            compat.leave_out(error)
            raise
        if eager.on and compat.op_def(compat.text(op)) is not None:
            if get_ident() == here:
                operation = Operation(compat.text(op), tuple(attributes or ()), tuple(inputs), outputs)
                see(operation, before, sys._getframe())
            else:
                elsewhere()
        return outputs

    def ran(
        op: str, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> Any:
        if running and eager.on:  # else a graph is being built, or it comes by the way that is slow
            see(Operation(op, attributes, inputs, outputs, given), began, sys._getframe())
        # Into a graph go the outputs that the last callback gives, and each is given those of the one before.
        return outputs if graph is not None and len(context.op_callbacks) > 1 else None

    def see(operation: Operation, since: int, frame: FrameType) -> None:
        try:
            eager.ran(operation, since, frame)
        except Exception as error:
            eager.failed(error)

    context.add_op_callback(ran)
    compat.pywrap_tfe.TFE_Py_FastPathExecute = around_quick
    compat.pywrap_tfe.TFE_Py_Execute = around_slow
    return [
        partial(context.remove_op_callback, ran),
        partial(setattr, compat.pywrap_tfe, "TFE_Py_FastPathExecute", quick),
        partial(setattr, compat.pywrap_tfe, "TFE_Py_Execute", slow),
        compat.note_variables(),
    ]
