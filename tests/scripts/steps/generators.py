"""Generators as loops: batches are generated, and so are the steps."""
import torch
from told import at, begin
from torch import nn


def batches(size):
    while True:
        begin("train")
        x = torch.rand(size, 2) * 2 - 1
        y = (x[:, :1] * x[:, 1:] > 0).float()
        yield x, y


def training(model, optimizer, source):
    for x, y in source:
        at("forward")
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        at("other")
        yield loss.detach()


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
steps = training(model, torch.optim.Adam(model.parameters(), lr=0.02), batches(8))
smooth = torch.zeros(())
for number, loss in zip(range(8), steps):
    smooth = 0.8 * smooth + 0.2 * loss
    if number % 4 == 3:
        print(number, smooth.item())
