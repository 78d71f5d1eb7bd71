"""Regresses planar rotations from noisy features with a geodesic angle loss."""

import math

import torch
import torch.nn as nn


class Pose(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 24)
        self.angle = nn.Linear(24, 1)
        nn.init.zeros_(self.angle.weight)
        nn.init.zeros_(self.angle.bias)

    def forward(self, feats):
        a = math.pi * torch.tanh(self.angle(torch.relu(self.trunk(feats)))).squeeze(-1)
        c, s = a.cos(), a.sin()
        return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def geodesic(r1, r2):
    m = r1 @ r2.transpose(-1, -2)
    cos = 0.5 * m.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.acos(cos.clamp(-1.0, 1.0)).mean()  # born: op=aten.rsqrt.default kind=inf phase=backward step=0 module= reached=gradient forward=aten.acos.default


torch.manual_seed(3)
model = Pose()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
angles = torch.cat([torch.zeros(4), torch.rand(28) * 2 - 1])
target = torch.stack([torch.stack([angles.cos(), -angles.sin()], -1), torch.stack([angles.sin(), angles.cos()], -1)], -2)
feats = torch.cat([target.flatten(1), torch.randn(32, 2)], 1)

for step in range(3):
    loss = geodesic(model(feats), target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{step}: angle error {math.degrees(loss.item()):.2f} deg")
