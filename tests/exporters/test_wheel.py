"""What is in a release: everything that an exporter reads comes along."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exporters_shared import needs
from factories import write_run
from graphlens.exporters import exporters

pytestmark = pytest.mark.long

SEVERAL = """
import sys
import graphlens
from pathlib import Path
assert Path(graphlens.__file__).is_relative_to(sys.argv[1]), graphlens.__file__
run = graphlens.load(Path(sys.argv[2]))
for name in sys.argv[4:]:
    run.export(Path(sys.argv[3]) / name, format=name)
"""


def export_all(where: Path, run: Path, out: Path, **environment: str) -> dict[str, bytes]:
    """Every format that works here, written by the graphlens in a folder."""
    names = [one.name for one in exporters() if needs(one)]
    out.mkdir()
    subprocess.run(
        [sys.executable, "-P", "-c", SEVERAL, str(where), str(run), str(out), *names],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(where), os.environ.get("PYTHONPATH", "")]),
            **environment,
        },
        check=True,
    )
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_every_format_works_from_the_built_wheel(tmp_path: Path, checkout: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(checkout)],
        capture_output=True, text=True,
    )  # fmt: skip
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr.strip().splitlines()[-1:]}")
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    run = write_run(tmp_path / "train.glens", nodes=300, steps=3, nan_from=1)
    installed = export_all(tmp_path / "installed", run, tmp_path / "one")
    here = export_all(checkout, run, tmp_path / "two", PYTHONPATH=os.pathsep.join(sys.path))

    assert len(installed) >= 10
    for name, data in here.items():
        assert name == "pdf" or installed[name] == data, name


def test_same_bytes_under_another_seed_time_zone_and_locale(tmp_path: Path, checkout: Path) -> None:
    """PDF is left out: Cairo writes the date into it."""
    run = write_run(tmp_path / "train.glens", nodes=300, steps=3, nan_from=1)
    path = os.pathsep.join(sys.path)
    here = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONPATH": path}
    there = {"PYTHONHASHSEED": "77", "TZ": "Asia/Kolkata", "LC_ALL": "tr_TR.UTF-8", "PYTHONPATH": path}
    first, second = (
        export_all(checkout, run, tmp_path / str(k), **one) for k, one in enumerate((here, there))
    )

    assert {name for name in first if first[name] != second[name]} <= {"pdf"}
