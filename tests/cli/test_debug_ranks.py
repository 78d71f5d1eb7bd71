"""`graphlens debug` on a job of two ranks: one is held, the other waits, and that is said."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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
dist.barrier()
dist.destroy_process_group()
"""
RANKS = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "ddp.py"]


class Talk:
    """A debugger that is spoken with."""

    def __init__(self, folder: Path) -> None:
        debug = [sys.executable, "-P", "-m", "graphlens", "debug", "--json", "-q", "-o", "run.glens", *RANKS]
        self.process = subprocess.Popen(
            debug, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.printed = ""

    def hear(self) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer["answer"] != "printed":
                return answer
            self.printed += answer["text"] if answer["stream"] == "stdout" else ""
        raise AssertionError("it has ended")

    def ask(self, words: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(words, file=self.process.stdin, flush=True)
        return self.hear()


@pytest.mark.long
def test_a_held_rank_says_who_waits_and_the_job_comes_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "ddp.py").write_text(DDP)
    plain = subprocess.run(
        [sys.executable, *RANKS], cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    talk = Talk(tmp_path)
    try:
        first = talk.hear()
        assert first["world"] == 2
        assert talk.ask("rank 7")["error"].startswith("rank 7 is not held")
        other = 1 - first["rank"]
        while (there := talk.ask(f"rank {other}"))["answer"] == "error":
            time.sleep(0.1)  # it is on its way
        assert (there["rank"], there["held"][0]["rank"]) == (other, first["rank"])
        assert talk.ask("break pow")["answer"] == "breakpoint"
        seen = [talk.ask("continue") for _ in range(6)]
        assert {one["rank"] for one in seen} == {0, 1}
        assert {one["op"] for one in seen[1:]} <= {"aten.pow.Tensor_Scalar", seen[0]["op"]}
        talk.ask("delete")
        while talk.ask("continue")["answer"] != "ended":
            pass
        assert talk.printed == plain.stdout
    finally:
        assert talk.process.stdin is not None
        talk.process.stdin.close()
        assert talk.process.wait(60) == 0
