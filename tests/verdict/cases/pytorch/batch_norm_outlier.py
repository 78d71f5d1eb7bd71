"""A small regression network with batch normalisation, evaluated after every epoch."""

import torch
from torch import nn

torch.manual_seed(50)
model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
train = torch.randn(4, 24, 3)
train[2, 5] = torch.tensor([3e19, -2e19, 1e19])
valid = torch.randn(10, 3)


def target(x):
    return torch.tanh(x.sum(-1, keepdim=True))


for step, x in enumerate(train):
    model.train()
    loss = nn.functional.mse_loss(model(x), target(x))  # born: op=aten.native_batch_norm.default kind=inf phase=forward step=2 module=1 reached=state
    opt.zero_grad()
    loss.backward()
    opt.step()
    model.eval()
    with torch.no_grad():
        score = nn.functional.mse_loss(model(valid), target(valid))
    print(step, loss.item(), score.item())
