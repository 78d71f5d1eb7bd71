"""Aligns bags of word vectors of different sizes with entropic transport in the log domain."""

import torch
from torch import nn

torch.manual_seed(313)


@torch.no_grad()
def transport_plan(cost, mass_a, mass_b, epsilon=0.2, rounds=25):
    kernel = -cost / epsilon
    log_a = mass_a.log()  # benign: op=aten.log.default kind=inf reason="padding without mass, removed by logsumexp and exp"
    log_b = mass_b.log()  # benign: op=aten.log.default kind=inf reason="padding without mass, removed by logsumexp and exp"
    f, g = torch.zeros_like(log_a), torch.zeros_like(log_b)
    for _ in range(rounds):
        f = log_a - torch.logsumexp(kernel + g[:, None, :], dim=2)
        g = log_b - torch.logsumexp(kernel + f[:, :, None], dim=1)
    return (f[:, :, None] + kernel + g[:, None, :]).exp()


def masses(lengths, most):
    there = (torch.arange(most) < lengths[:, None]).float()
    return there / lengths[:, None]


source, target = torch.randn(6, 7, 10), torch.randn(6, 5, 10)
mass_a = masses(torch.tensor([7, 3, 5, 7, 2, 6]), 7)
mass_b = masses(torch.tensor([5, 5, 1, 4, 3, 5]), 5)
mapping = nn.Linear(10, 10, bias=False)
optimizer = torch.optim.SGD(mapping.parameters(), lr=0.05, momentum=0.9)
for step in range(6):
    cost = (mapping(source)[:, :, None] - target[:, None]).square().mean(-1)
    plan = transport_plan(cost, mass_a, mass_b)
    loss = (plan * cost).sum((1, 2)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: transport cost {loss.item():.4f}, mass moved {plan.sum().item():.3f}")
