"""Policy gradient: roll out under no_grad, then several updates on what was gathered."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)


def env_step(state, action):
    state = 0.9 * state + 0.1 * torch.randn(3) + 0.1 * (action.float() - 0.5)
    return state, -state.abs().sum()


for iteration in range(3):
    begin("other")
    at("other", "data", loose=True)
    state = torch.randn(3)
    states, actions, rewards = [], [], []
    with torch.no_grad():
        for t in range(6):
            begin("eval", "other")
            at("forward")
            logits = policy(state)
            at("forward", "other")
            action = torch.distributions.Categorical(logits=logits).sample()
            at("data", "other", "forward")
            states.append(state)
            actions.append(action)
            state, reward = env_step(state, action)
            rewards.append(reward)
    begin("other")
    at("other", "data")
    returns = torch.stack(rewards).flip(0).cumsum(0).flip(0)
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)
    states, actions = torch.stack(states), torch.stack(actions)
    for update in range(2):
        begin("train")
        at("forward")
        dist = torch.distributions.Categorical(logits=policy(states))
        loss = -(dist.log_prob(actions) * returns).mean() - 0.01 * dist.entropy().mean()
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
