"""Exceptions that are no Exception go through modules, and are caught further out."""

import torch
from torch import nn


class Stop(BaseException):
    pass


class Early(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(3)])
        self.last = 0

    def forward(self, x):
        for k, layer in enumerate(self.layers):
            x = layer(x).relu()
            if k == self.last:
                self.x = x
                raise Stop
        return x


torch.manual_seed(0)
net = Early()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(5):
    net.last = step
    optimizer.zero_grad()
    try:
        out = net(torch.randn(2, 3))
    except Stop:
        out = net.x
    out.sum().backward()
    optimizer.step()
    print(step, out.sum().item())
gen = (net.layers[0](torch.ones(1, 3)) for _ in range(3))
next(gen)
gen.close()
print(torch.ones(2).exp().sum().item())
