"""A policy is trained by what it did: sampling without gradients, then a loss of log probabilities."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.RMSprop(policy.parameters(), lr=0.01)
for episode in range(4):
    state, logs, rewards = torch.randn(3), [], []
    while len(rewards) < 10 and (not rewards or rewards[-1] > -1):
        choice = Categorical(logits=policy(state))
        action = choice.sample()
        logs.append(choice.log_prob(action))
        state = state + 0.1 * torch.randn(3) + (action - 0.5)
        rewards.append(1 - state.abs().mean().item())
    returns = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
    loss = -(torch.stack(logs) * (returns - returns.mean())).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(episode, len(rewards), loss.item())
