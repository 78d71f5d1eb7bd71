"""Two ranks train together; in step 2 the second makes a NaN, and the collective of that step hands it to the first.

The first argument says how they share their gradients (ddp, reduced, gathered) or their features (features).
With "summed" nobody makes a NaN, but the sum of both is larger than float16 can hold.
"""

import os
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as through
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def share(net: nn.Module, way: str) -> None:
    for p in net.parameters():
        if way == "reduced":
            dist.all_reduce(p.grad)
            p.grad /= 2  # brought
        elif way == "gathered":
            parts = [torch.empty_like(p.grad) for _ in range(2)]
            dist.all_gather(parts, p.grad)
            p.grad = torch.stack(parts).mean(0)  # brought
        elif way == "summed":
            total = (p.grad * 0 + 40000).half()
            dist.all_reduce(total)  # summed
            p.grad = total.float() / 2  # brought


def train(rank: int, way: str) -> None:
    torch.manual_seed(0)
    net = nn.Linear(4, 2)
    if rank == 1:  # it counts its operations otherwise
        sum(torch.ones(3) for _ in range(100))
    if way == "ddp":
        net = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    data = torch.rand(4, 8, 4, generator=torch.Generator().manual_seed(rank)) + 0.1
    if rank == 1 and way != "summed":
        data[2, 3, 1] = -1.0
    for rows in data:
        scaled = torch.log(rows)  # born
        optimizer.zero_grad()
        features = net(scaled)
        if way == "features":
            features = through.all_reduce(features) / 2  # brought
        loss = features.pow(2).mean()
        loss.backward()
        share(net, way)
        optimizer.step()


def work(rank: int, file: str, way: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    train(rank, way)
    dist.destroy_process_group()


if __name__ == "__main__":
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
        train(dist.get_rank(), sys.argv[1])
        dist.destroy_process_group()
    else:
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(work, args=(f"{folder}/store", sys.argv[1]), nprocs=2)
