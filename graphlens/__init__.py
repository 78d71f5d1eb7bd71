"""The computation graph of a training script: recorded, read, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line must start without numpy and networkx
    from graphlens.notebook import Options as Options
    from graphlens.notebook import load as load
    from graphlens.notebook import record as record

__version__ = "0.1.0"
__all__ = ["Options", "__version__", "load", "record"]


def __getattr__(name: str) -> object:
    if name in ("Options", "load", "record"):
        from graphlens import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
