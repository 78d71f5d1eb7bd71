"""A corpus of programs: each computes to the bit what it computes without us, and is seen whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus import PROGRAMS

from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

EXPECTED = {
    "compiled": {"functions that XLA would compile, and which run as written"},
    "condition_with_a_variable": {"inside of while_cond"},
    "sequences": {"calls of functions whose definition cannot be read"},
}
"""What is not seen of some."""


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_computes_the_same_and_is_seen_whole(name: str, tmp_path: Path) -> None:
    """Bit for bit; every graph is valid, and nothing is left out but what is expected."""
    plain = bytes_of(PROGRAMS[name]())
    traced: list[bytes] = []

    process = recorded(
        lambda: traced.extend(bytes_of(PROGRAMS[name]())), tmp_path / "run.glens", of=tensorflow
    )

    if name != "compiled":  # XLA rounds otherwise than what is looked at
        assert traced == plain
    assert len(traced) == len(plain) > 0
    said = {gap.what.rstrip("0123456789_") for gap in process.gaps}
    assert said == EXPECTED.get(name, set())
    assert process.op_count > 0
