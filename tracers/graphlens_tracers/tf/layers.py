"""In which Keras layer an operation is made, and whether it is an optimizer's.

Keras opens a name scope for each call of a layer and each step of an optimizer, and says for whom.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import Phase
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building, LayerCall

_STEPS = ("apply", "apply_gradients")
"""What of an optimizer changes what is trained; it has other scopes, too."""


def hook(building: Building) -> list[Callable[[], None]] | None:
    """Let layers be known while graphs are built; None where Keras is not there (yet)."""
    backend = sys.modules.get("keras.src.backend")
    scope = getattr(backend, "name_scope", None)
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
            building.enter(building.state._replace(layer=_call(building, caller)))
            entered[id(self)] = building.ran() or 0
        elif isinstance(caller, optimizer):
            building.enter(building.state._replace(phase=Phase.OPTIMIZER, layer=None, twin=None, node=None))
            entered[id(self)] = None
        return result

    @wraps(leave)
    def around_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        if id(self) not in entered:
            return leave(self, *args, **kwargs)
        ran = entered.pop(id(self))
        building.leave()
        if ran is None:
            if sys._getframe(1).f_code.co_name in _STEPS and building.state.phase is not Phase.OPTIMIZER:
                building.anchor(True)
        elif building.state.layer is None and (building.ran() or 0) != ran and not compat.is_taped():
            building.anchor(False)
        return leave(self, *args, **kwargs)

    scope.__enter__, scope.__exit__ = around_enter, around_leave
    return [partial(setattr, scope, "__enter__", enter), partial(setattr, scope, "__exit__", leave)]


def _call(building: Building, layer: Any) -> LayerCall:
    """The call of a layer that begins; the same one where it is in the middle of it."""
    now = building.state.layer
    if now is not None and now.layer == id(layer):
        return now
    return building.called(id(layer), str(layer.name), type(layer).__name__, now)
