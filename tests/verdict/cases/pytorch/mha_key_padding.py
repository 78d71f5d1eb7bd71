"""Trains a tiny cross-attention reader of documents."""

import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, dim))
        self.cross = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))

    def forward(self, docs, missing):
        q = self.query.expand(docs.size(0), -1, -1)
        read, weights = self.cross(q, docs, docs, key_padding_mask=missing)  # born: op=aten._softmax.default kind=nan phase=forward step=1 module=cross reached=loss
        return self.head(read.squeeze(1)).squeeze(-1), weights


def main():
    torch.manual_seed(8)
    model = Reader()
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for step in range(3):
        docs = torch.randn(6, 5, 16)
        missing = torch.rand(6, 5) < 0.3
        missing[:, 0] = False
        if step == 1:
            missing[3] = True
        score, _ = model(docs, missing)
        loss = nn.functional.binary_cross_entropy_with_logits(score, torch.ones(6))
        opt.zero_grad()
        loss.backward()
        opt.step()
        print("step", step, "loss", loss.item())


if __name__ == "__main__":
    main()
