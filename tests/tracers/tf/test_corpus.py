"""A corpus of programs: each does to the bit what it does without us, and is seen whole."""

from __future__ import annotations

import contextlib
import random
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from corpus import PROGRAMS

import graphlens
from graphlens_tracers.tf.compat import context, tf
from recorded import recording, tensorflow

_IN_SESSIONS = "inside of functions that sessions run"
EXPECTED = {
    "a_monitored_session": {_IN_SESSIONS},
    "a_saved_model_in_a_session": {_IN_SESSIONS},
    "a_saver": {"whose a variable is, where several sessions run one graph"},
    "compiled": {"functions that XLA would compile, and which run as written"},
    "condition_with_a_variable": {"inside of while_cond"},
    "feeds_and_partial_fetches": {_IN_SESSIONS},
    "functions_deep_inside": {"inside of __inference_<lambda>"},
    "loops_of_a_session": {_IN_SESSIONS},
    "shown_as_they_run": {"functions that the script asks TensorFlow to show as they run"},
    "sequences": {"calls of functions whose definition cannot be read"},
}
"""What is not seen of some."""
_NUMBER = re.compile(r"(?<=_)\d+|0x[0-9a-f]+|/tmp/\w+")
"""What TensorFlow counts up, and what is in another place each time."""
_LOG = re.compile(r"^(\d{4}-\d\d-\d\d |[IWEF]\d{4} |I0000|WARNING: All log|WARNING:tensorflow)")
"""How lines begin that TensorFlow writes into its log."""


@pytest.fixture(autouse=True)
def _unoptimised() -> Any:
    """What is looked at cannot be fused: without Grappler, nothing is."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


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


LONG = {"recurrent_layers", "several_steps_at_a_time"}
"""Whose parts are in others, and in test_keras.py."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in PROGRAMS]
)
def test_a_program_does_the_same_and_is_seen_whole(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit; every graph is valid, and nothing is left out but what is expected."""
    found = []
    for around in (contextlib.nullcontext(), recording(tmp_path / "run.glens", of=tensorflow)):
        with around:
            found.append((outcome(name), printed(capfd)))
    (plain, plainly), (traced, tracedly) = found

    assert tracedly[0] == plainly[0]
    assert traced.error is not None or tracedly[1] == plainly[1]  # TensorFlow logs errors, on any thread
    assert traced.error == plain.error
    assert traced.state == plain.state
    if name != "compiled":  # XLA rounds otherwise than what is looked at
        assert traced.values == plain.values
    assert len(traced.values) == len(plain.values)
    assert plain.values or plain.error is not None, f"{name} gives nothing"
    process = graphlens.load(tmp_path / "run.glens").main
    for graph in process.graphs():
        process.graph(graph.graph).check()
    said = {gap.what.rstrip("0123456789_") for gap in process.gaps}
    assert said == EXPECTED.get(name, set())
    assert process.op_count > 0
