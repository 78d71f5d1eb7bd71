"""Learning rates that change: by step, by plateau, cyclic, and one that is a tensor."""

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR

torch.manual_seed(0)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
scheduler = SequentialLR(optimizer, [StepLR(optimizer, 2), CosineAnnealingLR(optimizer, 4)], [3])
plateau = ReduceLROnPlateau(optimizer, patience=1)
other = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))], lr=torch.tensor(0.01), foreach=False)
cycle = OneCycleLR(other, 0.1, total_steps=8)
for step in range(7):
    optimizer.zero_grad()
    loss = net(torch.randn(8, 4)).pow(2).mean()
    loss.backward()
    optimizer.step()
    scheduler.step()
    plateau.step(loss.detach())
    parameter = other.param_groups[0]["params"][0]
    other.zero_grad()
    parameter.pow(2).sum().backward()
    other.step()
    cycle.step()
    print(step, loss.item(), optimizer.param_groups[0]["lr"], float(other.param_groups[0]["lr"]))
