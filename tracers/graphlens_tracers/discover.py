"""Finds drop-ins: each module of a folder, by its one export.

A file that does not offer what the others do is an error that names it, never left out silently.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, TypeVar

from graphlens_tracers.api import TracerSpec
from graphlens_tracers.errors import UnknownName

T = TypeVar("T")


class BadDropIn(TypeError):
    """A module in a folder of drop-ins that does not export what its folder is for."""


def drop_ins(package: str, export: str, kind: type[T], *, folders: bool = False) -> list[T]:
    """The `export` of every module in `package`, in the order of the module names.

    Args:
        package: Dotted name of a package; names that begin with an underscore are not drop-ins.
        kind: A class, or a protocol whose members the export must have.
        folders: Look at sub-packages only.

    Raises:
        BadDropIn: A module has no such export, or one of another kind.
    """
    found = []
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
        if module.name.rpartition(".")[2].startswith("_") or (folders and not module.ispkg):
            continue
        offered = getattr(importlib.import_module(module.name), export, None)
        if offered is None:
            raise BadDropIn(f"{module.name} exports no {export}")
        if lacking := _lacking(offered, kind):
            raise BadDropIn(f"{module.name}.{export} is no {kind.__name__}: it lacks {', '.join(lacking)}")
        found.append(offered)
    return found


def _lacking(offered: Any, kind: type[Any]) -> list[str]:  # Any: whatever the module offers
    """What `offered` would need in order to be a `kind`; empty when it is one."""
    if not getattr(kind, "_is_protocol", False):
        return [] if isinstance(offered, kind) else [f"being a {kind.__name__}"]
    members = {
        name
        for base in kind.__mro__
        if getattr(base, "_is_protocol", False) and base.__name__ not in ("Protocol", "Generic")
        for name in (*getattr(base, "__annotations__", {}), *vars(base))
        if not name.startswith("_")
    }
    return sorted(name for name in members if not hasattr(offered, name))


def tracers() -> list[TracerSpec]:
    """Every tracer there is, whether or not its framework is installed."""
    return drop_ins("graphlens_tracers", "SPEC", TracerSpec, folders=True)


def chosen(framework: str) -> list[TracerSpec]:
    """The tracers meant by what a person typed: a name, or "auto" for all.

    Raises:
        UnknownName: No tracer is called so.
    """
    found = tracers()
    if framework == "auto":
        return found
    named = [spec for spec in found if spec.name == framework]
    if not named:
        names = ", ".join(spec.name for spec in found)
        raise UnknownName(f"no tracer named {framework!r}; this installation has: {names}")
    return named
