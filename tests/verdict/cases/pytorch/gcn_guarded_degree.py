"""Graph convolution with symmetric normalisation on a sparse graph with isolated nodes."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(113)
n = 24
edges = torch.randint(0, n - 3, (2, 40))
edges = torch.cat([edges, edges.flip(0)], 1)


def normalised(edges):
    degree = torch.zeros(n).scatter_add_(0, edges[0], torch.ones(edges.size(1)))
    inv_sqrt = degree.pow(-0.5)  # benign: op=aten.pow.Tensor_Scalar kind=inf reason="isolated nodes, replaced by masked_fill"
    inv_sqrt = inv_sqrt.masked_fill(inv_sqrt == float("inf"), 0.0)
    return torch.sparse_coo_tensor(edges, inv_sqrt[edges[0]] * inv_sqrt[edges[1]], (n, n))


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 12), nn.Linear(12, 3)

    def forward(self, x, adj):
        h = torch.sparse.mm(adj, self.first(x)).relu()
        return torch.sparse.mm(adj, self.second(h))


adj = normalised(edges)
x, labels = torch.randn(n, 6), torch.randint(0, 3, (n,))
model = GCN()
opt = torch.optim.Adam(model.parameters(), lr=2e-2)
for epoch in range(4):
    loss = F.cross_entropy(model(x, adj), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("epoch", epoch, "loss", round(loss.item(), 4))
