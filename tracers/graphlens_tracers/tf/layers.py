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


def hook(building: Building) -> list[Callable[[], None]] | None:
    """Let layers be known while graphs are built; None where Keras is not there (yet)."""
    backend = sys.modules.get("keras.src.backend")
    scope = getattr(backend, "name_scope", None)
    layer = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", None)
    optimizer = getattr(sys.modules.get("keras.src.optimizers.base_optimizer"), "BaseOptimizer", None)
    if scope is None or layer is None or optimizer is None:
        return None
    enter, leave = scope.__enter__, scope.__exit__
    entered: set[int] = set()

    @wraps(enter)
    def around_enter(self: Any) -> Any:
        result = enter(self)
        caller = self.caller
        if isinstance(caller, layer):
            building.enter(building.state._replace(layer=_call(building, caller)))
            entered.add(id(self))
        elif isinstance(caller, optimizer):
            building.enter(building.state._replace(phase=Phase.OPTIMIZER, layer=None, twin=None))
            entered.add(id(self))
        return result

    @wraps(leave)
    def around_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        if id(self) in entered:
            entered.discard(id(self))
            building.leave()
        return leave(self, *args, **kwargs)

    scope.__enter__, scope.__exit__ = around_enter, around_leave
    return [partial(setattr, scope, "__enter__", enter), partial(setattr, scope, "__exit__", leave)]


def _call(building: Building, layer: Any) -> LayerCall:
    """The call of a layer that begins; the same one where it is in the middle of it."""
    now = building.state.layer
    if now is not None and now.layer == id(layer):
        return now
    return LayerCall(
        now, id(layer), str(layer.name), type(layer).__name__, compat.outermost(compat.graph_now())
    )
