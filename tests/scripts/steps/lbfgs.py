"""LBFGS: the optimizer calls a closure as often as it likes."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
x = torch.linspace(0, 1, 16).unsqueeze(1)
y = torch.sin(6 * x)
model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")


def closure():
    at("optimizer")
    optimizer.zero_grad()
    at("forward")
    loss = nn.functional.mse_loss(model(x), y)
    at("backward")
    loss.backward()
    at("optimizer")
    return loss


for step in range(5):
    begin("train")
    at("optimizer")
    loss = optimizer.step(closure)
    at("other")
    print(step, loss.item())
