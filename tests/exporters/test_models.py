"""The pictures of docs/models are what `export` makes of a new recording, whatever the versions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from graphlens.cli import main
from host_processes import RECORD

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures" / "models"
NEEDS = {
    "lstm": "torch", "cnn": "torch", "unet": "torch", "gan": "torch", "resnet50": "torch",
    "keras_functional": "keras", "tf_control": "tensorflow", "tf1_session": "tensorflow",
    "gpt2": "transformers",
}  # fmt: skip
QUICK = ("lstm",)


def without_versions(document: str) -> str:
    """The framework's version is in the heading."""
    return re.sub(r"(pytorch|tensorflow) [\w.+]+", r"\1", document)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in NEEDS]
)
def test_golden(name: str, tmp_path: Path) -> None:
    """`python docs/compare_pictures.py` makes them again; look at what has changed."""
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    run, target = tmp_path / "run.glens", tmp_path / "new.svg"
    script = ROOT / "docs" / "models" / f"{name}.py"
    subprocess.run([*RECORD, "-q", "-o", str(run), str(script)], check=True, capture_output=True, cwd=ROOT)

    assert main(["export", "-q", str(run), "-o", str(target)]) == 0
    assert without_versions(target.read_text()) == without_versions((PICTURES / f"{name}.svg").read_text())
