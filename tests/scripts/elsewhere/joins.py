"""Two spawned processes that become ranks when they join."""

import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def work(rank: int, file: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    x = torch.full((3,), float(rank + 1))
    dist.all_reduce(x)
    sys.stdout.write(f"{rank} {float(x.sum())}\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, args=(f"{folder}/store",), nprocs=2)
