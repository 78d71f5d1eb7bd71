"""PPO and DQN of stable-baselines3 on a walk along a line."""

import hashlib
import sys

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import DQN, PPO


class Line(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = 0, 0
        return self._seen(), {}

    def step(self, action):
        self.place = max(-5, min(5, self.place + (1 if action else -1)))
        self.time += 1
        return self._seen(), float(self.place == 5), self.place == 5, self.time >= 20, {}

    def _seen(self):
        return np.array([self.place / 5], np.float32)


steps = int(sys.argv[1]) if len(sys.argv) > 1 else 64
torch.set_num_threads(1)
agent = PPO("MlpPolicy", Line(), n_steps=32, batch_size=16, n_epochs=2, seed=0, device="cpu")
agent.learn(steps)
print("ppo", int(agent.predict(np.zeros(1, np.float32), deterministic=True)[0]))
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in agent.policy.parameters())).hexdigest())
agent = DQN("MlpPolicy", Line(), learning_starts=8, train_freq=4, batch_size=8, target_update_interval=8, seed=0, device="cpu")
agent.learn(steps)
print("dqn", int(agent.predict(np.zeros(1, np.float32), deterministic=True)[0]))
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in agent.policy.parameters())).hexdigest())
