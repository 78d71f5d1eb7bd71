"""Sees each operation that TensorFlow executes eagerly, on the thread that imported it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from threading import get_ident
from time import perf_counter_ns
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

    def elsewhere() -> bool:
        if get_ident() == here:
            return False
        sink.gap("thread", "operations that run eagerly on other threads")
        return True

    def around_quick(*args: Any) -> Any:
        nonlocal began, given, ready, running
        if elsewhere():
            return quick(*args)
        ready = ready or before()
        around = running, given, began  # of an operation that runs Python, which runs this one
        running, given = True, args[3:]  # behind what executes it, its type and its name
        began = perf_counter_ns()
        try:
            return quick(*args)
        finally:
            running, given, began = around

    def around_slow(handle: Any, device: Any, op: Any, inputs: Any, attributes: Any, count: Any) -> Any:
        before = perf_counter_ns()
        outputs = slow(handle, device, op, inputs, attributes, count)
        if eager.on and compat.op_def(compat.text(op)) is not None and not elsewhere():
            see(compat.text(op), tuple(inputs), tuple(attributes or ()), outputs, before, ())
        return outputs

    def ran(
        op: str, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        if running and eager.on:  # else a graph is being built, or it comes by the way that is slow
            see(op, inputs, attributes, outputs, began, given)

    def see(op: str, inputs: Any, attributes: Any, outputs: Any, since: int, args: tuple[Any, ...]) -> None:
        try:
            eager.ran(Operation(op, attributes, inputs, outputs, args), since, sys._getframe(1))
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
