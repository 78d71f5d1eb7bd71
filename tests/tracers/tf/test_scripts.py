"""Whole scripts print, raise and exit as they do under Python, and what they ran is in the log."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import graphlens
from test_like_python import Case, Outcome, outcome

_LOG = re.compile(rb"\d{4}-\d\d-\d\d |[IWEF]\d{4} |WARNING: All log|To enable the following|\t \[\[")
"""How lines begin that TensorFlow writes into its log."""
SCRIPTS = {"mirrored_exit": 3, "uncaught": 1, "os_exit": 5}
"""And the codes that they exit with."""


def said(did: Outcome) -> list[str]:
    """What was written to standard error, without TensorFlow's log and what it counts up."""
    lines = [line.decode() for line in did.err if not _LOG.match(line)]
    return [re.sub(r"(?<=_)\d+", "N", line) for line in lines]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name != "uncaught" else []) for name in SCRIPTS]
)
def test_a_script_does_the_same_recorded(name: str, checkout: Path, tmp_path: Path) -> None:
    """Standard output, errors and exit code are those of Python."""
    case = Case((str(checkout / "tests" / "scripts" / "tensorflow" / f"{name}.py"),))
    plain, recorded = (
        outcome([sys.executable, *more], case, tmp_path / "here", tmp_path / "home")
        for more in ([], ["-m", "graphlens", "record"])
    )

    assert recorded.out == plain.out
    assert recorded.code == plain.code == SCRIPTS[name]
    assert said(recorded) == said(plain)
    assert recorded.files == plain.files
    (run,) = (tmp_path / "home").glob("*.glens")
    ran = graphlens.load(run).main
    assert ran.op_count > 0 and ran.calls()
