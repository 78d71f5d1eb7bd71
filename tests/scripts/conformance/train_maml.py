"""Meta-learning: the inner steps are differentiated through; weights are functions of weights."""

import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
outer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(3):
    outer.zero_grad()
    total = 0.0
    for task in range(2):
        x = torch.randn(6, 1)
        y = x * (task + 1)
        fast = dict(net.named_parameters())
        for inner in range(2):
            loss = (functional_call(net, fast, x) - y).pow(2).mean()
            grads = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
            fast = {name: w - 0.1 * g for (name, w), g in zip(fast.items(), grads)}
        total = total + (functional_call(net, fast, x) - y).pow(2).mean()
    total.backward()
    outer.step()
    print(step, total.item())
