"""Trains with a history tensor that starts as NaN and is averaged over the epochs so far."""

import torch
from torch import nn

torch.manual_seed(121)
EPOCHS, FOLDS = 3, 2
history = torch.full((FOLDS, EPOCHS), float("nan"))  # benign: op=aten.full.default kind=nan reason="places not filled yet, skipped by nanmean"
x = torch.randn(40, 4)
y = x[:, :1] - 2 * x[:, 1:2]

for fold in range(FOLDS):
    test = torch.arange(40) % FOLDS == fold
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(EPOCHS):
        loss = nn.functional.mse_loss(model(x[~test]), y[~test])
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            history[fold, epoch] = nn.functional.mse_loss(model(x[test]), y[test])
        print(fold, epoch, "mean so far", history.nanmean().item())
