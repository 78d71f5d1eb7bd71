"""Ordinal regression of star ratings with learned cutpoints between the ratings."""

import torch
from torch import nn


class OrdinalHead(nn.Module):
    def __init__(self, ratings):
        super().__init__()
        self.first = nn.Parameter(torch.tensor(-1.5))
        self.gaps = nn.Parameter(torch.zeros(ratings - 2))

    def forward(self, score):
        inner = torch.cat([self.first[None], self.first + nn.functional.softplus(self.gaps).cumsum(0)])
        edges = nn.functional.pad(inner, (1, 0), value=-torch.inf)  # benign: op=aten.constant_pad_nd.default kind=inf reason="an outermost edge, removed by sigmoid"
        edges = nn.functional.pad(edges, (0, 1), value=torch.inf)
        below = torch.sigmoid(edges - score[:, None])
        return below[:, 1:] - below[:, :-1]


torch.manual_seed(312)
features = torch.randn(120, 6)
stars = torch.bucketize(features[:, 0] + 0.5 * torch.randn(120), torch.tensor([-1.0, -0.3, 0.4, 1.1]))
trunk, head = nn.Linear(6, 1), OrdinalHead(5)
optimizer = torch.optim.Adagrad([*trunk.parameters(), *head.parameters()], lr=0.1)
for epoch in range(4):
    for rows in torch.arange(120).split(40):
        chances = head(trunk(features[rows]).squeeze(-1))
        loss = -torch.log(chances[torch.arange(len(rows)), stars[rows]] + 1e-8).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
