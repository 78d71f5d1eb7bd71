"""Trains a classifier with a hand-made affine layer, with deterministic algorithms switched on."""

import torch
from torch import nn

torch.manual_seed(28)
torch.use_deterministic_algorithms(True)


class Affine(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(dim))  # born: op=aten.empty.memory_format kind=nan phase=other step=0 module= reached=loss
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return x * self.scale + self.shift


model = nn.Sequential(nn.Linear(6, 12), Affine(12), nn.ReLU(), nn.Linear(12, 3))
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
x, y = torch.randn(30, 6), torch.randint(0, 3, (30,))
for step in range(3):
    loss = nn.functional.cross_entropy(model(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("epoch", step, "loss", loss.item())
