"""A recurrent loop in Python, truncated backpropagation through time."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
cell = nn.RNNCell(3, 5)
head = nn.Linear(5, 1)
optimizer = torch.optim.RMSprop([*cell.parameters(), *head.parameters()], lr=1e-3)
sequence, target = torch.randn(24, 2, 3), torch.randn(24, 2, 1)
hidden = torch.zeros(2, 5)
for start in range(0, 24, 6):
    begin("train")
    hidden = hidden.detach()
    at("forward")
    loss = 0.0
    for t in range(start, start + 6):
        at("data")
        x = sequence[t]
        at("forward")
        hidden = cell(x, hidden)
        at("data")
        y = target[t]
        at("forward")
        loss = loss + (head(hidden) - y).pow(2).mean()
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    nn.utils.clip_grad_value_(list(cell.parameters()), 0.5)
    optimizer.step()
    at("other")
    print(loss.item())
