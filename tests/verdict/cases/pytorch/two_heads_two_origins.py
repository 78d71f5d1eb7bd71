"""Multi-task training of edges and depth from one trunk."""

import torch
import torch.nn as nn

torch.manual_seed(44)


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(9, 24), nn.ReLU())
        self.edge = nn.Linear(24, 1)
        self.depth = nn.Linear(24, 4)

    def forward(self, x):
        h = self.trunk(x)
        return torch.sigmoid(self.edge(h)).squeeze(-1), self.depth(h)


def edge_loss(p, y):
    return -(y * p.log() + (1 - y) * torch.log(1 - p)).mean()  # born: op=aten.log.default kind=inf phase=forward step=2 module= reached=loss


def depth_loss(pred, gt):
    valid = gt > 0
    scale = (gt * valid).sum(1) / valid.sum(1)  # also: op=aten.div.Tensor kind=nan phase=forward step=2 module= reached=loss
    return ((pred - gt / scale[:, None]).abs() * valid).mean()


model = MultiTask()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    x = torch.randn(8, 9)
    y = (x[:, 0] > 0).float()
    gt = torch.rand(8, 4) + 0.5
    if step == 2:
        x[1] *= 4000
        gt[5] = 0
    p, depth = model(x)
    loss = edge_loss(p, y) + 0.5 * depth_loss(depth, gt)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
