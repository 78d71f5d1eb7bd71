"""The graph is enough: random functions run again from what was recorded, and every bit is the same.

The programs are in `random_functions.py`; the interpreter that knows the log alone is in `reexecution.py`.
With as many programs as wanted: `GRAPHLENS_EXAMPLES=500 make tests PYTEST_ARGS="-k random_function"`.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from called import functions
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_functions import KINDS, WITH_STEPS, Step, program, random_steps
from reexecution import Again, watching

from graphlens.store import Process
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

EXAMPLES = int(os.environ.get("GRAPHLENS_EXAMPLES", "3"))
MOST_CHOICES = 16


@pytest.fixture(autouse=True, scope="module")
def _unoptimised() -> Any:
    """Grappler would compute otherwise than operation by operation."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def faults(run: Callable[[], object]) -> list[str]:
    """In words, whatever the log says that is not so."""
    with tempfile.TemporaryDirectory() as folder, watching() as seen:
        process = recorded(run, Path(folder) / "run.glens", of=tensorflow)
        gaps = found = [gap.what for gap in process.gaps]
        for choices in range(MOST_CHOICES):
            again = Again(process, list(seen), choices)
            found = gaps + again.run()
            count = operations(process)
            if again.ran != count or not again.compared:
                found.append(f"{again.ran} of {count} operations ran again")
            if not found or choices >= 2**again.unsure:
                break
    return found


def operations(process: Process) -> int:
    """How many operations ran in functions."""
    inside = {graph.graph for graph in functions(process)}
    calls = {call.call for call in process.calls() if call.graph in inside}
    return sum(call in calls for call in process.rows(0, process.op_count).call.tolist())


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    phases=[Phase.generate],  # shrinking takes minutes; a failing program is short as it is
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 2**31))
def test_a_random_function_runs_again_from_its_graph_alone(seed: int) -> None:
    """Every result and every range, of each branch and iteration that ran."""
    assert faults(program(random_steps(random.Random(seed), 4))) == []


@pytest.mark.parametrize("part", range(6))
def test_every_kind_of_step_runs_again(part: int) -> None:
    """Chance may leave one out: here each has its turn."""
    chosen = random.Random(part)
    steps = tuple(
        Step(
            kind, chosen.randrange(4), chosen.randrange(4), chosen.randrange(4), chosen.randrange(5),
            random_steps(chosen, 2, 1) if kind in WITH_STEPS else (),
        )
        for kind in KINDS[part::6]
    )  # fmt: skip

    assert faults(program(steps)) == []
