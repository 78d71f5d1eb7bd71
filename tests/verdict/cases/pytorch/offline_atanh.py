"""Behaviour cloning of a squashed Gaussian policy from demonstrations."""

import torch
from torch import nn
from torch.distributions import Normal


class SquashedPolicy(nn.Module):
    def __init__(self, obs=3, act=2):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(obs, 24), nn.ReLU(), nn.Linear(24, act))
        self.log_std = nn.Parameter(torch.zeros(act))

    def log_prob(self, obs, action):
        raw = torch.atanh(action)  # born: op=aten.atanh.default kind=inf phase=forward step=0 module= reached=loss
        base = Normal(self.mean(obs), self.log_std.exp(), validate_args=False)
        return (base.log_prob(raw) - torch.log(1 - action.pow(2) + 1e-6)).sum(-1)


torch.manual_seed(32)
policy = SquashedPolicy()
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-4)
observations = torch.randn(64, 3)
demonstrations = (1.5 * observations[:, :2]).clamp(-1, 1)
for step, batch in enumerate(torch.randperm(64).split(32)):
    loss = -policy.log_prob(observations[batch], demonstrations[batch]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("batch", step, "nll", loss.item())
