"""The original minimax GAN on one-dimensional data."""

import torch
from torch import nn


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())

    def forward(self, x):
        return self.net(x)


class Generator(nn.Module):
    def __init__(self, noise=4):
        super().__init__()
        self.noise = noise
        self.net = nn.Sequential(nn.Linear(noise, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, n):
        return self.net(torch.randn(n, self.noise))


def train(steps=6):
    torch.manual_seed(61)
    g, d = Generator(), Discriminator()
    opt_g = torch.optim.SGD(g.parameters(), lr=0.01)
    opt_d = torch.optim.SGD(d.parameters(), lr=2.0)
    for step in range(steps):
        real = 40 + 3 * torch.randn(64, 1)
        d_loss = -(torch.log(d(real)) + torch.log(1 - d(g(64).detach()))).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        g_loss = torch.log(1 - d(g(64))).mean()  # born: op=aten.log.default kind=inf phase=forward step=1 module= reached=loss
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        print(f"[{step}] D {d_loss.item():.4f} G {g_loss.item():.4f}")


train()
