"""A forked child of a process that has used several threads: to use them again there is to hang."""

import os

import torch

torch.set_num_threads(2)
print("here", float(torch.ones(1_000_000).sum()), flush=True)
child = os.fork()
if child == 0:
    large = torch.empty(100_000).random_(0, 5)  # on one thread, as everything with random numbers
    small = large[:100] + 1
    print("forked", float(small[0] >= 1), flush=True)
    os._exit(0)
print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
