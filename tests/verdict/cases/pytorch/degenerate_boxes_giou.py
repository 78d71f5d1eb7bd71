"""Trains a one-box detector head with a generalised IoU loss."""

import torch
import torch.nn as nn


def area(b):
    return (b[:, 2] - b[:, 0]).clamp(min=0) * (b[:, 3] - b[:, 1]).clamp(min=0)


def giou_loss(pred, gt):
    lt, rb = torch.max(pred[:, :2], gt[:, :2]), torch.min(pred[:, 2:], gt[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(1)
    union = area(pred) + area(gt) - inter
    iou = inter / union  # born: op=aten.div.Tensor kind=nan phase=forward step=2 module= reached=loss
    hull = torch.cat([torch.min(pred[:, :2], gt[:, :2]), torch.max(pred[:, 2:], gt[:, 2:])], 1)
    return (1 - iou + (area(hull) - union) / area(hull).clamp(min=1e-7)).mean()


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, f):
        x, y, w, h = self.net(f).unbind(1)
        w, h = torch.relu(w), torch.relu(h)
        return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)


torch.manual_seed(29)
head = Head()
opt = torch.optim.SGD(head.parameters(), lr=0.02)
boxes = torch.rand(24, 4)
gt = torch.cat([boxes[:, :2], boxes[:, :2] + 0.2 + boxes[:, 2:]], 1)
gt[16:, 2:] = gt[16:, :2]
for step, idx in enumerate(torch.arange(24).split(8)):
    loss = giou_loss(head(gt[idx] * 2 - 1), gt[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
