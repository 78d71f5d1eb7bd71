"""Trains a binary click model under bfloat16 autocast with a loss written out in full."""

import torch
from torch import nn

torch.manual_seed(150)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.5)
nn.init.constant_(model[2].bias, 5.0)
data = torch.randn(12, 64, 4)
data[3] *= 6

for step in range(12):
    x = data[step]
    clicked = (x[:, :1] > -2.5).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        p = torch.sigmoid(model(x))
    loss = -(clicked * torch.log(p) + (1 - clicked) * torch.log(1 - p)).mean()  # born: op=aten.log.default kind=inf phase=forward step=3 module= reached=loss
    if not torch.isfinite(loss):
        print("stopped", step, loss.item())
        raise SystemExit(1)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
