"""What the author of a training script says of it, while it runs.

`begin` says that a step begins, `at` which part of it does. Each holds until the next one. Nothing
is computed here, so that the words leave no trace in what is recorded; a note of which operations
came after which words is taken by a run of its own (`tests/tracers/pytorch/test_steps.py`).
"""

from typing import NamedTuple


class Said(NamedTuple):
    """Where the script is: more than one role or phase means that the author takes either."""

    step: int
    roles: tuple[str, ...]
    phases: tuple[str, ...]
    loose: bool = False
    """It belongs to the step before, to the step after, or to none of them."""


now = Said(0, ("setup",), ("other",))


def begin(*roles: str) -> None:
    """A step begins here: "setup", "train", "eval" or "other". Its first phase is "data" or "other"."""
    global now
    now = Said(now.step + 1, roles, ("data",) if roles[0] in ("train", "eval") else ("other",))


def at(*phases: str, loose: bool = False) -> None:
    """From here on it is "data", "forward", "backward", "optimizer" or "other"."""
    global now
    now = now._replace(phases=phases, loose=loose)


def restart() -> None:
    """Another script begins."""
    global now
    now = Said(0, ("setup",), ("other",))
