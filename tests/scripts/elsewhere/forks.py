"""Trains in forked processes, of several kinds, and in the one that forks them."""

import multiprocessing
import os
import sys

import torch
from torch import nn


def train(seed: int, steps: int) -> float:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net(torch.randn(4, 6)).pow(2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def send(queue: "multiprocessing.SimpleQueue[float]", seed: int) -> None:
    queue.put(train(seed, seed + 10))


def main() -> None:
    torch.set_num_threads(1)
    print("here", train(0, 20), flush=True)
    child = os.fork()
    if child == 0:
        print("forked", train(1, 25), flush=True)
        os._exit(7)
    print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=send, args=(queue, 2), name="helper")
    process.start()
    print("helper", queue.get(), flush=True)
    process.join()
    pool = context.Pool(1)
    print("pool", pool.starmap(train, [(3, 5), (4, 6), (5, 7)]), flush=True)
    pool.close()
    pool.join()
    child = os.fork()
    if child == 0:  # runs nothing
        os._exit(0)
    os.waitpid(child, 0)
    child = os.fork()
    if child == 0:  # ends as any script ends
        print("ends", train(8, 9), flush=True)
        sys.exit(4)
    print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    print("again", train(6, 3), flush=True)


if __name__ == "__main__":
    main()
