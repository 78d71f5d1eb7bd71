"""Learns a radial field from its slopes along given directions, by forward-mode differentiation."""

import torch
from torch import nn
from torch.autograd import forward_ad


class Radial(nn.Module):
    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.profile = nn.Sequential(nn.Linear(1, 16), nn.Softplus(), nn.Linear(16, 1))

    def forward(self, point):
        radius = torch.sqrt((point - self.centre).square().sum(-1, keepdim=True))  # born: op=aten.div.Tensor kind=nan phase=forward step=3 module= reached=loss
        return self.profile(radius).squeeze(-1)


torch.manual_seed(309)
model = Radial()
grid = torch.cartesian_prod(torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 5))[torch.randperm(25)]
optimizer = torch.optim.Adam(model.profile.parameters(), lr=0.01)
for step in range(5):
    points = grid[5 * step : 5 * step + 5]
    directions = nn.functional.normalize(torch.randn(5, 2), dim=-1)
    target = (points * directions).sum(-1)
    with forward_ad.dual_level():
        slopes = forward_ad.unpack_dual(model(forward_ad.make_dual(points, directions))).tangent
    loss = nn.functional.smooth_l1_loss(slopes, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 5))
