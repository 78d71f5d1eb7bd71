"""Regresses headings of vehicles from velocity vectors, some of which stand still."""

import torch
from torch import nn

torch.manual_seed(140)


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.eye(2))

    def forward(self, v):
        moved = v @ self.mix
        return torch.atan2(moved[:, 1], moved[:, 0])  # benign: op=aten.reciprocal.default kind=inf reason="the derivative at the origin, removed by masked_fill inside of autograd"


v = torch.randn(32, 2)
v[[3, 17]] = 0.0
heading = torch.atan2(v[:, 1] + 0.2 * v[:, 0], v[:, 0])
model = Velocity()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    loss = (1 - torch.cos(model(v) - heading)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
