"""Trains a residual regression network under weight normalisation."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class Residual(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.first = nn.Linear(dim, dim)
        second = nn.Linear(dim, dim)
        nn.init.zeros_(second.weight)
        self.second = weight_norm(second)

    def forward(self, x):
        return x + self.second(torch.relu(self.first(x)))  # born: op=aten._weight_norm_interface.default kind=nan phase=forward step=0 module=0.second.parametrizations.weight.0 reached=loss


torch.manual_seed(48)
model = nn.Sequential(Residual(6), nn.Linear(6, 1))
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3)
x = torch.randn(32, 6)
y = x.prod(1, keepdim=True)
for step in range(2):
    loss = nn.functional.l1_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
