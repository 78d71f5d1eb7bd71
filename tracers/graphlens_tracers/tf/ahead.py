"""Which loop of the script is going to step, in TensorFlow's words."""

from __future__ import annotations

import sys
from typing import Any

from graphlens_tracers.ahead import Ahead
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.layers import optimizers

_STEPS = frozenset(("apply", "apply_gradients", "minimize"))
"""Methods of optimizers that train."""


class LayersAhead(Ahead):
    """Knows modules, Keras layers and optimizers."""

    def steps(self, kind: type, name: str) -> bool:
        """See `Ahead.steps`."""
        return name in _STEPS and issubclass(kind, optimizers())

    def runs(self, kind: type) -> bool:
        """See `Ahead.runs`."""
        layer = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", None)
        return issubclass(kind, compat.tf.Module) or (layer is not None and issubclass(kind, layer))

    def inside(self, held: Any) -> Any | None:
        """See `Ahead.inside`: what a `tf.function` is made of."""
        return held.python_function if type(held) is compat.Function else None
