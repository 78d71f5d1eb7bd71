"""Trains a classifier by cosine prototypes in half precision."""

import torch
from torch import nn


class Prototypes(nn.Module):
    def __init__(self, dim=8, classes=4):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))

    def forward(self, feats):
        unit = feats / (feats.norm(dim=1, keepdim=True) + 1e-8)  # born: op=aten.div.Tensor kind=nan phase=forward step=1 module=1 reached=loss
        return 10 * unit @ self.weight.t()


torch.manual_seed(151)
net = nn.Sequential(nn.Sequential(nn.Linear(5, 8), nn.ReLU()), Prototypes()).half()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(3):
    x = torch.randn(12, 5).half()
    if step == 1:
        x[4] = 0
        with torch.no_grad():
            net[0][0].bias.clamp_(max=0)
    loss = nn.functional.cross_entropy(net(x).float(), torch.randint(0, 4, (12,)))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
