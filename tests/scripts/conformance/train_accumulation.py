"""Gradients of four batches are added up before each step."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
for step in range(6):
    optimizer.zero_grad()
    for part in range(4):
        rows = slice(part * 4, part * 4 + 4)
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows]) / 4
        loss.backward()
    optimizer.step()
    print(step, loss.item())
