"""Trains a value network that keeps running statistics of what it observes."""

import torch
from torch import nn

torch.manual_seed(16)


class RunningNorm(nn.Module):
    def __init__(self, dim, rate=0.05):
        super().__init__()
        self.rate = rate
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    @torch.no_grad()
    def observe(self, x):
        self.running_mean.lerp_(x.mean(0), self.rate)
        self.running_var.lerp_(x.var(0), self.rate)  # born: op=aten.var.correction kind=nan phase=other step=3 module= reached=state

    def forward(self, x):
        return (x - self.running_mean) / (self.running_var + 1e-5).sqrt()


norm = RunningNorm(3)
value = nn.Sequential(nn.Linear(3, 24), nn.SiLU(), nn.Linear(24, 1))
opt = torch.optim.Adam(value.parameters(), lr=1e-3)
episode_lengths = [7, 4, 9, 1, 6]

for step, length in enumerate(episode_lengths):
    states = torch.randn(length, 3) + 2
    returns = torch.linspace(1, 0, length).unsqueeze(1)
    loss = (value(norm(states)) - returns).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    norm.observe(states)
    print("episode", step, "loss", round(loss.item(), 5))
