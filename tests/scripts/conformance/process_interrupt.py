"""Interrupted inside of a module twice: caught and gone on with, then not caught."""

import os
import signal

import torch
from torch import nn


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.interrupt = False

    def forward(self, x):
        x = self.layer(x)
        if self.interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10000):
                x = x + 1
        return x


torch.manual_seed(0)
net = Slow()
for step in range(4):
    net.interrupt = step == 1
    try:
        net(torch.ones(1, 2)).sum().backward()
        print(step, net.layer.weight.grad.sum().item())
    except KeyboardInterrupt:
        print("interrupted")
print((torch.ones(2) * 2).sum().item())
raise SystemExit("the end")
