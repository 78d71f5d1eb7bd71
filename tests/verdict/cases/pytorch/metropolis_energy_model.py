"""An energy-based model on an interval; Metropolis samples outside of it have no chance."""

import torch
from torch import nn

torch.manual_seed(131)
energy = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(energy.parameters(), lr=1e-2)
chain = torch.rand(20, 1)


def log_density(x):
    inside = (x > 0) & (x < 1)
    return torch.where(inside, -energy(x), -torch.inf)  # benign: op=aten.scalar_tensor.default kind=inf reason="proposals outside, rejected"


@torch.no_grad()
def metropolis(x, rounds=5):
    for _ in range(rounds):
        proposal = x + 0.3 * torch.randn_like(x)
        log_ratio = log_density(proposal) - log_density(x)
        x = torch.where(torch.rand_like(x).log() < log_ratio, proposal, x)
    return x


for step in range(4):
    data = torch.rand(20, 1) ** 2
    chain = metropolis(chain)
    loss = energy(data).mean() - energy(chain).mean()
    loss = loss + 0.1 * energy(data).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), chain.mean().item())
