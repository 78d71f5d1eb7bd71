"""Learns the two noises of a local level model by maximum likelihood over series with missing readings."""

import numpy as np
import torch
from torch import nn


class LocalLevel(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_drift = nn.Parameter(torch.tensor(-1.0))
        self.log_noise = nn.Parameter(torch.tensor(0.0))

    def forward(self, series):
        mean, variance = torch.zeros(len(series)), torch.ones(len(series))
        total = 0.0
        for reading in series.unbind(1):
            seen = ~torch.isnan(reading)
            variance = variance + self.log_drift.exp()
            surprise = reading - mean  # born: op=aten.sub.Tensor kind=nan phase=data step=3 module= reached=gradient
            spread = variance + self.log_noise.exp()
            gain = variance / spread
            nll = 0.5 * (spread.log() + surprise.square() / spread)
            total = total + torch.where(seen, nll, 0.0).sum()
            mean = torch.where(seen, mean + gain * surprise, mean)
            variance = torch.where(seen, (1 - gain) * variance, variance)
        return total / (~torch.isnan(series)).sum()


rng = np.random.default_rng(303)
levels = np.cumsum(rng.normal(0.0, 0.5, (24, 15)), axis=1)
recorded = (levels + rng.normal(0.0, 0.3, (24, 15))).astype("float32")
recorded[13, 4:7] = np.nan
recorded[19, 0] = np.nan
readings = torch.from_numpy(recorded)
model = LocalLevel()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for step in range(6):
    batch = readings[4 * step : 4 * step + 4]
    loss = model(batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    drift, noise = (p.exp().item() for p in model.parameters())
    print(f"step {step} nll {loss.item():.4f} drift {drift:.3f} noise {noise:.3f}")
