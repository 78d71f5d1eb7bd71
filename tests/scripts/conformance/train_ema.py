"""Averages of the weights, by hand and by PyTorch's own, and their use."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
by_hand = copy.deepcopy(net).requires_grad_(False)
averaged = AveragedModel(net)
moving = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
slow = SWALR(optimizer, swa_lr=0.05)
data = [torch.randn(8, 4) for _ in range(5)]
for x in data:
    optimizer.zero_grad()
    net(x).pow(2).mean().backward()
    optimizer.step()
    slow.step()
    averaged.update_parameters(net)
    moving.update_parameters(net)
    with torch.no_grad():
        for old, new in zip(by_hand.parameters(), net.parameters()):
            old.lerp_(new, 0.1)
update_bn(data, averaged)
with torch.no_grad():
    print(averaged(data[0]).sum().item(), moving(data[0]).sum().item(), by_hand(data[0]).sum().item())
