"""Which forward operation a gradient belongs to, and when gradients are being computed.

TensorFlow's tape passes the name scope of a forward operation on to its gradient, untouched: we put
the operation's own name behind it, and take it off again before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import Phase
from graphlens_tracers.tf.building import Building
from graphlens_tracers.tf.compat import (
    backprop,
    execute,
    gradients_util,
    graph_name,
    imperative_grad,
    ops,
    pywrap_tfe,
)

_BEHIND = "\x1f"
"""Between a name scope and what we say: no name holds it."""


def hook(building: Building) -> list[Callable[[], None]]:
    """Let gradients be told from other operations; each result undoes a part."""
    undo: list[Callable[[], None]] = []

    def replace(holder: Any, name: str, new: Any) -> None:
        undo.append(partial(setattr, holder, name, getattr(holder, name)))
        setattr(holder, name, new)

    recorded = execute.record_gradient

    @wraps(recorded)
    def record_gradient(op_name: Any, inputs: Any, attrs: Any, outputs: Any) -> None:
        made = graph_name(outputs[0]) if outputs else None
        if made is None:
            recorded(op_name, inputs, attrs, outputs)
            return
        scope = f"{ops.get_name_scope()}{_BEHIND}{made[0]}{_BEHIND}{made[1]}"
        pywrap_tfe.TFE_Py_RecordGradient(op_name, inputs, attrs, outputs, scope)

    differentiate = backprop._gradient_function

    @wraps(differentiate)
    def gradient_function(*args: Any) -> Any:
        twin, scope = None, args[-1]
        if scope and _BEHIND in scope:
            scope, graph, name = scope.split(_BEHIND)
            twin = int(graph), name
        with _Gradients(building, twin):
            return differentiate(*args[:-1], scope)

    maybe_compile = gradients_util._MaybeCompile

    @wraps(maybe_compile)
    def around_gradient(scope: Any, op: Any, func: Any, grad_fn: Any) -> Any:
        with _Gradients(building, (id(op.graph), op.name)):
            return maybe_compile(scope, op, func, grad_fn)

    whole = imperative_grad.imperative_grad

    @wraps(whole)
    def around_gradients(*args: Any, **kwargs: Any) -> Any:
        with _Gradients(building, None):
            return whole(*args, **kwargs)

    replace(execute, "record_gradient", record_gradient)
    replace(gradients_util, "_MaybeCompile", around_gradient)
    replace(imperative_grad, "imperative_grad", around_gradients)
    pywrap_tfe.TFE_Py_RegisterGradientFunction(gradient_function)
    undo.append(partial(pywrap_tfe.TFE_Py_RegisterGradientFunction, differentiate))
    return undo


class _Gradients:
    """What is built meanwhile are gradients; an error passes as if there had been nothing of ours."""

    def __init__(self, building: Building, twin: tuple[int, str] | None) -> None:
        self._building = building
        self._twin = twin

    def __enter__(self) -> None:
        state = self._building.state
        self._building.enter(state._replace(phase=Phase.BACKWARD, twin=self._twin))

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._building.leave()
        if error is not None and error.__traceback__ is not None:
            # Without the frame of ours in which the block is: the script's traceback is what it would be.
            error.__traceback__ = error.__traceback__.tb_next
