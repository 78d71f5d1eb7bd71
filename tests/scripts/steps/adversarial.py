"""Adversarial training: an inner loop finds the worst input, an outer step learns from it."""
import torch
import torch.nn.functional as F
from told import at, begin
from torch import nn


def attack(model, x, y, eps=0.1, steps=2):
    at("data", "forward")
    delta = torch.zeros_like(x).uniform_(-eps, eps)
    for _ in range(steps):
        at("data", "forward")
        delta.requires_grad_(True)
        at("forward")
        loss = F.cross_entropy(model(x + delta), y)
        at("backward")
        (grad,) = torch.autograd.grad(loss, delta)
        at("data", "forward", "other", "optimizer")
        delta = (delta.detach() + eps / 2 * grad.sign()).clamp(-eps, eps)
    return (x + delta).detach()


torch.manual_seed(0)
x, y = torch.randn(24, 5), torch.randint(0, 2, (24,))
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    model.train()
    begin("train")
    at("data", loose=True)
    for xb, yb in zip(x.split(8), y.split(8)):
        begin("train")
        bad = attack(model, xb, yb)
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        loss = F.cross_entropy(model(bad), yb)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
    model.eval()
    begin("eval")
    at("data", loose=True)
    for xb, yb in zip(x.split(12), y.split(12)):
        begin("eval", "train")
        bad = attack(model, xb, yb)
        at("forward")
        with torch.no_grad():
            logits = model(bad)
        at("other")
        print(epoch, (logits.argmax(1) == yb).float().mean().item())
