"""Processes that start anew: spawned by torch, by futures, and as programs."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
import torch.multiprocessing as mp


def work(seed: int) -> float:
    torch.manual_seed(seed)
    x = torch.randn(8, 8)
    for _ in range(seed + 2):
        x = (x @ x).tanh()
    return float(x.sum())


def spawned(rank: int, seed: int) -> None:
    print("spawned", rank, work(seed), flush=True)


def main() -> None:
    torch.set_num_threads(1)
    print("here", work(9))
    mp.spawn(spawned, args=(1,), nprocs=1)
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        print("pool", list(pool.map(work, [3, 4])), flush=True)
    code = "import torch; print(torch.arange(int(input())).sum().item())"
    subprocess.run([sys.executable, "-c", code], check=True, input=b"5")
    subprocess.run([sys.executable, "-c", "import torch; print('nothing')"], check=True)


if __name__ == "__main__":
    main()
