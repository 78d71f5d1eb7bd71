"""A ResNet of torchvision in a training loop with random crops, and a metric of torchmetrics."""

import hashlib
import sys

import torch
import torchmetrics
from einops import rearrange
from einops.layers.torch import Rearrange
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.transforms import v2

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3
torch.manual_seed(0)
model = nn.Sequential(Rearrange("b h w c -> b c h w"), ResNet(BasicBlock, [1, 1, 1, 1], num_classes=4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
accuracy = torchmetrics.classification.MulticlassAccuracy(num_classes=4)
augment = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), v2.Normalize([0.5] * 3, [0.5] * 3)])
pictures, labels = torch.rand(4, 3, 32, 32), torch.randint(0, 4, (4,))
for step in range(steps):
    x = rearrange(augment(pictures), "b c h w -> b h w c")
    out = model(x)
    loss = nn.functional.cross_entropy(out, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 5), round(accuracy(out, labels).item(), 4))
print(round(accuracy.compute().item(), 4))
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
