"""The verdict on scripts of PyTorch, against what their authors found without graphlens.

Every sixth of them; all: `make verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch  # needs PyTorch, as what follows

from recorded import pytorch
from verdict.judged import differences, verdict_on
from verdict.truth import cases, truth


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Cases change what holds for the whole process."""
    kind, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(kind)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("case", cases("pytorch", every=6), ids=lambda case: case.stem)
def test_the_first_harm_is_found_and_nothing_else_is_blamed(case: Path, tmp_path: Path) -> None:
    """By operation, line, step, phase, module, and what it reached."""
    answer = verdict_on(case, tmp_path / "run.glens", pytorch)

    assert differences(truth(case), answer) == {}
