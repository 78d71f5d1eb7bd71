"""Trains a classifier and reports per-class precision with the empty classes set to zero."""

import torch
from torch import nn

torch.manual_seed(107)


@torch.no_grad()
def macro_f1(logits, labels, classes):
    confusion = torch.zeros(classes, classes)
    confusion.index_put_((labels, logits.argmax(1)), torch.ones(len(labels)), accumulate=True)
    hit = confusion.diagonal()
    precision = hit / confusion.sum(0)  # benign: op=aten.div.Tensor kind=nan reason="classes never predicted, replaced by where"
    precision = torch.where(confusion.sum(0) > 0, precision, torch.zeros(classes))
    recall = hit / confusion.sum(1)
    f1 = 2 * precision * recall / (precision + recall)  # benign: op=aten.div.Tensor kind=nan reason="replaced by nan_to_num"
    return torch.nan_to_num(f1).mean().item()


model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 6))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
labels = torch.arange(60) % 6
x = torch.randn(60, 4) + labels[:, None] * 0.3
for epoch in range(4):
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(epoch, loss.item(), "f1", macro_f1(logits, labels, 6))
