"""What graphlens says of a case, recorded in this very process, in the words of the case's own comments."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphlens
from graphlens.verdict import verdict_answer
from graphlens_tracers.api import Tracer
from recorded import recording
from verdict.truth import Origin, Truth

Answer = dict[str, Any]  # Any: JSON


def verdict_on(case: Path, run: Path, of: Callable[[], Tracer]) -> Answer:
    """The verdict on a case."""
    record(case, run, of)
    return verdict_answer(graphlens.load(run))


def record(case: Path, run: Path, of: Callable[[], Tracer]) -> None:
    """Record a case; an error that ends the script is the script's own."""
    if "num_workers=" in case.read_text(encoding="utf-8"):  # it forks: a process of its own is safer
        command = [sys.executable, "-m", "graphlens", "record", "--quiet", "--output", str(run), str(case)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return
    ends = contextlib.suppress(Exception, SystemExit)
    with recording(run, of=of), contextlib.redirect_stdout(io.StringIO()), ends:
        runpy.run_path(str(case), run_name="__main__")


def judged(program: Callable[[], object], run: Path, of: Callable[[], Tracer]) -> Answer:
    """The verdict on a program of this process."""
    with recording(run, of=of):
        program()
    return verdict_answer(graphlens.load(run))


def differences(truth: Truth, answer: Answer) -> dict[str, tuple[object, object]]:
    """Where a verdict is not what its case says: field, the truth, what was said."""
    said = answer["origin"]
    if truth.born is None or said is None:
        status = "clean" if truth.born is None else "found"
        found = "found" if said is not None else "clean"
        where = None if said is None else (said["op"], said["line"])
        return {} if status == found else {"status": (status, (found, where))}
    wanted = _wanted(truth.born, said)
    return {name: (want, got) for name, (want, got) in wanted.items() if want != got}


def _wanted(born: Origin, said: Answer) -> dict[str, tuple[object, object]]:
    wanted: dict[str, tuple[object, object]] = {
        "op": (born.op, said["op"]),
        "line": (born.line, said["line"]),
        "kind": (born.kind, said["kind"]),
        "phase": (born.phase, said["phase"]),
        "module": (born.module, _module(born, said["module_path"])),
        "reached": (born.reached, said["reached"]),
    }
    if born.step is not None:
        # What is made before the first step is in none: a case's author calls it step 0.
        wanted["step"] = (born.step, 0 if said["step"] is None else said["step"])
    if born.forward:
        wanted["forward"] = (born.forward, (said["forward"] or {}).get("op"))
    if born.iteration is not None:
        wanted["iteration"] = (born.iteration, said["iteration"])
    if born.growth:
        wanted["growth"] = (True, said["growth"] is not None)
    return wanted


def _module(born: Origin, path: str) -> str:
    """A module's path as the author gives it: with the root's name (Keras), or below it."""
    below = path.partition(".")[2]
    return path if born.module.partition(".")[2] == below and born.module else below
