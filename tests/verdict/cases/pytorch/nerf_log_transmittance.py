"""Fit a tiny radiance field to the colours of a few rays."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
RAYS, SAMPLES = 32, 16


class Field(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.density = nn.Linear(width, 1)
        self.colour = nn.Linear(width, 3)

    def forward(self, points):
        hidden = self.trunk(points)
        return F.softplus(self.density(hidden)).squeeze(-1), torch.sigmoid(self.colour(hidden))


class Renderer(nn.Module):
    def forward(self, sigma, rgb, depths):
        far = torch.full_like(depths[:, :1], 1e10)
        deltas = torch.cat([depths[:, 1:] - depths[:, :-1], far], dim=1)
        alpha = 1.0 - torch.exp(-sigma * deltas)
        passed = torch.log(1.0 - alpha)  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module=render reached=gradient forward=aten.log.default # benign: op=aten.log.default kind=inf reason="the last sample is cut off"
        before = torch.cat([torch.zeros_like(passed[:, :1]), passed[:, :-1]], dim=1)
        weights = alpha * torch.exp(before.cumsum(dim=1))
        return (weights[..., None] * rgb).sum(dim=1)


class NeRF(nn.Module):
    def __init__(self):
        super().__init__()
        self.field = Field()
        self.render = Renderer()

    def forward(self, origins, directions):
        depths = torch.linspace(2.0, 6.0, SAMPLES).expand(len(origins), SAMPLES)
        points = origins[:, None] + directions[:, None] * depths[..., None]
        sigma, rgb = self.field(points)
        return self.render(sigma, rgb, depths)


origins = torch.zeros(RAYS, 3)
directions = F.normalize(torch.randn(RAYS, 3), dim=1)
colours = torch.sigmoid(directions * 2)
model = NeRF()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for iteration in range(6):
    loss = F.mse_loss(model(origins, directions), colours)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"[{iteration}] psnr {-10 * torch.log10(loss).item():.2f}")
