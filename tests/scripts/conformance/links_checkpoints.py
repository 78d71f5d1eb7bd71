"""Activations are computed again in the backward, in both ways, with random numbers in them."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

torch.manual_seed(0)
block = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, 5))
deep = nn.Sequential(*[nn.Sequential(nn.Linear(5, 5), nn.Tanh()) for _ in range(4)])
optimizer = torch.optim.SGD([*block.parameters(), *deep.parameters()], lr=0.1)
for step in range(3):
    x = torch.randn(4, 5, requires_grad=True)
    a = checkpoint(block, x, use_reentrant=False)
    b = checkpoint(block, x, use_reentrant=True)
    c = checkpoint(lambda t: checkpoint(block, t, use_reentrant=False).sin(), x, use_reentrant=False)
    d = checkpoint_sequential(deep, 2, x, use_reentrant=False)
    loss = (a * b + c + d).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), x.grad.sum().item())
