"""A mixture density network for a one-to-many regression, trained in parts of an epoch."""

import math

import torch
from torch import nn


class MDN(nn.Module):
    def __init__(self, k=4):
        super().__init__()
        self.hidden = nn.Linear(1, 20)
        self.pi, self.mu, self.sigma = nn.Linear(20, k), nn.Linear(20, k), nn.Linear(20, k)

    def forward(self, x):
        h = torch.tanh(self.hidden(x))
        return self.pi(h).softmax(-1), self.mu(h), self.sigma(h).exp()


def nll(pi, mu, sigma, y):
    density = torch.exp(-0.5 * ((y - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return -torch.log((pi * density).sum(-1)).mean()  # born: op=aten.log.default kind=inf phase=forward step=1 module= reached=loss


torch.manual_seed(31)
net = MDN()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
t = torch.rand(90, 1) * 6 - 3
curve = t + torch.sin(2 * t)
curve[45] = 80.0
for step in range(3):
    part = slice(step * 30, (step + 1) * 30)
    loss = nll(*net(curve[part] / 4), curve[part])
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
