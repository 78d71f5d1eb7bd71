"""Policy gradient for a card game with illegal moves and a hand-written entropy bonus."""

import torch
from torch import nn

torch.manual_seed(10)
policy = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 6))
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)


def act(obs, legal):
    logits = policy(obs).masked_fill(~legal, -float("inf"))
    logp = torch.log_softmax(logits, dim=-1)
    action = torch.multinomial(logp.detach().exp(), 1).squeeze(-1)
    return logp, action


for update in range(3):
    obs = torch.randn(16, 5)
    legal = torch.rand(16, 6) < 0.7
    legal[:, 0] = True
    logp, action = act(obs, legal)
    reward = (action == obs.argmax(-1)).float()
    chosen = logp.gather(-1, action[:, None]).squeeze(-1)
    entropy = -(logp.exp() * logp).sum(-1)  # born: op=aten.mul.Tensor kind=nan phase=forward step=0 module= reached=loss
    loss = -((reward - reward.mean()) * chosen).mean() - 0.01 * entropy.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, "reward", reward.mean().item(), "loss", loss.item())
