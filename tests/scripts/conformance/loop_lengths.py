"""Sequences of other lengths in every step: another way through the loop each time."""

import torch
from torch import nn

torch.manual_seed(0)
cell = nn.GRUCell(3, 5)
head = nn.Linear(5, 1)
optimizer = torch.optim.RMSprop([*cell.parameters(), *head.parameters()], lr=0.01)
for length in (3, 5, 2, 5, 3, 7, 1, 3):
    optimizer.zero_grad()
    state = torch.zeros(2, 5)
    for x in torch.randn(length, 2, 3):
        state = cell(x, state)
    loss = (head(state) - length).pow(2).mean()
    loss.backward()
    optimizer.step()
    print(length, loss.item())
