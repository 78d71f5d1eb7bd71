"""Save and load a checkpoint in the middle of training, then go on."""
import io

import torch
from told import at, begin
from torch import nn


def build():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    return model, torch.optim.Adam(model.parameters(), lr=1e-2)


def train(model, optimizer, steps):
    for _ in range(steps):
        begin("train")
        x = torch.randn(8, 4)
        at("forward")
        loss = model(x).pow(2).mean()
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()


torch.manual_seed(0)
model, optimizer = build()
train(model, optimizer, 3)
begin("other", "setup")
file = io.BytesIO()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
file.seek(0)
model, optimizer = build()
saved = torch.load(file, weights_only=True)
model.load_state_dict(saved["model"])
optimizer.load_state_dict(saved["optimizer"])
train(model, optimizer, 3)
begin("other")
weights = torch.cat([p.detach().flatten() for p in model.state_dict().values()])
print(weights.norm().item())
