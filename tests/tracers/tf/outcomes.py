"""What a program does: what it computes, what it raises, what it prints, and what is random afterwards."""

from __future__ import annotations

import random
import re
import traceback
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest
from corpus import PROGRAMS

from graphlens_tracers.tf.compat import context, tf

_NUMBER = re.compile(r"(?<=_)\d+|0x[0-9a-f]+|/tmp/\w+")
"""What TensorFlow counts up, and what is in another place each time."""
_LOG = re.compile(r"^(\d{4}-\d\d-\d\d |[IWEF]\d{4} |I0000|WARNING: All log|WARNING:tensorflow|\t \[\[)")
"""How lines begin that TensorFlow writes into its log, when it likes to: of an error the node, too."""


def bytes_of(found: Any) -> list[bytes]:
    """Everything that a program computed."""
    flat = tf.nest.flatten(found, expand_composites=True)
    arrays = [np.asarray(one) for one in flat if one is not None]
    return [repr(one.tolist()).encode() if one.dtype == object else one.tobytes() for one in arrays]


@dataclass
class Outcome:
    """What a program did.

    Attributes:
        error: Type, words and frames of the exception that it ended with.
        state: Of everything random, afterwards.
    """

    values: list[bytes] = field(default_factory=list)
    error: tuple[str, str, list[tuple[str, int | None, str]]] | None = None
    state: list[str] = field(default_factory=list)


def outcome(name: str) -> Outcome:
    """Run a program, from the same random state each time."""
    keras.utils.set_random_seed(3)
    found = Outcome()
    try:
        found.values = bytes_of(PROGRAMS[name]())
    except pytest.skip.Exception:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        found.error = (
            type(error).__qualname__,
            _NUMBER.sub("N", str(error)),
            [(_NUMBER.sub("N", frame.filename), frame.lineno, frame.name) for frame in frames],
        )
    found.state = [
        repr(random.getstate()), repr(np.random.get_state()), repr(context.context()._rng.getstate()),
        repr(tf.random.uniform([2]).numpy()),
    ]  # fmt: skip
    return found


def printed(capfd: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """What was printed, without what TensorFlow writes into its log."""
    out, err = capfd.readouterr()
    return _NUMBER.sub("N", out), [
        _NUMBER.sub("N", line) for line in err.splitlines() if not _LOG.match(line)
    ]
