"""Which forward operation a gradient belongs to, and when gradients are being computed.

TensorFlow's tape passes the name scope of a forward operation on to its gradient, untouched: we put
the operation's own name behind it, and take it off again before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import NodeId, Phase
from graphlens_tracers.tf.building import Building, State
from graphlens_tracers.tf.compat import (
    backprop,
    execute,
    gradients_util,
    graph_name,
    imperative_grad,
    leave_out,
    ops,
    optimizer,
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

    def taped(args: tuple[Any, ...]) -> tuple[State | None, tuple[Any, ...]]:
        scope = args[-1]
        if not scope or _BEHIND not in scope:
            node = building.differentiated(args[0], args[3], args[5])
            return None if node is None else backward(node=node), args
        scope, graph, name = scope.split(_BEHIND)
        return backward((int(graph), name)), (*args[:-1], scope)

    def backward(twin: tuple[int, str] | None = None, node: NodeId | None = None) -> State:
        return building.state._replace(phase=Phase.BACKWARD, twin=twin, node=node)

    def of_one(args: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
        return backward((id(args[1].graph), args[1].name)), args  # a scope, the forward operation, and others

    def whole(args: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
        if building.state.phase is not Phase.BACKWARD:
            building.begin_gradients()
        return backward(), args

    def applied(args: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
        return building.state._replace(phase=Phase.OPTIMIZER, layer=None, twin=None, node=None), args

    replace(execute, "record_gradient", record_gradient)
    for holder, name, told, steps in (
        (gradients_util, "_MaybeCompile", of_one, False),
        (gradients_util, "_GradientsHelper", whole, False),
        (imperative_grad, "imperative_grad", whole, True),
        (optimizer.Optimizer, "apply_gradients", applied, True),
    ):
        replace(holder, name, _around(building, getattr(holder, name), told, steps))
    pywrap_tfe.TFE_Py_RegisterGradientFunction(_around(building, differentiate, taped, False))
    undo.append(partial(pywrap_tfe.TFE_Py_RegisterGradientFunction, differentiate))
    return undo


Told = Callable[[tuple[Any, ...]], tuple[State | None, tuple[Any, ...]]]


def _around(building: Building, original: Any, told: Told, steps: bool) -> Any:
    """A function of TensorFlow's, around which the state is another one.

    Args:
        told: By its arguments, the state (None: as it is), and the arguments that it is to get.
        steps: Whether a step that runs eagerly has done its work with it.
    """

    @wraps(original)
    def around(*args: Any, **kwargs: Any) -> Any:
        state, args = told(args)
        building.enter(state or building.state)
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            leave_out(error)
            raise
        finally:
            building.leave()
        if steps and building.state.phase is not Phase.BACKWARD:
            building.anchor(True)
        return result

    return around
