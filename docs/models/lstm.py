"""A character model with an LSTM, one training step."""

import torch
from torch import nn
from torch.nn import functional as F


class Characters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 32)
        self.lstm = nn.LSTM(32, 64, num_layers=2, batch_first=True)
        self.head = nn.Linear(64, 96)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(self.embed(ids))
        return self.head(hidden)


torch.manual_seed(0)
model = Characters()
optimizer = torch.optim.Adam(model.parameters())
ids = torch.randint(96, (4, 17))
logits = model(ids[:, :-1])
F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
optimizer.step()
