"""Actor-critic with a Beta policy, trained on stored actions in the unit interval."""

import torch
from torch import nn
from torch.distributions import Beta


class BetaPolicy(nn.Module):
    def __init__(self, obs_dim):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs_dim, 24), nn.Tanh())
        self.alpha, self.beta = nn.Linear(24, 1), nn.Linear(24, 1)

    def forward(self, obs):
        h = self.body(obs)
        return Beta(nn.functional.softplus(self.alpha(h)) + 1, nn.functional.softplus(self.beta(h)) + 1)


def main():
    torch.manual_seed(54)
    policy = BetaPolicy(4)
    opt = torch.optim.Adam(policy.parameters(), lr=1e-3)
    obs = torch.randn(48, 4)
    with torch.no_grad():
        actions = policy(obs).sample()
    actions[30] = 0.0
    advantage = torch.randn(48, 1)
    for step, idx in enumerate(torch.arange(48).split(16)):
        logp = policy(obs[idx]).log_prob(actions[idx])  # born: op=aten.xlogy.Tensor kind=inf phase=forward step=1 module= reached=loss
        loss = -(advantage[idx] * logp).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        print(step, loss.item())


main()
