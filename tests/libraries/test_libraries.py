"""Scripts that use other people's libraries are recorded whole, and do not notice.

`make libraries` installs the libraries and runs this; without them everything here is skipped. Truth:
the script under plain Python, and under a dispatch mode that shares nothing with the tracer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import Phase
from host_processes import RECORD

HERE = Path(__file__).parent
SCRIPTS_AT = HERE.parent / "scripts" / "libraries"
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}


@dataclass(frozen=True)
class Script:
    """One script of `tests/scripts/libraries/`, and what is known of it beforehand.

    Attributes:
        needs: What it imports.
        trained: How many training steps a person would say it takes.
        optimizers: How many optimizers work in each.
        found: How many are found, where that is known to be wrong: docs/libraries.md says why.
    """

    name: str
    needs: tuple[str, ...]
    trained: int
    optimizers: int = 1
    found: int | None = None


SCRIPTS = (
    Script("with_accelerate", ("accelerate",), 12),
    Script("with_diffusers", ("diffusers",), 3),
    Script("with_gpytorch", ("gpytorch",), 5),
    Script("with_lightning", ("lightning",), 18),
    Script("with_pyro", ("pyro",), 5, optimizers=2, found=15),
    Script("with_stable_baselines3", ("stable_baselines3", "gymnasium"), 22),
    Script("with_timm", ("timm",), 3),
    Script("with_torch_geometric", ("torch_geometric",), 4),
    Script("with_torchvision", ("torchvision", "torchmetrics", "einops"), 3),
    Script("with_transformers", ("transformers", "accelerate"), 6),
)


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A program, on one thread and without a network."""
    here = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        list(map(str, words)), env=here | ENVIRONMENT, cwd=cwd, capture_output=True, text=True, timeout=600
    )


def skip_without(script: Script, tmp_path: Path) -> None:
    """A library that cannot be imported is not there."""
    for name in script.needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    tried = run(sys.executable, "-c", f"import {', '.join(script.needs)}", cwd=tmp_path)
    if tried.returncode:
        pytest.skip(f"it cannot be imported here: {tried.stderr.strip().splitlines()[-1]}")


def operations(process: Process) -> list[tuple[str, str | None]]:
    """Everything that ran: its name and the module around it; None for a backward operation's."""
    nodes = process.nodes
    found = []
    for node in process.rows(0, process.end).node.tolist():
        seen = nodes[node]
        found.append((seen.op, None if seen.phase is Phase.BACKWARD else process.scope_path(seen)))
    return found


def first_difference(ours: list[Any], theirs: list[Any]) -> str:
    """For a person: two lists of thousands that differ are not read."""
    for k, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"op {k}: {one}, not {other}; before it {theirs[max(0, k - 3) : k]}"
    return f"{len(ours)} operations, not {len(theirs)}" if len(ours) != len(theirs) else ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_with_libraries_is_recorded_whole(script: Script, tmp_path: Path) -> None:
    skip_without(script, tmp_path)
    path = SCRIPTS_AT / f"{script.name}.py"
    plain = run(sys.executable, path, cwd=tmp_path)
    beside = run(sys.executable, HERE / "beside.py", tmp_path / "beside.json", path, cwd=tmp_path)
    recorded = run(*RECORD, "-q", "-o", tmp_path / "run.glens", path, cwd=tmp_path)
    truth = json.loads((tmp_path / "beside.json").read_text())
    saved = graphlens.load(tmp_path / "run.glens")
    process = saved.main
    for graph in process.graphs():
        process.graph(graph.graph).check()

    assert plain.returncode == 0, plain.stderr
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout == plain.stdout == beside.stdout  # the digest of all parameters is its last line
    assert "graphlens" not in recorded.stderr
    assert [(gap.kind, gap.what, gap.count) for one in saved.processes() for gap in one.gaps] == []
    ours, theirs = operations(process), [tuple(one) for one in truth["ops"]]
    assert Counter(op for op, _ in ours) == Counter(op for op, _ in theirs)
    comparable = [
        (mine, other)
        for mine, other in zip(ours, theirs, strict=True)
        if mine[1] is not None and other[1] is not None
    ]
    assert first_difference([one for one, _ in comparable], [one for _, one in comparable]) == ""
    assert truth["steps"] == script.trained * script.optimizers
    trained = sum(call.role == "train" for call in process.calls())
    assert trained == (script.trained if script.found is None else script.found)
