"""Group lasso on the rows of a weight matrix that starts with rows of zeros."""

import torch
from torch import nn

torch.manual_seed(141)
model = nn.Linear(6, 8)
with torch.no_grad():
    model.weight[2:5] = 0
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(50, 6)
y = torch.cat([x[:, :2], torch.zeros(50, 6)], 1)

for step in range(4):
    penalty = model.weight.norm(dim=1).sum()  # benign: op=aten.div.Tensor kind=nan reason="the derivative at a row of zeros, removed by masked_fill inside of autograd"
    loss = nn.functional.mse_loss(model(x), y) + 0.05 * penalty
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), "zero rows", int((model.weight.norm(dim=1) < 1e-6).sum()))
