"""A Wasserstein GAN with gradient penalty on a ring of Gaussians."""

import math

import torch
from torch import nn

torch.manual_seed(40)
G = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
nn.init.zeros_(D[2].weight)
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.0, 0.9))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.0, 0.9))


def real_batch(n):
    angle = torch.randint(0, 8, (n,)) * (2 * math.pi / 8)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def gradient_penalty(real, fake):
    mix = torch.rand(real.size(0), 1)
    point = (mix * real + (1 - mix) * fake).requires_grad_()
    (grad,) = torch.autograd.grad(D(point).sum(), point, create_graph=True)
    length = grad.square().sum(1).sqrt()  # born: op=aten.div.Tensor kind=inf phase=backward step=0 module= reached=gradient forward=aten.sqrt.default
    return ((length - 1) ** 2).mean()


for step in range(3):
    real = real_batch(32)
    fake = G(torch.randn(32, 2))
    d_loss = D(fake.detach()).mean() - D(real).mean() + 10 * gradient_penalty(real, fake.detach())
    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()

    g_loss = -D(G(torch.randn(32, 2))).mean()
    opt_g.zero_grad()
    g_loss.backward()
    opt_g.step()
    print(f"{step} d {d_loss.item():.3f} g {g_loss.item():.3f}")
