"""Processes of torch.multiprocessing that share a model's memory, spawned; a queue of tensors."""

import torch
import torch.multiprocessing as mp


def work(rank, net, queue):
    torch.manual_seed(rank)
    with torch.no_grad():
        net.weight.add_(1)
    queue.put(net(torch.ones(1, 2)).sum().item())


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = torch.nn.Linear(2, 1)
    net.share_memory()
    queue = mp.get_context("spawn").SimpleQueue()
    for rank in range(2):
        mp.spawn(work, (net, queue), nprocs=1)
        print(queue.get(), net.weight.tolist())
    net(torch.ones(1, 2)).sum().backward()
    print(net.weight.grad.tolist())


if __name__ == "__main__":
    main()
