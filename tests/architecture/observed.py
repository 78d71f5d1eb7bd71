"""What a process loaded and holds, as it says itself.

Used by the guards of this folder. Each guard is a function that returns the offenders, so that a
twin of every test can show that there are offenders when something is wrong.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

OURS = ("graphlens", "graphlens_tracers", "graphlens_tui")

REPORT = """
import json, os, sys, threading
report = {
    "modules": {name: str(getattr(module, "__file__", None)) for name, module in list(sys.modules.items())},
    "threads": [thread.name for thread in threading.enumerate()],
    "tasks": len(os.listdir("/proc/self/task")),
    "descriptors": {},
}
for number in os.listdir("/proc/self/fd"):
    try:
        report["descriptors"][number] = os.readlink("/proc/self/fd/" + number)
    except FileNotFoundError:
        pass  # the one that listed the directory
with open(os.environ["REPORT"], "w") as out:
    json.dump(report, out)
"""
"""At the end of a script: writes what its process is made of to the file named by $REPORT."""

COMMAND = (
    """
import sys
from graphlens.cli import main
sys.argv[0] = "graphlens"
try:
    main()
except SystemExit:
    pass
"""
    + REPORT
)
"""The command line, followed by the report."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One process, looked at when it was about to end.

    Attributes:
        modules: Name to file.
        threads: Names of its Python threads.
        tasks: How many threads it has in all.
        descriptors: Number to what is open under it, without the number that the kernel gave a pipe.
        stdout: What it printed.
    """

    modules: Mapping[str, str]
    threads: tuple[str, ...]
    tasks: int
    descriptors: Mapping[int, str]
    stdout: str

    @property
    def packages(self) -> set[str]:
        """Top-level names of what it loaded."""
        return {name.partition(".")[0] for name in self.modules}


def observed(command: Iterable[str | Path], where: Path) -> Observed:
    """Run a Python whose last act is REPORT.

    Raises:
        AssertionError: It wrote no report; says what it printed instead.
    """
    report = where / "report.json"
    report.unlink(missing_ok=True)
    own = {"REPORT": str(report), "GRAPHLENS_HOME": str(where / "graphlens-home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **own},
        cwd=where,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert report.exists(), f"exit code {done.returncode}, no report: {done.stderr or done.stdout}"
    said = json.loads(report.read_text())
    return Observed(
        modules=said["modules"],
        threads=tuple(said["threads"]),
        tasks=said["tasks"],
        descriptors={int(n): re.sub(r":\[\d+\]", "", to) for n, to in said["descriptors"].items()},
        stdout=done.stdout,
    )


def command(*words: str, where: Path) -> Observed:
    """`graphlens` with these words."""
    return observed([sys.executable, "-c", COMMAND, *words], where)


def recorded(script: Path, *, options: Iterable[str] = ()) -> Observed:
    """A script under `graphlens record`. -P: not even our own process imports what lies beside it."""
    return observed([sys.executable, "-P", "-m", "graphlens", "record", *options, script], script.parent)


def plain(script: Path) -> Observed:
    """The same script under Python alone."""
    return observed([sys.executable, script], script.parent)


def intruders(traced: Observed, alone: Observed, framework: str = "torch") -> set[str]:
    """Modules that tracing brought into the process and that have no business there.

    Allowed are `graphlens_tracers`, the standard library, and the framework's own.
    """
    allowed = {"graphlens_tracers", framework, *sys.stdlib_module_names}
    brought = traced.modules.keys() - alone.modules.keys()
    return {name for name in brought if name.partition(".")[0] not in allowed}


def left_open(traced: Observed, alone: Observed) -> set[tuple[int, str]]:
    """Descriptors that differ from those of the script alone."""
    return set(traced.descriptors.items()) ^ set(alone.descriptors.items())
