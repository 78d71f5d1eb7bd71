"""Linear regression by hand: no modules, no optimizer."""
import torch
from told import at, begin

torch.manual_seed(0)
x = torch.randn(32, 3)
true = torch.tensor([[1.0], [-2.0], [0.5]])
y = x @ true + 0.1 * torch.randn(32, 1)
w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

for step in range(10):
    begin("train")
    at("forward")
    prediction = x @ w + b
    loss = ((prediction - y) ** 2).mean()
    at("backward")
    loss.backward()
    at("optimizer")
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if step % 5 == 0:
        at("other")
        print(step, loss.item())
