"""In which variable scope of TensorFlow 1 an operation is made: its scopes are what layers are in Keras."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.events import Phase
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building, LayerCall


def hook(building: Building) -> list[Callable[[], None]]:
    """Let variable scopes be known while graphs are built; each result undoes a part."""
    scope = compat.variable_scope.variable_scope
    enter, leave = scope.__enter__, scope.__exit__
    numbers: dict[str, int] = {}

    @wraps(enter)
    def around_enter(self: Any) -> Any:
        try:
            entered = enter(self)
        except BaseException as error:
            compat.leave_out(error)
            raise
        path = str(entered.name).replace("/", ".")
        number = numbers.setdefault(path, -1 - len(numbers))  # an `id`, which a layer has, is above zero
        now = building.state
        if now.phase is not Phase.OPTIMIZER:  # it keeps its state in scopes that are named after variables
            now = now._replace(layer=_call(building, path, number))
        building.enter(now)
        return entered

    @wraps(leave)
    def around_leave(self: Any, *args: Any) -> Any:
        building.leave()
        try:
            return leave(self, *args)
        except BaseException as error:
            compat.leave_out(error)
            raise

    scope.__enter__, scope.__exit__ = around_enter, around_leave
    return [partial(setattr, scope, "__enter__", enter), partial(setattr, scope, "__exit__", leave)]


def _call(building: Building, path: str, number: int) -> LayerCall | None:
    """The scope that is entered: the same one where it is in the middle of it, and none for the root."""
    now = building.state.layer
    if not path or (now is not None and now.layer == number):
        return now if path else None
    around = _path(now)
    inside = now is not None and path.startswith(f"{around}.")
    name = path.removeprefix(f"{around}.") if inside else path
    return building.called(number, name, "variable_scope", now if inside else None)


def _path(call: LayerCall | None) -> str:
    names: list[str] = []
    while call is not None:
        names.append(call.name)
        call = call.parent
    return ".".join(reversed(names))
