"""Importance-weighted regression with gradient clipping."""

import torch
from torch import nn

torch.manual_seed(143)
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.05)

for step in range(5):
    x = torch.randn(24, 5)
    y = x.sum(1, keepdim=True)
    weight = torch.rand(24, 1)
    if step == 2:
        weight[9] = 1e24
    loss = (weight * nn.functional.smooth_l1_loss(model(x), y, reduction="none")).mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # benign: op=aten._foreach_norm.Scalar kind=inf reason="one over infinity, the step becomes zero"
    opt.step()
    print(step, loss.item())
