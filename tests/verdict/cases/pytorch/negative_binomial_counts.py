"""Models gene counts with a negative binomial whose dispersion comes from a network."""

import torch
from torch import nn


class CountModel(nn.Module):
    def __init__(self, genes=6):
        super().__init__()
        self.encoder = nn.Linear(3, 10)
        self.mean = nn.Linear(10, genes)
        self.theta = nn.Linear(10, genes)

    def forward(self, x):
        h = torch.relu(self.encoder(x))
        return nn.functional.softplus(self.mean(h)) + 1e-4, torch.relu(self.theta(h))


def nb_loss(k, mu, theta):
    comb = torch.lgamma(k + theta) - torch.lgamma(theta) - torch.lgamma(k + 1)  # born: op=aten.lgamma.default kind=inf phase=forward step=0 module= reached=loss
    ratio = torch.log(theta + mu)
    return -(comb + theta * (torch.log(theta + 1e-8) - ratio) + k * (mu.log() - ratio)).mean()


torch.manual_seed(57)
model = CountModel()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
batch = torch.randn(20, 3)
counts = torch.poisson(torch.full((20, 6), 3.0)) + 1
for step in range(2):
    loss = nb_loss(counts, *model(batch))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
