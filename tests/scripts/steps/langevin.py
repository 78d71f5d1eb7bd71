"""Stochastic gradient Langevin dynamics by hand, with two batches of different data zipped."""
import math

import torch
from told import at, begin


class Model:
    def __init__(self):
        self.params = [torch.randn(3, 4).mul_(0.3).requires_grad_(), torch.zeros(4, requires_grad=True)]

    def __call__(self, x):
        return torch.relu(x @ self.params[0] + self.params[1]).sum(1)


def update(model, rate):
    grads = [p.grad for p in model.params]
    with torch.no_grad():
        for p, g in zip(model.params, grads):
            noise = torch.randn_like(p) * math.sqrt(2 * rate) * 0.01
            p.add_(-rate * g + noise)
            p.grad = None


def main():
    torch.manual_seed(0)
    model = Model()
    labelled = [(torch.randn(5, 3), torch.randn(5)) for _ in range(4)]
    unlabelled = [torch.randn(5, 3) for _ in range(4)]
    samples = []
    for epoch in range(2):
        for (x, y), u in zip(labelled, unlabelled):
            begin("train")
            noisy = u + 0.1 * torch.randn(5, 3)
            at("forward")
            loss = (model(x) - y).pow(2).mean() + (model(u) - model(noisy)).pow(2).mean()
            at("backward")
            loss.backward()
            at("optimizer")
            update(model, 0.01)
        begin("other")
        samples.append([p.detach().clone() for p in model.params])
    mean = sum(s[0] for s in samples) / len(samples)
    print(mean.norm().item())


main()
