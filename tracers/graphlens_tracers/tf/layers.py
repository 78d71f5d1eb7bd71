"""In which Keras layer an operation is made, and whether it is an optimizer's.

Keras 3 opens a name scope for each call of a layer and each step of an optimizer, and says for whom.
Keras 2, which is `tf_keras`, has a context for each call of a layer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import Phase
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building, LayerCall

STEPS = ("apply", "apply_gradients")
"""What of an optimizer changes what is trained; it has other scopes, too."""
_OPTIMIZERS = {
    "keras.src.optimizers.base_optimizer": "BaseOptimizer",
    "tf_keras.src.optimizers.optimizer": "_BaseOptimizer",
    "tf_keras.src.optimizers.legacy.optimizer_v2": "OptimizerV2",
}
"""By module: the class of which its optimizers are."""


class Kerases:
    """Lets layers be known while operations are made, of each Keras from when it is there.

    Attributes:
        found: Whether any was.
    """

    def __init__(self, building: Building) -> None:
        self._building = building
        self._waiting = [_hook_keras_3, _hook_keras_2]
        self._modules = 0
        self.found = False

    def look(self) -> list[Callable[[], None]]:
        """Look for those that have not been there yet; each result undoes a part."""
        undo: list[Callable[[], None]] = []
        if len(sys.modules) == self._modules:
            return undo  # nothing was imported since
        self._modules = len(sys.modules)
        for hook in list(self._waiting):
            done = hook(self._building)
            if done is not None:
                self._waiting.remove(hook)
                self.found = True
                undo += done
        return undo


def optimizers() -> tuple[type, ...]:
    """The classes of which every optimizer of a Keras is."""
    found = [getattr(sys.modules.get(module), name, None) for module, name in _OPTIMIZERS.items()]
    return tuple(kind for kind in found if kind is not None)


def _hook_keras_3(building: Building) -> list[Callable[[], None]] | None:
    scope = getattr(sys.modules.get("keras.src.backend"), "name_scope", None)
    layer = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", None)
    optimizer = getattr(sys.modules.get("keras.src.optimizers.base_optimizer"), "BaseOptimizer", None)
    if scope is None or layer is None or optimizer is None:
        return None
    enter, leave = scope.__enter__, scope.__exit__
    # By scope: how many operations had run eagerly when a layer was called; None of an optimizer.
    entered: dict[int, int | None] = {}

    @wraps(enter)
    def around_enter(self: Any) -> Any:
        result = enter(self)
        caller = self.caller
        if isinstance(caller, layer):
            entered[id(self)] = enter_layer(building, caller)
        elif isinstance(caller, optimizer):
            enter_optimizer(building)
            entered[id(self)] = None
        return result

    @wraps(leave)
    def around_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        if id(self) in entered:
            ran = entered.pop(id(self))
            if ran is None:
                leave_optimizer(building, steps=sys._getframe(1).f_code.co_name in STEPS)
            else:
                leave_layer(building, ran)
        return leave(self, *args, **kwargs)

    scope.__enter__, scope.__exit__ = around_enter, around_leave
    return [partial(setattr, scope, "__enter__", enter), partial(setattr, scope, "__exit__", leave)]


def _hook_keras_2(building: Building) -> list[Callable[[], None]] | None:
    context = getattr(sys.modules.get("tf_keras.src.engine.base_layer_utils"), "CallContextManager", None)
    if context is None:
        return None
    enter, leave = context.__enter__, context.__exit__
    entered: dict[int, int] = {}

    @wraps(enter)
    def around_enter(self: Any) -> Any:
        result = enter(self)
        entered[id(self)] = enter_layer(building, self._state["layer"])
        return result

    @wraps(leave)
    def around_leave(self: Any, *args: Any) -> Any:
        if id(self) in entered:
            leave_layer(building, entered.pop(id(self)))
        return leave(self, *args)

    context.__enter__, context.__exit__ = around_enter, around_leave
    return [partial(setattr, context, "__enter__", enter), partial(setattr, context, "__exit__", leave)]


# ── calls of layers, steps of optimizers ─────────────────────────────────────────────────────


def enter_layer(building: Building, layer: Any) -> int:
    """A layer is called; gives how many operations have run eagerly."""
    building.enter(building.state._replace(layer=_call(building, layer)))
    return building.ran() or 0


def leave_layer(building: Building, ran: int) -> None:
    """Its call is over; `ran`: how many operations had run eagerly when it began."""
    building.leave()
    around = building.state.layer
    is_outermost = around is None or not around.layered
    if is_outermost and (building.ran() or 0) != ran and not compat.is_taped():
        building.anchor(False)


def enter_optimizer(building: Building) -> None:
    """An optimizer is at work."""
    building.enter(building.state._replace(phase=Phase.OPTIMIZER, layer=None, twin=None, node=None))


def leave_optimizer(building: Building, steps: bool) -> None:
    """It is done; `steps`: it has changed what is trained."""
    building.leave()
    if steps and building.state.phase is not Phase.OPTIMIZER:
        building.anchor(True)


def _call(building: Building, layer: Any) -> LayerCall:
    """The call of a layer that begins; the same one where it is in the middle of it."""
    now = building.state.layer and building.state.layer.module
    if now is not None and now.layer == id(layer):
        return now
    return building.called(id(layer), str(layer.name), type(layer).__name__, now, layered=True)
