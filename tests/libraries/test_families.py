"""No false alarm on healthy models of public libraries: two training steps of each.

`make libraries` installs them; what is not installed is skipped. Truth: a bare dispatch mode, for what is
infinite and meant so, and the losses without recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch  # needs PyTorch, as what follows

from libraries.families import FAMILIES
from libraries.family import Family
from verdict.healthy import check, trained


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: f"{one.library}-{one.name}")
def test_no_harm_is_said_of_a_healthy_family(family: Family, tmp_path: Path) -> None:
    try:
        __import__(family.library)
    except (ImportError, RuntimeError) as error:  # torchvision, which timm needs, may be of another PyTorch
        pytest.skip(f"{family.library} cannot be imported: {error}")

    check(lambda: trained(family.make), tmp_path / "run.glens")


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "ResNet50", "NASNetMobile"])
def test_no_harm_is_said_of_an_application_of_keras(name: str, tmp_path: Path) -> None:
    """Recording one takes minutes."""
    pytest.importorskip("tensorflow")
    from verdict.healthy_keras import application
    from verdict.healthy_keras import check as check_keras

    check_keras(application(name), tmp_path / "run.glens")


def test_no_harm_is_said_of_masked_recurrence_in_keras(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from verdict.healthy_keras import check as check_keras
    from verdict.healthy_keras import masked_recurrence

    check_keras(masked_recurrence, tmp_path / "run.glens")
