"""Forecasts irregular time series of different lengths."""

import numpy as np
import torch
from torch import nn


def load_series():
    rng = np.random.default_rng(45)
    target = rng.normal(size=(12, 8)).cumsum(1).astype(np.float32)
    for row in (3, 9):
        target[row, rng.integers(4, 7) :] = np.nan
    history = rng.normal(size=(12, 10)).astype(np.float32)
    return torch.from_numpy(history), torch.from_numpy(target)


history, target = load_series()
torch.manual_seed(45)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    rows = slice(0, 12) if step else slice(0, 3)
    valid = ~torch.isnan(target[rows])
    error = (model(history[rows]) - target[rows]) ** 2  # born: op=aten.sub.Tensor kind=nan phase=data step=1 module= reached=loss
    loss = (error * valid).sum() / valid.sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
