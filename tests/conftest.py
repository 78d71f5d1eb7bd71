"""What every test gets: runs are kept in a directory of the test's own, and nothing asks the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the runs of the person at the keyboard, or of another test."""
    for name in [name for name in os.environ if name.startswith("GRAPHLENS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRAPHLENS_HOME", str(tmp_path / "graphlens-home"))
    # One thread: sums come out the same to the last bit, and the tests share few cores.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the project."""
    return Path(__file__).resolve().parents[1]
