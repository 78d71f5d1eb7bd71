"""PyTorch's own tools look on at the same time: profiler, flop counter, record_function, gradcheck."""

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function, schedule
from torch.utils.flop_counter import FlopCounterMode

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
with profile(activities=[ProfilerActivity.CPU], schedule=schedule(wait=1, warmup=1, active=2), acc_events=True, record_shapes=True) as profiler:
    for step in range(5):
        with record_function("a step"):
            optimizer.zero_grad()
            loss = net(torch.randn(3, 4)).pow(2).mean()
            loss.backward()
            optimizer.step()
        profiler.step()
        print(step, loss.item())
averages = {event.key: event for event in profiler.key_averages()}
print(averages["aten::addmm"].count > 3, averages["a step"].count)
with FlopCounterMode(display=False) as flops:
    net(torch.ones(3, 4)).sum().backward()
print(flops.get_total_flops())
print(torch.autograd.gradcheck(nn.functional.softplus, torch.rand(3, dtype=torch.float64, requires_grad=True)))
print(torch.autograd.gradgradcheck(torch.sin, torch.rand(2, dtype=torch.float64, requires_grad=True)))
with torch.autograd.profiler.profile() as old:
    torch.ones(2).exp()
print(any(event.name == "aten::exp" for event in old.function_events))
