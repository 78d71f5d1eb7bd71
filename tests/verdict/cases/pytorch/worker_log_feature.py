"""Predicts click rates from features that a data loader worker prepares."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Clicks(Dataset):
    def __init__(self, n=48):
        rng = np.random.default_rng(25)
        self.counts = rng.integers(1, 50, size=(n, 4)).astype(np.float32)
        self.counts[37, 2] = 0
        self.rate = (self.counts[:, :1] / 50.0).astype(np.float32)

    def __len__(self):
        return len(self.counts)

    def __getitem__(self, i):
        with np.errstate(divide="ignore"):
            return np.log(self.counts[i]), self.rate[i]


def main():
    torch.manual_seed(25)
    loader = DataLoader(Clicks(), batch_size=12, num_workers=1)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for step, (features, rate) in enumerate(loader):
        loss = nn.functional.mse_loss(model(features), rate)  # born: op=aten.addmm.default kind=inf phase=data step=3 module=0 reached=loss
        opt.zero_grad()
        loss.backward()
        opt.step()
        print(step, loss.item())


if __name__ == "__main__":
    main()
