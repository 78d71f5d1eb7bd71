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
    # The loss is divided in the same line as its backward: by PyTorch's words that is forward.
    "accelerate_like": {"phases": 12},
    # With no loop around it, an evaluation is not told from what runs just before it; nor is what
    # is printed of its result told from a loss.
    "early_stopping": {"missed": 1, "phases": 1, "roles": 1},
    "notebook": {"missed": 1, "phases": 2, "roles": 1},
    # What prepares an epoch is other, not data; what is counted of an evaluation could be its loss.
    "adversarial": {"phases": 24},
    "diffusion": {"phases": 6},
    "distillation": {"phases": 16},
    # To act and to learn in one round looks like a step whose teacher is asked first.
    "dqn": {"missed": 8, "phases": 55, "roles": 8},
    # Until a weight has been read once, anything could be the forward; a mean of weights and of
    # earlier weights looks like a layer.
    "langevin": {"phases": 6},
    # A sum in the line of autograd.grad is forward; noise after the critic's step is other.
    "wgan": {"phases": 12},
    # The loop over folds evaluates in its own body: what prepares a fold counts as data of that.
    "folds": {"phases": 18},
    # The mean that is printed of an evaluation could be its loss.
    "gan": {"phases": 2},
    # Where a context is cut to its last tokens, the author says forward; it reads only the batch.
    "generate": {"phases": 10},
    # A target that is read after the model has run could be what the loss compares with.
    "rnn": {"phases": 24},
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
