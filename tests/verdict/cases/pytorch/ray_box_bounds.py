"""A tiny radiance field; rays are cut to the unit box with the slab method."""

import torch
from torch import nn

torch.manual_seed(163)


def box_bounds(origin, direction):
    inverse = 1.0 / direction  # benign: op=aten.reciprocal.default kind=inf reason="rays along an axis, whose infinite bounds min and max drop"
    first, second = (-1.0 - origin) * inverse, (1.0 - origin) * inverse
    near = torch.minimum(first, second).amax(-1)
    far = torch.maximum(first, second).amin(-1)
    return near.clamp(min=0), far


def make_rays(n):
    origin = torch.rand(n, 3) - 0.5
    origin[:, 2] = -3.0
    direction = 0.2 * torch.randn(n, 3)
    direction[:, 2] = 1.0
    direction[: n // 4, :2] = 0.0
    return origin, nn.functional.normalize(direction, dim=1)


field = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())
opt = torch.optim.Adam(field.parameters(), lr=1e-2)
for step in range(4):
    origin, direction = make_rays(32)
    near, far = box_bounds(origin, direction)
    length = (far - near).clamp(min=0)
    depth = near[:, None] + length[:, None] * torch.linspace(0, 1, 8)
    density = field(origin[:, None] + depth[..., None] * direction[:, None]).squeeze(-1)
    opacity = 1 - torch.exp(-(density * length[:, None] / 8).sum(1))
    loss = nn.functional.mse_loss(opacity, (origin[:, 0] > 0).float())
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
