"""Fit a proportional hazards model to cohorts of different sizes."""

import torch
from torch import nn

torch.manual_seed(17)
SIZES = [20, 13, 17, 6]
FEATURES = 5


def cohorts():
    """Padded, and sorted from the longest survival to the shortest."""
    most = max(SIZES)
    x = torch.zeros(len(SIZES), most, FEATURES)
    event = torch.zeros(len(SIZES), most, dtype=torch.bool)
    there = torch.zeros(len(SIZES), most, dtype=torch.bool)
    for row, size in enumerate(SIZES):
        people = torch.randn(size, FEATURES)
        time = torch.rand(size) * torch.exp(-people[:, 0])
        order = time.argsort(descending=True)
        x[row, :size] = people[order]
        event[row, :size] = torch.rand(size) < 0.7
        there[row, :size] = True
    return x, event, there


def partial_likelihood(risk, event, there):
    risk = risk.masked_fill(~there, float("-inf"))  # benign: op=aten.masked_fill.Scalar kind=inf reason="nobody is at risk"
    at_risk = torch.logcumsumexp(risk, dim=1)  # benign: op=aten.log.default kind=inf reason="of a gradient that is zero"
    return -(risk - at_risk)[event].sum() / event.sum()


x, event, there = cohorts()
hazard = nn.Sequential(nn.Linear(FEATURES, 8), nn.SiLU(), nn.Linear(8, 1))
optimizer = torch.optim.NAdam(hazard.parameters(), lr=0.01)
for step in range(12):
    optimizer.zero_grad()
    loss = partial_likelihood(hazard(x).squeeze(-1), event, there)
    loss.backward()
    optimizer.step()
    if step % 3 == 0:
        print(step, round(loss.item(), 5))
