"""Early stopping with the best validation loss kept as a tensor."""

import copy

import torch
from torch import nn

torch.manual_seed(112)
model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
x, valid_x = torch.rand(40, 3), torch.rand(12, 3)


def f(v):
    return torch.sin(4 * v).sum(1, keepdim=True)


best, best_state, patience = torch.tensor(float("inf")), None, 2
waited = 0
for epoch in range(6):
    loss = nn.functional.mse_loss(model(x), f(x))
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        valid = nn.functional.mse_loss(model(valid_x), f(valid_x))
    waited = 0 if valid < best else waited + 1
    if waited == 0:
        best_state = copy.deepcopy(model.state_dict())
    best = torch.minimum(best, valid)  # benign: op=aten.minimum.default kind=inf reason="a sentinel that the first loss replaces"
    if waited > patience:
        break
    print(epoch, loss.item(), best.item())
model.load_state_dict(best_state)
