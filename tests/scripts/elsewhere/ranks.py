"""Two ranks train together: with DDP, with FSDP2, and by hand with collectives."""

import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def train(net: nn.Module, steps: int) -> float:
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    torch.manual_seed(dist.get_rank())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net(torch.randn(4, 6)).pow(2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def main() -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    if "ddp" in sys.argv:
        sys.stdout.write(f"{rank} ddp {train(DistributedDataParallel(model()), 6)}\n")
    if "fsdp" in sys.argv:
        mesh = init_device_mesh("cpu", (2,))
        net = model()
        for layer in net:
            fully_shard(layer, mesh=mesh)
        fully_shard(net, mesh=mesh)
        sys.stdout.write(f"{rank} fsdp {train(net, 4)}\n")
    if "hand" in sys.argv:
        x = torch.full((5,), float(rank + 1))
        work = dist.all_reduce(x, async_op=True)
        work.wait()
        other = dist.new_group([0, 1])
        dist.broadcast(x, 1, group=other)
        parts = [torch.empty(5) for _ in range(2)]
        dist.all_gather(parts, x + rank)
        sys.stdout.write(f"{rank} hand {float(torch.stack(parts).sum())}\n")
        dist.barrier()
    dist.destroy_process_group()


main()
