"""Train a pruned network whose weights are rounded to powers of two."""

import torch
import torch.nn.functional as F
from torch import nn


class ShiftLinear(nn.Linear):
    """A multiplication by such a weight is a shift."""

    def __init__(self, inputs, outputs, keep=0.6):
        super().__init__(inputs, outputs)
        self.register_buffer("mask", (torch.rand(outputs, inputs) < keep).float())

    def quantised(self):
        weight = (self.weight * self.mask).detach()
        exponent = torch.log2(weight.abs()).round()  # benign: op=aten.log2.default kind=inf reason="a power of two with it is zero"
        return weight.sign() * torch.exp2(exponent.clamp(max=0))

    def forward(self, x):
        pruned = self.weight * self.mask
        return F.linear(x, pruned + (self.quantised() - pruned).detach(), self.bias)


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(dim=1) == y).float().mean().item()


torch.manual_seed(31)
x = torch.randn(200, 10)
y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 1).long()
net = nn.Sequential(ShiftLinear(10, 32), nn.ReLU(), ShiftLinear(32, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
for epoch in range(10):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"epoch {epoch}: {loss.item():.4f}, accuracy {accuracy(net, x, y):.2f}")
