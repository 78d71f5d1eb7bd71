"""Imbalanced classification with inverse-frequency class weights, some classes being absent."""

import torch
from torch import nn

torch.manual_seed(123)
CLASSES = 6
labels = torch.multinomial(torch.tensor([0.5, 0.3, 0.1, 0.1, 0.0, 0.0]), 90, replacement=True)
x = torch.randn(90, 5) + torch.nn.functional.one_hot(labels, CLASSES)[:, :5]

counts = torch.bincount(labels, minlength=CLASSES).float()
weights = (counts.sum() / counts).clamp(max=20.0)  # benign: op=aten.div.Tensor kind=inf reason="absent classes, bounded by clamp"
criterion = nn.CrossEntropyLoss(weight=weights / weights.sum())

model = nn.Sequential(nn.Linear(5, 16), nn.Hardswish(), nn.Linear(16, CLASSES))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step, idx in enumerate(torch.randperm(90).split(30)):
    loss = criterion(model(x[idx]), labels[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
