"""Quantisation-aware training; observers start with an empty range of infinities."""

import torch
from torch import nn


class Observer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("low", torch.tensor(float("inf")))
        self.register_buffer("high", torch.tensor(float("-inf")))

    def forward(self, x):
        with torch.no_grad():
            self.low.copy_(torch.minimum(self.low, x.min()))  # benign: op=aten.minimum.default kind=inf reason="an empty range that the first values replace"
            self.high.copy_(torch.maximum(self.high, x.max()))  # benign: op=aten.maximum.default kind=inf reason="an empty range that the first values replace"
        scale = (self.high - self.low).clamp(min=1e-8) / 255
        rounded = torch.round((x - self.low) / scale) * scale + self.low
        return x + (rounded - x).detach()


torch.manual_seed(132)
model = nn.Sequential(Observer(), nn.Linear(6, 12), Observer(), nn.ReLU(), nn.Linear(12, 2))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    x = torch.randn(16, 6)
    labels = (x.sum(1) > 0).long()
    loss = nn.functional.cross_entropy(model(x), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
