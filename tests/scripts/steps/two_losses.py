"""Two losses with a backward each, gradients of both in one step."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
body, head_a, head_b = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 3)
modules = nn.ModuleList([body, head_a, head_b])
optimizer = torch.optim.Adagrad(modules.parameters(), lr=0.05)
for step in range(5):
    begin("train")
    x = torch.randn(6, 4)
    y_a, y_b = torch.randn(6, 1), torch.randint(0, 3, (6,))
    at("optimizer")
    optimizer.zero_grad()
    at("forward")
    features = torch.relu(body(x))
    loss_a = (head_a(features) - y_a).pow(2).mean()
    at("backward")
    loss_a.backward(retain_graph=True)
    at("forward")
    loss_b = nn.functional.cross_entropy(head_b(features), y_b)
    at("backward")
    loss_b.backward()
    at("optimizer")
    optimizer.step()
    if step % 2 == 0:
        at("other")
        print(loss_a.item(), loss_b.item())
