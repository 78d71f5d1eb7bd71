"""Credit scoring on a table with missing values that are imputed by the column mean."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(114)
table = rng.normal(size=(60, 6)).astype(np.float32)
default = (table[:, 0] + 0.5 * table[:, 1] > 0).astype(np.float32)
table[rng.random(table.shape) < 0.15] = np.nan

torch.manual_seed(114)
x, y = torch.from_numpy(table), torch.from_numpy(default)
missing = torch.isnan(x)
mean = x.nanmean(0)  # benign: op=aten.nansum.default kind=nan reason="missing values that nansum skips"
x = torch.cat([torch.where(missing, mean, x), missing.float()], 1)

model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
for step in range(5):
    batch = torch.randperm(60)[:20]
    logit = model(x[batch]).squeeze(1)
    loss = nn.functional.binary_cross_entropy_with_logits(logit, y[batch])
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
