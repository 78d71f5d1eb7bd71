"""Small programs, one for each thing that people write. Each gives what it computed, or fails."""

from corpus import (
    eager,
    failures,
    flow,
    functions,
    gradients,
    layers,
    saved,
    sessions,
    state,
    tensors,
    training,
)
from corpus.programs import PROGRAMS

__all__ = [
    "PROGRAMS", "eager", "failures", "flow", "functions", "gradients", "layers", "saved", "sessions", "state",
    "tensors", "training",
]  # fmt: skip
