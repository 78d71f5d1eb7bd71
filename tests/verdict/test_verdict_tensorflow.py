"""The verdict on scripts of TensorFlow, against what their authors found without graphlens.

Every eighth of them; all: `make verdict`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

import keras as _keras  # needs TensorFlow; its sources have the wrong types

from recorded import tensorflow
from verdict.judged import differences, verdict_on
from verdict.truth import cases, truth


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Cases change what holds for the whole process."""
    _keras.backend.clear_session(free_memory=False)
    _keras.mixed_precision.set_global_policy("float32")
    _keras.backend.set_floatx("float32")
    _keras.utils.set_random_seed(0)


@pytest.mark.parametrize("case", cases("tensorflow", every=8), ids=lambda case: case.stem)
def test_the_first_harm_is_found_and_nothing_else_is_blamed(case: Path, tmp_path: Path) -> None:
    """By operation, line, step, phase, module, iteration, and what it reached."""
    answer = verdict_on(case, tmp_path / "run.glens", tensorflow)

    assert differences(truth(case), answer) == {}
