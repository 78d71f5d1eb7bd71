"""Whole scripts: what we record is what a bare dispatch mode sees, and the script does not notice.

Each script runs three times: under plain Python, under a bare mode written for this test
(`bare.py`), and recorded by the real command.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, Phase, Seq
from recorded import recording

BARE = Path(__file__).with_name("bare.py")
SCRIPTS = {
    "digits with a NaN": ["examples/digits.py", "--steps", "60", "--nan"],
    "gpt2": ["examples/gpt2.py", "--layers", "2", "--width", "96", "--steps", "4"],
}


@dataclass(frozen=True)
class Runs:
    """One script, three ways."""

    plain: subprocess.CompletedProcess[bytes]
    recorded: subprocess.CompletedProcess[bytes]
    seen: list[tuple[str, str | None]]
    process: Process


@pytest.fixture(scope="module", params=sorted(SCRIPTS))
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Runs:
    words = SCRIPTS[request.param]
    folder = tmp_path_factory.mktemp("runs")
    run, note = folder / "run.glens", folder / "seen.json"
    # A bare mode and torch.compile's machinery do not go together; neither script compiles.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TORCHDYNAMO_DISABLE": "1"}

    def python(*command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, *command], cwd=checkout, env=environment, capture_output=True, check=False
        )

    plain = python(*words)
    python(str(BARE), str(note), *words)
    recorded = python("-m", "graphlens", "record", "-q", "-o", str(run), *words)
    seen = [(op, path) for op, path in json.loads(note.read_text())]
    return Runs(plain, recorded, seen, graphlens.load(run).main)


def nodes_run(process: Process) -> list[NodeSeen]:
    return [process.nodes[node] for node in process.rows(Seq(0), Seq(process.op_count)).node.tolist()]


def test_the_script_does_not_notice(runs: Runs) -> None:
    """Output to the byte, the digest of the final parameters in it, and the exit code."""
    assert b"parameters" in runs.plain.stdout
    assert runs.recorded.stdout == runs.plain.stdout
    assert runs.recorded.stderr == runs.plain.stderr
    assert runs.recorded.returncode == runs.plain.returncode == 0


def test_every_operation_is_recorded_in_order(runs: Runs) -> None:
    assert [node.op for node in nodes_run(runs.process)] == [op for op, _ in runs.seen]


def test_every_operation_inside_a_module_says_which(runs: Runs) -> None:
    def path(node: NodeSeen) -> str | None:
        # A backward operation stands with its forward one, which the bare mode cannot know.
        if node.phase is Phase.BACKWARD or node.scope is None:
            return None
        return runs.process.scopes[node.scope].path

    assert [path(node) for node in nodes_run(runs.process)] == [module for _, module in runs.seen]


def test_every_operation_of_the_forward_pass_has_a_line_of_source(runs: Runs) -> None:
    forward = [node for node in nodes_run(runs.process) if node.phase is Phase.FORWARD]

    assert forward
    assert all(node.site is not None and runs.process.sites[node.site].line > 0 for node in forward)


def test_every_graph_is_sound_and_nothing_was_missed(runs: Runs) -> None:
    for graph in runs.process.graphs():
        runs.process.graph(graph.graph).check()

    assert runs.process.gaps == []
    assert runs.process.finished and runs.process.dropped == 0


def test_backward_operations_know_their_forward_one(runs: Runs) -> None:
    """All but what the engine does on its own account, which it says, and the root's gradient."""
    backward = [node for node in runs.process.nodes.values() if node.phase is Phase.BACKWARD]
    own = {node.formula.split("[")[0] for node in backward if node.twin is None}

    assert own <= {"", "AccumulateGrad", "sum of gradients"}
    assert {node.op for node in backward if not node.formula} == {"aten.ones_like.default"}


@pytest.mark.parametrize("runs", ["digits with a NaN"], indirect=True)
def test_a_thousand_steps_are_one_training_graph(runs: Runs) -> None:
    """Set-up and evaluation apart, as a person would cut them."""
    process = runs.process
    trained = [call for call in process.calls() if call.role == "train"]

    assert {call.graph for call in trained} == {trained[0].graph}
    assert [call.step for call in trained] == list(range(60))
    assert len({call.graph for call in process.calls() if call.role == "eval"}) == 1
    assert [call.first for call in process.calls() if call.role == "setup"] == [0]


def test_a_repeated_step_takes_at_most_16_bytes_an_operation(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What 40 steps more add to the log: what is said once does not count."""

    def size(steps: int) -> tuple[int, int]:
        run = tmp_path / f"{steps}.glens"
        monkeypatch.setattr(sys, "argv", ["digits.py", "--steps", str(steps)])
        with recording(run), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(checkout / "examples" / "digits.py"), run_name="__main__")
        return sum(log.stat().st_size for log in run.glob("*.log")), graphlens.load(run).main.op_count

    (small, few), (large, many) = size(60), size(100)

    assert many - few > 3000
    assert (large - small) / (many - few) <= 16
