"""Dynamic graph network on point sets; every layer links a point to its nearest neighbours."""

import torch
from torch import nn


class EdgeConv(nn.Module):
    def __init__(self, fan_in, fan_out, k=3):
        super().__init__()
        self.k = k
        self.mlp = nn.Sequential(nn.Linear(2 * fan_in, fan_out), nn.LeakyReLU(0.1))

    def forward(self, x):
        with torch.no_grad():
            dist = torch.cdist(x, x)
            dist.diagonal(dim1=-2, dim2=-1).fill_(float("inf"))  # benign: op=aten.fill_.Scalar kind=inf reason="never among the smallest"
            nearest = dist.topk(self.k, largest=False).indices
        rows = torch.arange(x.size(0))[:, None, None]
        neighbours = x[rows, nearest]
        center = x.unsqueeze(2).expand_as(neighbours)
        return self.mlp(torch.cat([center, neighbours - center], -1)).max(2).values


torch.manual_seed(118)
net = nn.Sequential(EdgeConv(2, 8), EdgeConv(8, 8), nn.Flatten(), nn.Linear(80, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
for step in range(4):
    label = torch.randint(0, 2, (8,))
    cloud = torch.randn(8, 10, 2) * (1 + 2 * label[:, None, None])
    loss = nn.functional.cross_entropy(net(cloud), label)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
