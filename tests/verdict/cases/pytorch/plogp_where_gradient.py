"""Learns a gating distribution over experts with an entropy regulariser."""

import torch
from torch import nn


class Gates(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.raw = nn.Parameter(torch.tensor([0.5, -0.4, 0.3, -0.2, 0.6, 0.1]))
        self.experts = nn.Linear(4, n)

    def forward(self, x):
        opened = torch.relu(self.raw)
        p = opened / opened.sum()
        return self.experts(x) @ p, p


def entropy(p):
    plogp = p * p.log()  # born: op=aten.log.default kind=inf phase=forward step=0 module= reached=gradient # also: op=aten.div.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten.log.default
    return -torch.where(p > 0, plogp, torch.zeros_like(p)).sum()


torch.manual_seed(46)
model = Gates()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(30, 4)
y = x[:, 0] - x[:, 1]
for step in range(3):
    out, p = model(x)
    loss = (out - y).pow(2).mean() - 0.01 * entropy(p)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), [round(v, 3) for v in p.tolist()])
