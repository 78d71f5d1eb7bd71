"""kill -9 at a random moment: every finished operation is there, and the one that ran is named."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

import graphlens
from host_processes import RECORD, record_of, script, until

COUNTS = """
import os, torch
torch.set_num_threads(1)
x = torch.ones(3)
print("ready", flush=True)
os.close(2)
done = os.open("done", os.O_WRONLY | os.O_CREAT)
while True:
    x + 1
    os.write(done, b".")
"""


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(k, marks=pytest.mark.long) for k in range(3, 210))]
)
def test_nothing_finished_is_lost(seed: int, tmp_path: Path) -> None:
    """The script itself says what it has finished: one byte after each operation."""
    process = subprocess.Popen(
        [*RECORD, "-q", "-o", str(tmp_path / "run"), str(script(tmp_path, COUNTS))],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    until(lambda: (tmp_path / "done").exists() and (tmp_path / "done").stat().st_size > 10)
    time.sleep(random.Random(seed).random())
    os.kill(record_of(tmp_path / "run")["pid"], signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.close()
    done = (tmp_path / "done").stat().st_size
    (recorded,) = graphlens.load(tmp_path / "run").processes()
    rows = recorded.rows(0, recorded.op_count)

    assert done > 10
    assert 1 + done <= recorded.op_count <= 1 + done + 1
    assert rows.seq.tolist() == list(range(recorded.op_count))
    assert {recorded.nodes[node].op for node in rows.node.tolist()[1:]} == {"aten.add.Tensor"}
    assert not recorded.finished and recorded.dropped == 0
    assert record_of(tmp_path / "run")["signal"] == signal.SIGKILL


def test_operation_that_was_running_is_named(tmp_path: Path) -> None:
    text = "import torch\nx = torch.rand(4000, 4000)\nprint('ready', flush=True)\n" + "x = x @ x\n" * 20
    process = subprocess.Popen(
        [*RECORD, "-o", str(tmp_path / "run"), str(script(tmp_path, text))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.7)
    os.kill(record_of(tmp_path / "run")["pid"], signal.SIGKILL)
    _, said = process.communicate()
    (recorded,) = graphlens.load(tmp_path / "run").processes()
    running = recorded.running()

    assert running is not None and running.seq == recorded.op_count
    assert running.name.startswith("aten.mm.default")
    assert b"it ended in the middle of op %d: aten.mm.default" % running.seq in said
