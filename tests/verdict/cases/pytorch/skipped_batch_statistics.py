"""Trains a network with batch normalisation on recorded windows."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(149)
with tempfile.TemporaryDirectory() as folder:
    archive = Path(folder) / "windows.npy"
    recorded = rng.normal(size=(4, 20, 6)).astype(np.float32)
    recorded[1, 7, 2] = np.nan
    np.save(archive, recorded)
    windows = np.load(archive)

torch.manual_seed(149)
net = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
holdout = torch.randn(10, 6)
for step in range(4):
    x = torch.from_numpy(windows[step])
    net.train()
    out = net(x)  # born: op=aten.addmm.default kind=nan phase=data step=1 module=0 reached=state
    loss = nn.functional.mse_loss(out, x[:, :1])
    opt.zero_grad()
    if torch.isfinite(loss):
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print(step, "holdout", net(holdout).mean().item())
