"""`while True` with an iterator that is renewed, and a break when the loss is low enough."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
x = torch.randn(16, 4)
y = x @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
order = iter(())
steps = 0
while True:
    begin("train")
    index = next(order, None)
    if index is None:
        order = iter(torch.randperm(16).split(8))
        index = next(order)
    xb, yb = x[index], y[index]
    at("forward")
    loss = (model(xb) - yb).pow(2).mean()
    at("optimizer")
    model.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
    steps += 1
    at("other")
    if loss < 0.05 or steps == 20:
        break
begin("other")
print(steps, loss.item())
