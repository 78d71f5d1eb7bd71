"""The computation graph of a training script: recorded, read, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line must start without numpy and networkx
    from graphlens.session import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> object:
    if name == "load":
        from graphlens.session import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
