"""The scripts of the conformance suite, and the process whose forked children run them (`stage.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "scripts" / "conformance"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))


class Stage:
    """The process whose children run the scripts."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "stage.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
                 "KINETO_LOG_LEVEL": "99"},
        )  # fmt: skip

    def run(self, way: str, script: Path, folder: Path) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([way, str(script), str(folder)]) + "\n")
        self._process.stdin.flush()
        status = self._process.stdout.readline().strip()
        err = (folder / f"{way}.err").read_text()
        assert status == "0", err
        said: dict[str, Any] = json.loads((folder / f"{way}.json").read_text())
        return {**said, "out": (folder / f"{way}.out").read_text(), "err": err}

    def close(self) -> None:
        self._process.communicate()
