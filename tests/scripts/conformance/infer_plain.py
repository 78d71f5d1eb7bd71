"""A network is only used: no optimizer, no backward, and gradients are not turned off."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
net.eval()
for k in range(6):
    out = net(torch.randn(2, 3, 8, 8))
    print(k, out.argmax(1).tolist(), out.requires_grad)
total = 0.0
while total < 10:
    total += net(torch.rand(1, 3, 8, 8)).abs().sum().item() + 1
print(total)
