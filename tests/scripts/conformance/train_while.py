"""A while loop that stops early, with a scheduler by hand and several losses."""

import itertools

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 6), nn.SiLU(), nn.Linear(6, 2))
head = nn.Linear(2, 1)
optimizer = torch.optim.NAdam(itertools.chain(net.parameters(), head.parameters()), lr=0.05)
step, best, patience = 0, float("inf"), 3
while patience and step < 12:
    x = torch.randn(8, 2)
    out = net(x)
    first, second = (out - x).pow(2).mean(), head(out).mean()
    optimizer.zero_grad()
    first.backward(retain_graph=True)
    second.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] *= 0.9
    best, patience = (first.item(), 3) if first.item() < best else (best, patience - 1)
    step += 1
    print(step, first.item(), second.item(), patience)
