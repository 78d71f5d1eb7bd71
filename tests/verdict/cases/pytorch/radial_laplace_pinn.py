"""A physics-informed network for the Poisson equation on a disc, in polar coordinates."""

import torch
import torch.nn as nn

torch.manual_seed(34)
u_net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
opt = torch.optim.Adam(u_net.parameters(), lr=1e-3)
r = torch.linspace(0, 1, 33).unsqueeze(1).requires_grad_()


def derivative(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def residual(u):
    u_r = derivative(u, r)
    return derivative(u_r, r) + (1.0 / r) * u_r + 1.0  # born: op=aten.reciprocal.default kind=inf phase=forward step=0 module= reached=loss


for step in range(2):
    u = u_net(r)
    boundary = u[-1].pow(2).sum()
    loss = residual(u).pow(2).mean() + 10 * boundary
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, "pde loss", loss.item())
