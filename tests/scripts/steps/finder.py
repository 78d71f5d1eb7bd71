"""A learning-rate finder: a short run on a copy with a growing rate, then the training itself."""
import copy

import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
batches = [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(3)]
loss_fn = nn.MSELoss()


def find_rate(model):
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    rates, losses = [], []
    for step in range(5):
        begin("train")
        x, y = batches[step % 3]
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        loss = loss_fn(model(x), y)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 2
        rates.append(optimizer.param_groups[0]["lr"])
        at("other")
        losses.append(loss.item())
    begin("other")
    curve = torch.tensor(losses)
    return rates[int((curve[1:] - curve[:-1]).argmin())]


rate = find_rate(model)
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
for epoch in range(2):
    for x, y in batches:
        begin("train")
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        loss = loss_fn(model(x), y)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
