"""A corpus of programs: each does to the bit what it does without us, and is seen whole."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from corpus import PROGRAMS
from outcomes import outcome, printed

import graphlens
from graphlens_tracers.tf.compat import tf
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


@pytest.fixture(autouse=True)
def _unoptimised() -> Any:
    """What is looked at cannot be fused: without Grappler, nothing is."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


LONG = {"recurrent_layers", "several_steps_at_a_time", "a_saved_keras_model", "several_inputs_and_outputs"}
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
