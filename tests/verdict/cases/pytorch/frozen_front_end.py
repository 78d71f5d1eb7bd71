"""Train a keyword head on the amplitudes of a filter bank that was learned before."""

import torch
from torch import nn


class FilterBank(nn.Module):
    def __init__(self, bands=8):
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 2.0, bands))
        self.bands = bands

    def forward(self, audio):
        power = torch.fft.rfft(audio).abs().square()[..., 1:]
        energy = power.unflatten(-1, (self.bands, -1)).mean(dim=-1)
        return torch.sqrt(energy * self.gain)  # benign: op=aten.div.Tensor kind=inf reason="no optimizer uses that gradient"


class Spotter(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = FilterBank()
        self.head = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, audio):
        return self.head(self.front(audio)).mean(dim=1)


torch.manual_seed(6)
audio = torch.randn(32, 5, 32)
words = torch.arange(32) % 2
audio[words == 1] += torch.sin(torch.arange(32) * 1.2) * 2
audio[:, 4] = torch.where(torch.rand(32, 1) < 0.3, 0.0, audio[:, 4])

model = Spotter()
optimizer = torch.optim.SGD(model.head.parameters(), lr=0.05, momentum=0.9, nesterov=True)
for step in range(10):
    logits = model(audio)
    loss = nn.functional.cross_entropy(logits, words)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.head.parameters(), 5.0)
    optimizer.step()
    print(f"{step}: loss {loss.item():.4f} norm {norm.item():.3f}")
