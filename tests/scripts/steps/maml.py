"""MAML: inner steps with autograd.grad on functional weights, an outer step with Adam."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
w1 = nn.Parameter(torch.randn(1, 8) * 0.5)
b1 = nn.Parameter(torch.zeros(8))
w2 = nn.Parameter(torch.randn(8, 1) * 0.5)
meta = torch.optim.Adam([w1, b1, w2], lr=1e-2)


def net(x, weights):
    return torch.tanh(x @ weights[0] + weights[1]) @ weights[2]


for iteration in range(4):
    begin("train")
    at("optimizer")
    meta.zero_grad()
    outer = 0.0
    for task in range(2):
        at("data")
        phase, amplitude = torch.rand(1) * 3, torch.rand(1) + 0.5
        x = torch.rand(10, 1) * 4 - 2
        y = amplitude * torch.sin(x + phase)
        at("forward")
        weights = [w1, b1, w2]
        for inner in range(2):
            loss = (net(x, weights) - y).pow(2).mean()
            at("backward")
            grads = torch.autograd.grad(loss, weights, create_graph=True)
            at("forward", "optimizer")
            weights = [w - 0.1 * g for w, g in zip(weights, grads)]
            at("forward")
        outer = outer + (net(x, weights) - y).pow(2).mean()
    at("backward")
    outer.backward()
    at("optimizer")
    meta.step()
