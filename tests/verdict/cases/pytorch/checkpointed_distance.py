"""A point-cloud encoder whose neighbourhood features are recomputed in the backward pass."""

import torch
import torch.nn as nn
from torch.utils.checkpoint import checkpoint


class Neighbourhood(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(1, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, xyz):
        offset = xyz[:, None] - xyz[None]
        radius = torch.sqrt((offset * offset).sum(-1, keepdim=True))  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module=block reached=gradient forward=aten.sqrt.default
        return self.mlp(radius).mean(1)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(3, 3)
        self.block = Neighbourhood()
        self.head = nn.Linear(12, 2)

    def forward(self, xyz):
        h = checkpoint(self.block, self.lift(xyz), use_reentrant=False)
        return self.head(h.max(0).values)


torch.manual_seed(38)
encoder = Encoder()
opt = torch.optim.Adam(encoder.parameters(), lr=1e-3)
for step in range(3):
    cloud = torch.randn(25, 3) * (1 + step % 2)
    loss = nn.functional.cross_entropy(encoder(cloud)[None], torch.tensor([step % 2]))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
