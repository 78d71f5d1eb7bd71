"""sys.exit in the middle of a backward, with a code of its own."""

import atexit
import sys

import torch


def leave(grad):
    print("leaving", grad.tolist())
    sys.exit(3)


atexit.register(lambda: print("at exit"))
x = torch.ones(2, requires_grad=True)
y = x.sin()
y.register_hook(leave)
for step in range(2):
    print("before")
    y.sum().backward()
