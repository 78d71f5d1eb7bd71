"""Trains an item embedding model wholly in half precision with Adam."""

import torch
import torch.nn as nn

torch.manual_seed(20)


class Recommender(nn.Module):
    def __init__(self, users=12, items=30, dim=8):
        super().__init__()
        self.user = nn.Embedding(users, dim)
        self.item = nn.Embedding(items, dim)

    def forward(self, u, i):
        return (self.user(u) * self.item(i)).sum(-1)


model = Recommender().half()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
u, i = torch.randint(0, 12, (64,)), torch.randint(0, 20, (64,))
ratings = torch.randint(1, 6, (64,)).half()

for step in range(3):
    loss = nn.functional.mse_loss(model(u, i), ratings)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()  # born: op=aten.addcdiv_.default kind=inf phase=optimizer step=0 module= reached=parameter
    print(step, loss.item(), model.item.weight.abs().mean().item())
