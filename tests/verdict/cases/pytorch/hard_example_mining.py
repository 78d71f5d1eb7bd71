"""Trains a linear classifier with online hard example mining."""

import torch
import torch.nn as nn

torch.manual_seed(47)
centers = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 6.0]])
labels = torch.arange(60) % 3
points = centers[labels] + 0.2 * torch.randn(60, 2)

model = nn.Linear(2, 3)
opt = torch.optim.SGD(model.parameters(), lr=0.5)
per_sample = nn.CrossEntropyLoss(reduction="none")

iteration = 0
while iteration < 6:
    losses = per_sample(model(points), labels)
    hard = losses[losses > 0.3]
    loss = hard.mean()  # born: op=aten.mean.default kind=nan phase=forward step=2 module= reached=loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(iteration, "hard", hard.numel(), "loss", loss.item())
    iteration += 1
