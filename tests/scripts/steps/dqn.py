"""Deep Q-learning: act, remember, learn from a batch of memories, copy the target network."""
import random
from collections import deque

import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
random.seed(0)
q = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
target = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
target.load_state_dict(q.state_dict())
optimizer = torch.optim.Adam(q.parameters(), lr=1e-2)
memory = deque(maxlen=50)


class Env:
    def reset(self):
        self.state = torch.zeros(2)
        return self.state

    def step(self, action):
        self.state = 0.9 * self.state + torch.tensor([action - 0.5, 0.1])
        return self.state, -float(self.state.norm())


env = Env()
begin("other")
at("other", "data", loose=True)
state = env.reset()
for step in range(16):
    begin("eval", "other")
    at("forward")
    if random.random() < 0.2:
        action = random.randrange(2)
    else:
        with torch.no_grad():
            values = q(state.unsqueeze(0))
        at("other", "forward")
        action = int(values.argmax())
    at("other", "data", "forward", loose=True)
    after, reward = env.step(action)
    memory.append((state, action, reward, after))
    state = after
    if len(memory) >= 8:
        begin("train")
        batch = random.sample(list(memory), 4)
        states = torch.stack([s for s, _, _, _ in batch])
        actions = torch.tensor([a for _, a, _, _ in batch]).unsqueeze(1)
        rewards = torch.tensor([r for _, _, r, _ in batch])
        afters = torch.stack([s for _, _, _, s in batch])
        at("forward")
        with torch.no_grad():
            best = target(afters).max(1).values
        wanted = rewards + 0.9 * best
        chosen = q(states).gather(1, actions).squeeze(1)
        loss = nn.functional.smooth_l1_loss(chosen, wanted)
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        at("other")
        if step % 4 == 0:
            target.load_state_dict(q.state_dict())
