"""Where the script makes its Keras layers: what they compute in `fit` has no line of its own.

Layers can be made before anything runs, so the class is changed when its module has just been imported.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from graphlens_tracers.sites import DEEPEST
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building

_MODULES = ("keras.src.layers.layer", "tf_keras.src.engine.base_layer")
"""Where each Keras has its `Layer`."""


class _Finder(MetaPathFinder):
    """Finds what would be found without it, and does something when that was imported."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported
        self._asking = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder.find_spec`; None for what is no Keras's layers."""
        if fullname not in _MODULES or self._asking:
            return None
        self._asking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asking = False
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader  # one that may be given an attribute for a while
        run = loader.exec_module

        def around_running(module: ModuleType) -> None:
            del loader.exec_module
            try:
                run(module)
            except BaseException as error:
                compat.leave_out(error)
                raise
            self._imported(module)

        loader.exec_module = around_running
        return spec


def hook(building: Building, could_not: Callable[[str, Exception], None]) -> list[Callable[[], object]]:
    """Note where each layer is made from now on; each result undoes a part."""
    undo: list[Callable[[], object]] = []

    def imported(module: ModuleType) -> None:
        try:
            undo.append(_note(building, module.Layer))
        except Exception as error:
            could_not("where layers are made", error)

    finder = _Finder(imported)
    sys.meta_path.insert(0, finder)
    for name in _MODULES:
        if name in sys.modules:
            imported(sys.modules[name])

    def leave() -> None:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        while undo:
            undo.pop()()

    return [leave]


def _note(building: Building, layer: Any) -> Callable[[], None]:
    original = layer.__dict__["__new__"]
    make = original.__func__ if isinstance(original, staticmethod) else original

    @wraps(make)
    def around_making(cls: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            made = make(cls, *args, **kwargs)
        except BaseException as error:
            compat.leave_out(error)
            raise
        places = building.made[id(made)] = []  # those of one that is gone are of no use
        at: FrameType | None = sys._getframe(1)
        while at is not None and len(places) < DEEPEST:
            places.append((at.f_code, at.f_lasti))
            at = at.f_back
        return made

    layer.__new__ = staticmethod(around_making)
    return partial(setattr, layer, "__new__", original)
