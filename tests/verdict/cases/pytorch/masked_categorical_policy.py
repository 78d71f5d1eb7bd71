"""REINFORCE with illegal actions masked out of a Categorical distribution."""

import torch
from torch import nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self, obs=4, actions=5):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs, 24), nn.ReLU(), nn.Linear(24, actions))

    def forward(self, obs, legal):
        logits = self.net(obs).masked_fill(~legal, float("-inf"))  # benign: op=aten.masked_fill.Scalar kind=inf reason="removed by the softmax and the clamp of Categorical"
        return Categorical(logits=logits)


torch.manual_seed(116)
policy = Policy()
opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
baseline = 0.0
for episode in range(5):
    obs = torch.randn(12, 4)
    legal = torch.rand(12, 5) > 0.4
    legal[:, 2] = True
    pi = policy(obs, legal)
    action = pi.sample()
    reward = (action == 2).float() + 0.1 * obs[:, 0]
    baseline = 0.9 * baseline + 0.1 * reward.mean().item()
    loss = -(pi.log_prob(action) * (reward - baseline)).mean() - 0.02 * pi.entropy().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("episode", episode, "return", reward.mean().item(), "loss", loss.item())
