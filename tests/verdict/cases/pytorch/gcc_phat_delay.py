"""Estimate the delay between two microphones from their whitened cross spectrum."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LENGTH, MOST = 128, 8


class Pairs(Dataset):
    """A noise heard twice, the second time later; sometimes a microphone is dropped."""

    def __init__(self, count):
        self.generator = torch.Generator().manual_seed(5)
        self.delays = torch.randint(0, MOST, (count,), generator=self.generator)
        self.sounds = torch.randn(count, LENGTH, generator=self.generator)
        self.dropped = {29}

    def __len__(self):
        return len(self.delays)

    def __getitem__(self, index):
        delay = int(self.delays[index])
        second = torch.roll(self.sounds[index], delay)
        if index in self.dropped:
            second = torch.zeros_like(second)
        return torch.stack([self.sounds[index], second]), delay


class Whitened(nn.Module):
    def forward(self, pair):
        spectrum = torch.fft.rfft(pair, dim=-1)
        cross = spectrum[:, 1] * spectrum[:, 0].conj()
        cross = cross / cross.abs()  # born: op=aten.div.Tensor kind=nan phase=forward step=3 module=front reached=loss
        return torch.fft.irfft(cross, n=LENGTH, dim=-1)[:, : 2 * MOST]


class DelayNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = Whitened()
        self.classify = nn.Sequential(nn.Linear(2 * MOST, 32), nn.ReLU(), nn.Linear(32, MOST))

    def forward(self, pair):
        return self.classify(self.front(pair))


torch.manual_seed(5)
net = DelayNet()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
for step, (pair, delay) in enumerate(DataLoader(Pairs(48), batch_size=8)):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(pair), delay)
    loss.backward()
    optimizer.step()
    print(f"batch {step}: {loss.item():.4f}")
