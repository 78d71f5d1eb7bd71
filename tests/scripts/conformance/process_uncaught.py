"""An error inside of a module ends the script: exit code 1, and its traceback as without us."""

import torch
from torch import nn


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 1))

    def forward(self, x):
        return self.inner(x * 2)


torch.manual_seed(0)
net = Broken()
print(net.inner[0](torch.ones(1, 3)).sum().item())
for step in range(3):
    net(torch.ones(2, 3)).sum().backward()
