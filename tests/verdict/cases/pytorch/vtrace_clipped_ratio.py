"""Train an actor and a critic off policy, from what an older and sharper policy did."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(13)
TIME, BATCH, STATE, ACTIONS = 10, 6, 4, 3
GAMMA = 0.95


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(STATE, 32), nn.Tanh())
        self.policy = nn.Linear(32, ACTIONS)
        self.value = nn.Linear(32, 1)

    def forward(self, states):
        hidden = self.body(states)
        return self.policy(hidden), self.value(hidden).squeeze(-1)


@torch.no_grad()
def vtrace(log_pi, log_mu, rewards, values):
    ratio = torch.exp(log_pi - log_mu)  # benign: op=aten.exp.default kind=inf reason="removed by clamp"
    clipped = ratio.clamp(max=1.0)
    following = torch.cat([values[1:], values[-1:]])
    deltas = clipped * (rewards + GAMMA * following - values)
    carried, targets = torch.zeros(BATCH), []
    for t in reversed(range(TIME)):
        carried = deltas[t] + GAMMA * clipped[t] * carried
        targets.insert(0, values[t] + carried)
    targets = torch.stack(targets)
    ahead = torch.cat([targets[1:], values[-1:]])
    return targets, clipped * (rewards + GAMMA * ahead - values)


states = torch.randn(TIME, BATCH, STATE)
sharp = 160 * states[..., :ACTIONS]
explored = torch.rand(TIME, BATCH) < 0.2
actions = torch.where(explored, torch.randint(ACTIONS, (TIME, BATCH)), sharp.argmax(dim=-1))
log_mu = sharp.log_softmax(dim=-1).gather(-1, actions[..., None]).squeeze(-1)
rewards = (actions == states[..., 1:].argmax(dim=-1)).float()

agent = ActorCritic()
optimizer = torch.optim.RMSprop(agent.parameters(), lr=3e-3)
for update in range(10):
    logits, values = agent(states)
    log_pi = logits.log_softmax(dim=-1).gather(-1, actions[..., None]).squeeze(-1)
    targets, advantages = vtrace(log_pi, log_mu, rewards, values)
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    loss = F.mse_loss(values, targets) - (log_pi * advantages).mean() - 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"update {update} loss {loss.item():.4f} entropy {entropy.item():.3f}")
