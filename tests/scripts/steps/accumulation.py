"""Gradient accumulation over three batches, with a batch left over at the end of each epoch."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
every = 3
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
data = [(torch.randn(4, 5), torch.randn(4, 1)) for _ in range(7)]

begin("train")
for epoch in range(3):
    for index, (x, y) in enumerate(data):
        at("forward")
        loss = nn.functional.mse_loss(model(x), y) / every
        at("backward")
        loss.backward()
        if (index + 1) % every == 0 or index + 1 == len(data):
            at("optimizer")
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            begin("train")
begin("other")
