"""Denoising diffusion on two-dimensional spirals with min-SNR loss weights."""

import torch
from torch import nn

torch.manual_seed(125)
T = 20
alpha_bar = torch.cos(torch.linspace(0, 1.5, T)) ** 2
snr = alpha_bar / (1 - alpha_bar)  # benign: op=aten.div.Tensor kind=inf reason="bounded by clamp and divided by itself"
weight = snr.clamp(max=5.0) / snr


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(T, 8)
        self.net = nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Linear(32, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, self.time(t)], 1))


model = Denoiser()
ema = {k: v.clone() for k, v in model.state_dict().items()}
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(4):
    r = torch.rand(64, 1) * 4
    x0 = torch.cat([r * r.cos(), r * r.sin()], 1) / 3
    t = torch.randint(0, T, (64,))
    t[0] = 0
    noise = torch.randn_like(x0)
    xt = alpha_bar[t, None].sqrt() * x0 + (1 - alpha_bar[t, None]).sqrt() * noise
    loss = (weight[t, None] * (model(xt, t) - noise) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for k, v in model.state_dict().items():
            ema[k].lerp_(v, 0.1)
    print(step, loss.item())
