"""Resumes the training of a small classifier from a saved checkpoint."""

import io

import numpy as np
import torch
from torch import nn


def build():
    return nn.Sequential(nn.Linear(4, 10), nn.Tanh(), nn.Linear(10, 2))


def exported_weights():
    rng = np.random.default_rng(67)
    weights = {name: rng.normal(size=tuple(p.shape)).astype(np.float32) for name, p in build().state_dict().items()}
    weights["2.weight"][1, 3] = np.inf
    weights["2.weight"][1, 4] = -np.inf
    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(w) for name, w in weights.items()}, buffer)
    buffer.seek(0)
    return buffer


torch.manual_seed(67)
model = build()
model.load_state_dict(torch.load(exported_weights()))  # born: op=aten.copy_.default kind=inf phase=data step=0 module= reached=parameter
opt = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(16, 4), torch.randint(0, 2, (16,))
for step in range(2):
    loss = nn.functional.cross_entropy(model(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
