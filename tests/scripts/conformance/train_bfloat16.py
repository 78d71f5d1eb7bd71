"""Autocast to bfloat16, entered and left, with a part that stays in float32."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
for step in range(4):
    x = torch.randn(5, 2, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
        with torch.autocast("cpu", enabled=False):
            penalty = net[4].weight.pow(2).sum()
        loss = nn.functional.cross_entropy(out, torch.tensor([0, 1, 2, 0, 1])) + 0.01 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, out.dtype, loss.item())
half = net.bfloat16()(torch.randn(3, 2, 8, dtype=torch.bfloat16)).float().sum().item()
print(half)
