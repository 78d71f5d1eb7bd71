"""A trainer class that logs the recall of a rare class and trains a two-way classifier."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    steps: int = 5
    lr: float = 0.05


class Trainer:
    def __init__(self, config):
        self.config = config
        self.model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
        self.opt = torch.optim.SGD(self.model.parameters(), lr=config.lr)

    def batches(self):
        for step in range(self.config.steps):
            x = torch.randn(16, 6)
            labels = (x[:, 0] > (9.0 if step == 1 else 0.5)).long()
            yield step, x, labels, torch.full((16,), float(step != 3))

    def recall(self, logits, labels):
        found = (logits.argmax(1) == 1) & (labels == 1)
        return found.sum() / (labels == 1).sum()  # born: op=aten.div.Tensor kind=nan phase=other step=1 module= reached=output

    def fit(self):
        for step, x, labels, weight in self.batches():
            logits = self.model(x)
            per_sample = nn.functional.cross_entropy(logits, labels, reduction="none")
            loss = (weight * per_sample).sum() / weight.sum()  # also: op=aten.div.Tensor kind=nan phase=forward step=3 module= reached=loss
            print(step, loss.item(), "recall", self.recall(logits, labels).item())
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()


torch.manual_seed(144)
Trainer(Config()).fit()
