"""Neighbour attention on agents in a scene; an agent alone attends to nothing."""

import torch
from torch import nn


class SocialAttention(nn.Module):
    def __init__(self, dim=10):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(2, dim), nn.Linear(2, dim), nn.Linear(2, dim)

    def forward(self, pos, radius):
        near = torch.cdist(pos, pos) < radius
        near = near & ~torch.eye(pos.size(1), dtype=torch.bool)
        scores = self.q(pos) @ self.k(pos).transpose(1, 2)
        scores = scores.masked_fill(~near, float("-inf"))  # benign: op=aten.masked_fill.Scalar kind=inf reason="removed by softmax"
        weights = torch.softmax(scores, -1).nan_to_num(0.0)  # benign: op=aten._softmax.default kind=nan reason="rows without neighbours, replaced by nan_to_num, and in backward by masked_fill"
        return weights @ self.v(pos)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.social = SocialAttention()
        self.out = nn.Linear(12, 2)

    def forward(self, pos):
        return self.out(torch.cat([pos, self.social(pos, 1.0)], -1))


torch.manual_seed(126)
model = Forecaster()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(3):
    pos = torch.randn(4, 6, 2) * 2
    loss = nn.functional.mse_loss(model(pos), pos * 1.1)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
