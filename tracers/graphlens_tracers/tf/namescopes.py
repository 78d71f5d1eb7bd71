"""In which `tf.Module`, and which name scope of the script's, an operation is made.

A module is known where its name scope is entered: by `tf.Module.with_name_scope`, or by hand. Name scopes
that TensorFlow and Keras open for their own use are none of these, nor are those inside of a Keras layer.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from functools import partial, wraps
from threading import get_ident
from types import CodeType, FrameType
from typing import Any

from graphlens_tracers.events import Phase
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import NAME_SCOPE, Building, LayerCall
from graphlens_tracers.tf.layers import STEPS, enter_optimizer, leave_optimizer

_OPTIMIZER = "tf_keras/src/optimizers/optimizer.py"
"""Keras 2 says in no other way when an optimizer is at work."""
_FIRST = -1 << 32
"""Numbers of name scopes go down from here: those of variable scopes from -1, and an `id` is above zero."""


def hook(building: Building, is_user: Callable[[CodeType], bool]) -> list[Callable[[], None]]:
    """Let modules and name scopes be known while operations are made; each result undoes a part."""
    scopes = _Scopes(building, is_user)
    undo = [scopes.know_modules()]
    for kind in (compat.ops.name_scope_v2, compat.ops.name_scope_v1):
        undo += scopes.hook(kind)
    return undo


class _Scopes:
    """The scopes that are entered, on all threads."""

    def __init__(self, building: Building, is_user: Callable[[CodeType], bool]) -> None:
        self._building = building
        self._is_user = is_user
        self._entered: dict[tuple[int, int], list[str]] = {}  # by thread and scope: what `enter` gave
        self._modules: dict[int, weakref.ref[Any]] = {}  # by the `id` of their name scopes
        self._numbers: dict[str, int] = {}

    def know_modules(self) -> Callable[[], None]:
        """Let it be known whose a name scope is that is about to be entered."""
        module = compat.tf.Module
        original = module.name_scope

        def name_scope(self: Any) -> Any:
            try:
                scope = original.fget(self)
            except BaseException as error:
                compat.leave_out(error)
                raise
            if getattr(self, "_name_scope", None) is scope:  # TensorFlow 1 makes a new one each time
                key = id(scope)
                modules[key] = weakref.ref(self, lambda _: modules.pop(key, None))
            return scope

        modules = self._modules
        module.name_scope = property(name_scope, doc=original.__doc__)
        return partial(setattr, module, "name_scope", original)

    def hook(self, kind: Any) -> list[Callable[[], None]]:
        """Notice when a scope of this class is entered, and left."""
        enter, leave = kind.__enter__, kind.__exit__
        entered, scopes = self._entered, self

        @wraps(enter)
        def around_enter(self: Any) -> Any:
            try:
                result = enter(self)
            except BaseException as error:
                compat.leave_out(error)
                raise
            how = scopes.enter(self, sys._getframe(1))
            entered.setdefault((get_ident(), id(self)), []).append(how)
            return result

        @wraps(leave)
        def around_leave(self: Any, *args: Any) -> Any:
            key = get_ident(), id(self)
            how = entered.get(key)
            if how:
                scopes.leave(how.pop())
                if not how:
                    del entered[key]
            return leave(self, *args)

        kind.__enter__, kind.__exit__ = around_enter, around_leave
        return [partial(setattr, kind, "__enter__", enter), partial(setattr, kind, "__exit__", leave)]

    def enter(self, scope: Any, frame: FrameType) -> str:
        """A scope was entered in this frame. Gives what `leave` is to be told."""
        building, state, code = self._building, self._building.state, frame.f_code
        if code.co_name in STEPS and code.co_filename.replace("\\", "/").endswith(_OPTIMIZER):
            enter_optimizer(building)
            return "optimizer"
        known = self._modules.get(id(scope))
        module = known() if known is not None else None
        if state.phase is Phase.OPTIMIZER or (module is None and not self._is_script(frame)):
            return ""
        call = state.layer
        if module is not None:
            around = call and call.module
            if around is None or around.layer != id(module):
                call = building.called(id(module), str(module.name), type(module).__name__, around)
        elif call is None or not call.layered:
            call = self._called(str(scope.name or ""), call)
        building.enter(state._replace(layer=call))
        return "scope"

    def _is_script(self, frame: FrameType) -> bool:
        """Whether it is the script's own code; AutoGraph writes code of Keras 2 anew in files of nobody's."""
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        return self._is_user(frame.f_code) and module not in ("keras", "tf_keras", "tensorflow")

    def leave(self, how: str) -> None:
        """It was left."""
        if how == "optimizer":
            leave_optimizer(self._building, steps=True)
        elif how:
            self._building.leave()

    def _called(self, name: str, around: LayerCall | None) -> LayerCall | None:
        """A name scope as a call of it, which may be inside of another one; None for the outermost."""
        if name.endswith("/") or not name:
            around = None  # it says the whole name
        path = name.strip("/").replace("/", ".")
        if not path:
            return None
        number = self._numbers.setdefault(path, _FIRST - len(self._numbers))
        return self._building.called(number, path, NAME_SCOPE, around)
