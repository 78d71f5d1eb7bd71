"""Gradients are clipped by norm and by value, and looked at."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
for step in range(5):
    optimizer.zero_grad(set_to_none=False)
    loss = net(torch.randn(8, 4)).exp().mean()
    loss.backward()
    norm = clip_grad_norm_(net.parameters(), 0.5, norm_type=2 if step % 2 else float("inf"))
    clip_grad_value_(net.parameters(), 0.1)
    optimizer.step()
    print(step, loss.item(), norm.item())
flat = parameters_to_vector(net.parameters())
vector_to_parameters(flat * 0.5, net.parameters())
print(flat.norm().item())
