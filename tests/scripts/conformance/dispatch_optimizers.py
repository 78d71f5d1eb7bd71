"""Every optimizer that PyTorch has, four steps each, and what some of them may do besides."""

import torch
from torch import nn, optim

plain = [
    optim.Adadelta, optim.Adafactor, optim.Adagrad, optim.Adam, optim.AdamW, optim.Adamax, optim.ASGD,
    optim.NAdam, optim.RAdam, optim.RMSprop, optim.Rprop, optim.SGD,
]  # fmt: skip
more = [
    (optim.Adam, {"amsgrad": True}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.RMSprop, {"centered": True, "momentum": 0.5}),
    (optim.Adam, {"maximize": True, "weight_decay": 0.1, "foreach": False}),
    (optim.LBFGS, {"max_iter": 3, "history_size": 2}),
]
for kind, options in [*((kind, {}) for kind in plain), *more]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    groups = [{"params": net[0].parameters(), "lr": 0.05}, {"params": net[2].parameters()}]
    optimizer = kind(net.parameters() if kind is optim.LBFGS else groups, lr=0.01, **options)

    def loss():
        optimizer.zero_grad()
        value = net(torch.ones(2, 3)).pow(2).mean()
        value.backward()
        return value

    for step in range(4):
        last = optimizer.step(loss)
    print(kind.__name__, options, last.item(), net[0].weight.sum().item())
weight = torch.ones(2, requires_grad=True)
rate = torch.tensor(0.1, requires_grad=True)
inner = weight.clone()
different = optim.SGD([inner], lr=rate, differentiable=True)
inner.grad = torch.tensor([1.0, 2.0])
different.step()
inner.sum().backward()
print(rate.grad.item(), weight.grad)
hidden = nn.Parameter(torch.randn(3, 4))
muon = optim.Muon([hidden], lr=0.1)
for step in range(3):
    muon.zero_grad()
    hidden.pow(2).sum().backward()
    muon.step()
print(hidden.sum().item())
