"""Gradients of gradients: a penalty, a Hessian-vector product, and a third derivative."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(3):
    x = torch.randn(6, 3, requires_grad=True)
    out = net(x)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    loss = out.mean() + (slope.norm(dim=1) - 1).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
weights = list(net.parameters())
grads = torch.autograd.grad(net(torch.ones(2, 3)).pow(2).sum(), weights, create_graph=True)
products = torch.autograd.grad(grads, weights, [torch.ones_like(w) for w in weights], allow_unused=True)
print([None if p is None else p.sum().item() for p in products])
t = torch.tensor(0.7, requires_grad=True)
value = t.sin() * t.exp()
for order in range(3):
    (value,) = torch.autograd.grad(value, t, create_graph=True)
    print(order, value.item())
