"""Trains a linear probe on features that are normalised batch by batch."""

import torch
from torch import nn

torch.manual_seed(153)


class OnePassNorm(nn.Module):
    def forward(self, x):
        mean = x.mean(0)
        var = (x * x).mean(0) - mean * mean
        return (x - mean) / (torch.sqrt(var) + 1e-3)  # born: op=aten.sqrt.default kind=nan phase=forward step=2 module=0 reached=loss


probe = nn.Sequential(OnePassNorm(), nn.Linear(16, 2))
opt = torch.optim.Adam(probe.parameters(), lr=1e-2)
for step, offset in enumerate([0.0, 10.0, 30000.0]):
    features = offset + 0.01 * torch.randn(40, 16)
    labels = torch.arange(40) % 2
    loss = nn.functional.cross_entropy(probe(features), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("offset", offset, "step", step, "loss", loss.item())
