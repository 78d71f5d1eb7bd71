"""Threads and a pool of them: each computes, trains, or runs another's backward."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn


def train(seed):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Linear(3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.randn(1, 3, generator=generator))
        net.bias.zero_()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        loss = net(torch.randn(4, 3, generator=generator)).pow(2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(0)
with ThreadPoolExecutor(2) as pool:
    for loss in pool.map(train, range(5)):
        print(loss)
x = torch.ones(3, requires_grad=True)
loss = x.exp().sum()
thread = threading.Thread(target=loss.backward)
thread.start()
thread.join()
print(x.grad.tolist(), train(9), torch.is_grad_enabled())
local = threading.local()
local.value = torch.ones(2)
timer = threading.Timer(0, lambda: print(hasattr(local, "value"), torch.zeros(1).cos().item()))
timer.start()
timer.join()
