"""Which forward operation a gradient belongs to, and when gradients are being computed.

TensorFlow's tape passes the name scope of a forward operation on to its gradient, untouched: we put
the operation's own name behind it, and take it off again before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import NodeId, Phase
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
        scope = args[-1]
        if not scope or _BEHIND not in scope:
            return _within(
                building, None, differentiate, *args, node=building.differentiated(args[0], args[3], args[5])
            )
        scope, graph, name = scope.split(_BEHIND)
        return _within(building, (int(graph), name), differentiate, *args[:-1], scope)

    maybe_compile = gradients_util._MaybeCompile

    @wraps(maybe_compile)
    def around_gradient(scope: Any, op: Any, func: Any, grad_fn: Any) -> Any:
        return _within(building, (id(op.graph), op.name), maybe_compile, scope, op, func, grad_fn)

    whole = imperative_grad.imperative_grad

    @wraps(whole)
    def around_gradients(*args: Any, **kwargs: Any) -> Any:
        outermost = building.state.phase is not Phase.BACKWARD
        if outermost:
            building.begin_gradients()
        result = _within(building, None, whole, *args, **kwargs)
        if outermost:
            building.anchor(True)
        return result

    replace(execute, "record_gradient", record_gradient)
    replace(gradients_util, "_MaybeCompile", around_gradient)
    replace(imperative_grad, "imperative_grad", around_gradients)
    pywrap_tfe.TFE_Py_RegisterGradientFunction(gradient_function)
    undo.append(partial(pywrap_tfe.TFE_Py_RegisterGradientFunction, differentiate))
    return undo


def _within(
    building: Building,
    twin: tuple[int, str] | None,
    run: Any,
    *args: Any,
    node: NodeId | None = None,
    **kwargs: Any,
) -> Any:
    """Run something of TensorFlow's whose operations are gradients."""
    building.enter(building.state._replace(phase=Phase.BACKWARD, twin=twin, node=node))
    try:
        return run(*args, **kwargs)
    except BaseException as error:
        # Without our frame: the script's traceback is what it would be without us.
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        raise
    finally:
        building.leave()
