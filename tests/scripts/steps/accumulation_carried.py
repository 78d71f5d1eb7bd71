"""Gradient accumulation, where what is left over at the end of an epoch goes into the next one."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Linear(5, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
xs, ys = torch.randn(20, 5), torch.randn(20, 1)
count = 0
begin("train")
for epoch in range(3):
    for start in range(0, 20, 4):
        at("data")
        x, y = xs[start : start + 4], ys[start : start + 4]
        at("forward")
        loss = (model(x) - y).pow(2).mean() / 2
        at("backward")
        loss.backward()
        count += 1
        if count % 2 == 0:
            at("optimizer")
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            begin("train")
