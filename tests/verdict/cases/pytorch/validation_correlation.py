"""Trains a ranking model and reports the Pearson correlation on a validation set."""

import torch
from torch import nn


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(5, 12)
        self.out = nn.Linear(12, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x))).squeeze(-1)


@torch.no_grad()
def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    return ((a * b).sum() / (a.norm() * b.norm())).item()  # born: op=aten.div.Tensor kind=nan phase=other step=0 module= reached=output


torch.manual_seed(52)
model = Scorer()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
x, valid_x = torch.randn(64, 5), torch.randn(16, 5)
relevance, valid_relevance = x[:, 0] + x[:, 1] ** 2, valid_x[:, 0] + valid_x[:, 1] ** 2
for step in range(4):
    r = correlation(model(valid_x), valid_relevance)
    print("epoch", step, "valid r", r)
    loss = (model(x) - relevance).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
