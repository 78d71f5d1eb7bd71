"""PPO updates on a toy rollout, with advantages normalised in every minibatch."""

import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(14)


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
        self.pi, self.v = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, obs):
        h = self.body(obs)
        return Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)


agent = ActorCritic()
opt = torch.optim.Adam(agent.parameters(), lr=3e-4, eps=1e-5)
obs = torch.randn(33, 4)
with torch.no_grad():
    dist, values = agent(obs)
    actions = dist.sample()
    old_logp = dist.log_prob(actions)
    returns = obs[:, 0] + 0.1 * torch.randn(33)
    advantages = returns - values

for step, idx in enumerate(torch.randperm(33).split(16)):
    adv = advantages[idx]
    adv = (adv - adv.mean()) / (adv.std() + 1e-8)  # born: op=aten.std.correction kind=nan phase=forward step=2 module= reached=loss
    dist, value = agent(obs[idx])
    ratio = (dist.log_prob(actions[idx]) - old_logp[idx]).exp()
    pg = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
    loss = pg + 0.5 * (returns[idx] - value).pow(2).mean() - 0.01 * dist.entropy().mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
    opt.step()
    print(step, loss.item())
