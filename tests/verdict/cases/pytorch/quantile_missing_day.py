"""Forecasts three quantiles of river levels from stations that do not report every day."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(306)
QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def pinball(predicted, target):
    error = target[:, None] - predicted  # benign: op=aten.sub.Tensor kind=nan reason="days without a report, skipped by nanmean"
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).nanmean()  # born: op=aten.div.Tensor kind=nan phase=forward step=4 module= reached=loss


stations, days = 10, 6
rng = np.random.default_rng(306)
rain = rng.random((days, stations, 5), dtype=np.float32)
level = rain.sum(-1) + 0.2 * rng.normal(size=(days, stations)).astype("float32")
level[rng.random((days, stations)) < 0.25] = np.nan
level[4] = np.nan
rain, level = torch.from_numpy(rain), torch.from_numpy(level)

model = nn.Sequential(nn.Linear(5, 12), nn.SiLU(), nn.Linear(12, 3))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
for epoch in range(2):
    losses = []
    for day in range(days):
        step = epoch * days + day
        loss = pinball(model(rain[day]), level[day])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: after {step + 1} updates, loss {sum(losses) / days:.4f}")
