"""Off-policy policy gradient with importance weights for continuous actions."""

import torch
from torch import nn
from torch.distributions import Normal


class GaussianPolicy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
        self.log_std = nn.Parameter(torch.full((1,), -2.5))

    def forward(self, obs):
        return Normal(self.net(obs), self.log_std.exp())


torch.manual_seed(65)
policy = GaussianPolicy()
opt = torch.optim.Adam(policy.parameters(), lr=0.02)
obs = torch.randn(40, 3)
with torch.no_grad():
    behaviour = policy(obs)
    actions = behaviour.sample()
    actions[25] += 4.0
    behaviour_logp = behaviour.log_prob(actions)
    advantage = torch.where(actions > 0, 1.0, -0.2)

for update in range(6):
    logp = policy(obs).log_prob(actions)
    ratio = torch.exp(logp - behaviour_logp)  # born: op=aten.exp.default kind=inf phase=forward step=1 module= reached=loss
    loss = -(ratio * advantage).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("update", update, "surrogate", loss.item())
