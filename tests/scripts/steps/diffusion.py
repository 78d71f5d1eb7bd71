"""A denoising diffusion model: trained with an EMA, then sampled step by step."""
import copy

import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
T = 6
betas = torch.linspace(1e-2, 0.3, T)
alphas = 1 - betas
alpha_bar = alphas.cumprod(0)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(T, 8)
        self.net = nn.Sequential(nn.Linear(2 + 8, 16), nn.SiLU(), nn.Linear(16, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, self.time(t)], 1))


@torch.no_grad()
def sample(model, count):
    begin("other", "eval")
    at("data", "other", loose=True)
    x = torch.randn(count, 2)
    for t in reversed(range(T)):
        begin("eval")
        times = torch.full((count,), t)
        at("forward")
        noise = model(x, times)
        at("forward", "other")
        x = (x - betas[t] / (1 - alpha_bar[t]).sqrt() * noise) / alphas[t].sqrt()
        if t:
            x = x + betas[t].sqrt() * torch.randn_like(x)
    begin("other")
    return x


model = Denoiser()
ema = copy.deepcopy(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
data = torch.randn(32, 2) * 0.3 + torch.tensor([1.0, -1.0])
for epoch in range(2):
    begin("train")
    at("data", loose=True)
    shuffled = data[torch.randperm(32)]
    for x0 in shuffled.chunk(4):
        at("data")
        t = torch.randint(0, T, (len(x0),))
        noise = torch.randn_like(x0)
        a = alpha_bar[t].unsqueeze(1)
        xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
        at("forward")
        loss = nn.functional.mse_loss(model(xt, t), noise)
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        at("other")
        with torch.no_grad():
            for slow, fast in zip(ema.parameters(), model.parameters()):
                slow.lerp_(fast, 0.1)
        begin("train")
    out = sample(ema, 4)
    print(epoch, out.mean().item())
