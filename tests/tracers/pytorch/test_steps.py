"""Steps, roles and phases are what the author of a script says they are.

Each script in `tests/scripts/steps` was written, with its author's words, before the rule was tried
on it. What is still wrong is listed here, exactly: no more and no less may be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from step_score import ran, score, scripts

WRONG: dict[str, dict[str, int]] = {
    "accelerate_like": {"phases": 18},
    "accumulation_carried": {"phases": 14},
    "amp": {"missed": 2, "numbers": 9},
    "augment": {"spurious": 1, "phases": 30, "roles": 1, "numbers": 1},
    "callbacks": {"missed": 1, "spurious": 1, "phases": 11, "roles": 1, "numbers": 1},
    "checkpoint": {"spurious": 2, "phases": 6},
    "early_stopping": {"missed": 2, "spurious": 4, "phases": 10, "roles": 5, "numbers": 4},
    "ema": {"missed": 3, "phases": 3, "roles": 3},
    "eval_first": {"missed": 1, "spurious": 1, "phases": 2, "roles": 1},
    "folds": {"phases": 34},
    "functional": {"phases": 48},
    "gan": {"missed": 1, "spurious": 2, "phases": 3, "roles": 2, "numbers": 2},
    "generate": {"missed": 1, "spurious": 1, "phases": 12, "roles": 1},
    "generators": {"spurious": 8, "phases": 32},
    "hooks": {"phases": 12},
    "inference": {"missed": 1, "spurious": 1, "phases": 3, "roles": 1},
    "inner_validation": {"missed": 9, "phases": 18, "roles": 9},
    "maml": {"phases": 80},
    "moco": {"phases": 120},
    "notebook": {"missed": 2, "phases": 3, "roles": 2},
    "plain": {"spurious": 2, "roles": 2, "numbers": 2},
    "recursion": {"missed": 6, "spurious": 1, "phases": 24, "roles": 1, "numbers": 6},
    "reinforce": {"phases": 12},
    "rnn": {"phases": 50},
    "sanity": {"missed": 1, "spurious": 1, "phases": 2, "roles": 1},
    "tensors": {"phases": 60},
    "trainer": {"missed": 1, "spurious": 1, "phases": 29, "roles": 1, "numbers": 1},
    "two_losses": {"phases": 12},
    "validation": {"missed": 1, "spurious": 1, "phases": 79},
    "while_break": {"phases": 9},
}


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)
def test_steps_are_what_the_author_says(script: Path, tmp_path: Path) -> None:
    """A step that begins one operation late puts a batch into the step before it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = score(ran(script, tmp_path / "run"))
    finally:
        torch.set_num_threads(threads)

    assert found.wrong == WRONG.get(script.stem, {}), (
        found.missed,
        found.spurious,
        found.phases,
        found.roles,
    )
