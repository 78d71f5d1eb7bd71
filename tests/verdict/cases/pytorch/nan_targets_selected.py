"""Multi-label toxicity regression where most assays are missing and read as NaN."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Assays(Dataset):
    def __init__(self, n=36, tasks=5):
        rng = np.random.default_rng(106)
        self.x = rng.normal(size=(n, 7)).astype(np.float32)
        self.y = (self.x[:, :tasks] > 0).astype(np.float32)
        self.y[rng.random((n, tasks)) < 0.6] = np.nan

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def run():
    torch.manual_seed(106)
    loader = DataLoader(Assays(), batch_size=12, shuffle=True, num_workers=1)
    net = torch.nn.Sequential(torch.nn.Linear(7, 20), torch.nn.ReLU(), torch.nn.Linear(20, 5))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step, (x, y) in enumerate(loader):
        known = ~torch.isnan(y)
        logits = net(x)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[known], y[known])  # benign: op=aten.index.Tensor kind=nan reason="missing labels, not selected"
        opt.zero_grad()
        loss.backward()
        opt.step()
        print(step, int(known.sum()), loss.item())


if __name__ == "__main__":
    run()
