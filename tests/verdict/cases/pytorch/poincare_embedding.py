"""Embeds a small tree in the Poincaré disc from its parent-child pairs."""

import torch

torch.manual_seed(58)
edges = torch.tensor([[0, 1], [0, 2], [1, 3], [1, 4], [2, 5], [2, 6]])
points = torch.nn.Embedding(7, 2)
torch.nn.init.uniform_(points.weight, -1e-3, 1e-3)
opt = torch.optim.SGD(points.parameters(), lr=0.05)


def distance(u, v):
    gap = (u - v).pow(2).sum(-1)
    scale = (1 - u.pow(2).sum(-1)) * (1 - v.pow(2).sum(-1))
    return torch.acosh(1 + 2 * gap / scale)  # born: op=aten.rsqrt.default kind=inf phase=backward step=0 module= reached=gradient forward=aten.acosh.default


for step in range(3):
    parents, children = points(edges[:, 0]), points(edges[:, 1])
    negatives = points(torch.randint(0, 7, (len(edges), 3)))
    near = -distance(parents, children)
    far = -distance(parents[:, None], negatives)
    loss = -(near - torch.logsumexp(torch.cat([near[:, None], far], 1), 1)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        points.weight.clamp_(-0.7, 0.7)
    print(step, loss.item())
