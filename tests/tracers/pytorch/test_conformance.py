"""Every kind of thing that a script may do with PyTorch: it does not notice, and all of it is seen.

One script in tests/scripts/conformance for each, run three ways: as without us, under a dispatch mode
of the test's own (`histogram.py`), and recorded. Most run in forked children of one process that has
imported torch (`stage.py`); those to which their process matters are run by the real command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from histogram import Counts
from staging import NAMES, SCRIPTS, Stage

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import Phase, Seq
from host_processes import RECORD

HERE = Path(__file__).parent

OWN_PROCESS = {
    "process_backward_error": 1,
    "process_compile": 0,
    "process_exit": 3,
    "process_interrupt": 1,
    "process_loader_workers": 0,
    "process_multiprocessing": 0,
    "process_uncaught": 1,
}
"""Scripts that are run by the real command, with the exit code that they have."""

GAPS: dict[str, set[str]] = {
    "dispatch_functorch": {"untraced"},
    "dispatch_export": {"untraced"},
    "dispatch_meta": {"untraced"},
    "process_compile": {"compiled"},
}
"""The kinds of gaps that a script has, where it has any."""

FAKE = "operations on fake or traced tensors"
"""What a gap says of operations that have no numbers: as many are missing."""

PHASES = {Phase.BACKWARD: "backward", Phase.OPTIMIZER: "optimizer"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@dataclass(frozen=True)
class Ran:
    plain: dict[str, Any]
    counted: dict[str, Any]
    recorded: dict[str, Any]
    run: Path


def by_phase(processes: list[Process]) -> Counts:
    """What was recorded, as `histogram.py` counts it."""
    found: Counts = Counter()
    for process in processes:
        for node in process.rows(Seq(0), Seq(process.op_count)).node.tolist():
            seen = process.nodes[node]
            found[PHASES.get(seen.phase, "rest"), seen.op] += 1
    return found


def where_the_frames_say(found: Counts, truth: Counts) -> Counts:
    """The same with updates that a script makes by hand taken for the rest: no frame tells of them.

    All that the frames call the optimizer's must be its in what was recorded, too.
    """
    moved = Counter(found)
    for (phase, op), count in found.items():
        extra = count - truth["optimizer", op]
        if phase == "optimizer" and extra > 0:
            moved["rest", op] += extra
            moved["optimizer", op] -= extra
    return moved


def compare(name: str, ran: Ran) -> None:
    plain, counted, recorded = ran.plain, ran.counted, ran.recorded
    run = graphlens.load(ran.run)
    # What other processes do is test_elsewhere.py's matter: the histogram is of this one.
    processes = [process for process in run.processes() if process.pid == run.main.pid]
    truth = Counter({(where, op): count for where, op, count in counted["counts"]})
    found = by_phase(processes)

    assert plain["code"] == OWN_PROCESS.get(name, 0), plain["err"]
    for what in ("out", "err", "code", "digest", "random", "number"):
        assert recorded.get(what) == plain.get(what), what
    assert sum(truth.values()) > 0
    untraced = sum(gap.count for process in processes for gap in process.gaps if gap.what == FAKE)
    found = where_the_frames_say(found, truth)
    assert not found - truth, found - truth
    assert (truth - found).total() == untraced, truth - found
    gaps = {gap.kind for process in processes for gap in process.gaps}
    assert gaps == GAPS.get(name, set()), [process.gaps for process in processes]
    for process in processes:
        assert process.finished and process.dropped == 0
        for graph in process.graphs():
            process.graph(graph.graph).check()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN_PROCESS])
def test_a_script_is_seen_whole_and_does_not_notice(name: str, stage: Stage, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    ways = {way: stage.run(way, script, tmp_path) for way in ("plain", "counted", "recorded")}

    compare(name, Ran(**ways, run=tmp_path / "run.glens"))


def started(folder: Path, *command: str) -> dict[str, Any]:
    """A process of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHASHSEED")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TORCHDYNAMO_DISABLE": "1"}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


PROVEN_ELSEWHERE = {"process_compile", "process_loader_workers", "process_multiprocessing"}
"""By test_compiled.py and test_elsewhere.py, with less beside it."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in PROVEN_ELSEWHERE else [])
        for name in sorted(OWN_PROCESS)
    ],
)
def test_a_script_in_its_own_process(name: str, stage: Stage, tmp_path: Path) -> None:
    script, out, run = str(SCRIPTS / f"{name}.py"), tmp_path / "counts.json", tmp_path / "run.glens"
    plain = started(tmp_path, sys.executable, script)
    if name in PROVEN_ELSEWHERE:  # it begins processes, or compiles: no fork does that
        started(tmp_path, sys.executable, str(HERE / "histogram.py"), str(out), script)
        counted = {"counts": json.loads(out.read_text())}
    else:
        counted = stage.run("counted", Path(script), tmp_path)
    recorded = started(tmp_path, *RECORD, "-q", "-o", str(run), script)

    compare(name, Ran(plain, counted, recorded, run))


def test_there_is_a_script_for_everything() -> None:
    assert len(NAMES) >= 85
    assert set(OWN_PROCESS) <= set(NAMES) and set(GAPS) <= set(NAMES)
