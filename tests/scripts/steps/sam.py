"""Sharpness-aware minimisation: two forward and backward passes in each step."""
import torch
from told import at, begin
from torch import nn


class SAM:
    def __init__(self, parameters, base, rho=0.05):
        self.parameters, self.base, self.rho = list(parameters), base, rho

    @torch.no_grad()
    def first_step(self):
        norm = torch.stack([p.grad.norm() for p in self.parameters]).norm()
        self.moved = []
        for p in self.parameters:
            e = p.grad * (self.rho / (norm + 1e-12))
            p.add_(e)
            self.moved.append(e)
        self.base.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for p, e in zip(self.parameters, self.moved):
            p.sub_(e)
        self.base.step()
        self.base.zero_grad()


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    sam = SAM(model.parameters(), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    x, y = torch.randn(24, 4), torch.randint(0, 3, (24,))
    for epoch in range(2):
        hits = 0
        for k in range(3):
            begin("train")
            xb, yb = x[k * 8 : (k + 1) * 8], y[k * 8 : (k + 1) * 8]
            at("forward")
            out = model(xb)
            loss = criterion(out, yb)
            at("backward")
            loss.backward()
            at("optimizer")
            sam.first_step()
            at("forward")
            second = criterion(model(xb), yb)
            at("backward")
            second.backward()
            at("optimizer")
            sam.second_step()
            at("other")
            hits += (out.argmax(1) == yb).sum().item()
        print(epoch, hits / 24)


main()
