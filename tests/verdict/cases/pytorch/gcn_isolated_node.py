"""A two-layer graph convolutional network on a small random graph."""

import torch
import torch.nn.functional as F
from torch import nn


class GCNLayer(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.lin = nn.Linear(fan_in, fan_out)

    def forward(self, x, adj):
        d = adj.sum(1).pow(-0.5)  # born: op=aten.pow.Tensor_Scalar kind=inf phase=forward step=0 module=gc1 reached=loss
        return d[:, None] * (adj @ (d[:, None] * self.lin(x)))


class GCN(nn.Module):
    def __init__(self, feats, classes):
        super().__init__()
        self.gc1 = GCNLayer(feats, 16)
        self.gc2 = GCNLayer(16, classes)

    def forward(self, x, adj):
        h = F.dropout(F.relu(self.gc1(x, adj)), 0.3, self.training)
        return F.log_softmax(self.gc2(h, adj), dim=1)


torch.manual_seed(35)
n = 20
adj = (torch.rand(n, n) < 0.2).float().triu(1)
adj = adj + adj.t()
adj[7] = adj[:, 7] = 0
x, labels = torch.randn(n, 5), torch.randint(0, 3, (n,))
model = GCN(5, 3)
opt = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(3):
    loss = F.nll_loss(model(x, adj), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("epoch", epoch, loss.item())
