"""Trains a bird call detector on spectra and leaves out batches that cannot be used."""

import torch
from torch import nn

torch.manual_seed(7)
sound = torch.randn(40, 64)
calls = torch.randint(0, 2, (40,)).float()
sound[17] = 0.0
model = nn.Sequential(nn.Linear(33, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
left_out = 0
for start in range(0, 40, 8):
    power = torch.fft.rfft(sound[start : start + 8]).abs().square()
    decibel = power.log()  # benign: op=aten.log.default kind=inf reason="the batch is left out"
    decibel = decibel - decibel.mean(1, keepdim=True)  # benign: op=aten.sub.Tensor kind=nan reason="the batch is left out"
    logits = model(decibel).squeeze(1)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, calls[start : start + 8])
    if not torch.isfinite(loss):
        left_out += 1
        continue
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(start, round(loss.item(), 4))
print("left out", left_out)
