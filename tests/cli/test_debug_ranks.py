"""`graphlens debug` on a job of two ranks: one is held, the other waits, and that is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DDP = """
import torch, torch.distributed as dist
dist.init_process_group("gloo")
torch.manual_seed(0)
net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    x = torch.ones(2, 3) * (dist.get_rank() + 1) * (step + 1)
    loss = net(x).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    dist.all_reduce(loss)
    if dist.get_rank() == 0:
        print(step, loss.item(), flush=True)
dist.destroy_process_group()
"""
RANKS = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "ddp.py"]
WORDS = """\
tbreak addmm
continue
rank 1
break pow
continue
continue
rank 0
step 3
rank 7
delete
continue
continue
continue
"""


@pytest.mark.long
def test_a_held_rank_says_who_waits_and_the_job_comes_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "ddp.py").write_text(DDP)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    plain = subprocess.run(
        [sys.executable, *RANKS], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    debug = [sys.executable, "-P", "-m", "graphlens", "debug", "--json", "-q", "-o", "run.glens", *RANKS]
    done = subprocess.run(
        debug, cwd=tmp_path, env=environment, input=WORDS, capture_output=True, text=True, timeout=240
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == plain.returncode == 0, done.stderr
    out = [one["text"] for one in answers if one["answer"] == "printed" and one["stream"] == "stdout"]
    assert "".join(out) == plain.stdout
    stops = [one for one in answers if one["answer"] == "stopped"]
    assert {one["rank"] for one in stops} == {0, 1} and {one["world"] for one in stops} == {2}
    both = [one for one in stops if one["held"]]
    assert both and all({one["rank"], one["held"][0]["rank"]} == {0, 1} for one in both)
    assert [one["error"] for one in answers if one["answer"] == "error"][0].startswith("rank 7 is not held")
