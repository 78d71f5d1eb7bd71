"""Trains a logistic model on separable data and evaluates it with a hand-written sigmoid."""

import torch

torch.manual_seed(124)
x = torch.randn(60, 2) * 40
y = (x[:, 0] > x[:, 1]).float()
w = torch.zeros(2, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.2)


def sigmoid(z):
    return 1 / (1 + torch.exp(-z))  # benign: op=aten.exp.default kind=inf reason="one over infinity is the zero that is meant"


for epoch in range(4):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        probability = sigmoid(x @ w)
        brier = (probability - y).square().mean()
    print(epoch, loss.item(), "brier", brier.item())
