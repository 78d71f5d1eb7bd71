"""A beta-VAE whose KL weight follows a schedule over the remaining steps."""

import numpy as np
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 16)
        self.stats = nn.Linear(16, 4)
        nn.init.zeros_(self.stats.weight)
        nn.init.zeros_(self.stats.bias)

    def forward(self, x):
        return self.stats(torch.relu(self.body(x))).chunk(2, dim=-1)


def beta_at(step, warm):
    with np.errstate(all="ignore"):
        return float(np.float32(1.0) / np.float32(min(step, warm)))


torch.manual_seed(147)
encoder, decoder = Encoder(), nn.Linear(2, 8)
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
for step in range(3):
    x = torch.randn(16, 8)
    mu, logvar = encoder(x)
    z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1).mean()
    loss = nn.functional.mse_loss(decoder(z), x) + beta_at(step, 10) * kl  # born: op=aten.mul.Tensor kind=nan phase=forward step=0 module= reached=loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
