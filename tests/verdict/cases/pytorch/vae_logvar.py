"""A small variational autoencoder on synthetic curves."""

import torch
import torch.nn as nn

torch.manual_seed(11)


class VAE(nn.Module):
    def __init__(self, d=20, z=3):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(d, 32), nn.ReLU())
        self.mu = nn.Linear(32, z)
        self.logvar = nn.Linear(32, z)
        self.dec = nn.Sequential(nn.Linear(z, 32), nn.ReLU(), nn.Linear(32, d))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()  # born: op=aten.exp.default kind=inf phase=forward step=2 module= reached=loss
        return self.dec(z), mu, logvar


model = VAE()
opt = torch.optim.SGD(model.parameters(), lr=0.3)
grid = torch.linspace(0, 6.28, 20)
for step in range(6):
    x = 30 * torch.sin(grid + torch.rand(32, 1) * 6.28)
    recon, mu, logvar = model(x)
    rec = ((recon - x) ** 2).sum(-1).mean()
    kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(-1).mean()
    loss = rec + kld
    if not torch.isfinite(loss):
        raise RuntimeError(f"loss is {loss.item()} at step {step}")
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{step} rec {rec.item():.1f} kl {kld.item():.3f}")
