"""Classifies padded token sequences with a single attention-pooling layer."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)
PAD = 0


class AttentivePool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, hidden, mask):
        scores = self.score(hidden).squeeze(-1)
        scores = scores.masked_fill(~mask, float("-inf"))
        weights = F.softmax(scores, dim=-1)  # born: op=aten._softmax.default kind=nan phase=forward step=2 module=pool reached=loss
        return (weights.unsqueeze(-1) * hidden).sum(1)


class Classifier(nn.Module):
    def __init__(self, vocab=30, dim=12):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=PAD)
        self.pool = AttentivePool(dim)
        self.out = nn.Linear(dim, 2)

    def forward(self, tokens):
        return self.out(self.pool(self.emb(tokens), tokens != PAD))


def make_batch(lengths):
    tokens = torch.zeros(len(lengths), 9, dtype=torch.long)
    for row, n in enumerate(lengths):
        tokens[row, :n] = torch.randint(1, 30, (n,))
    return tokens, torch.randint(0, 2, (len(lengths),))


model = Classifier()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
batches = [make_batch([9, 4, 3]), make_batch([5, 6, 7]), make_batch([2, 0, 8]), make_batch([1, 9, 9])]
for step, (tokens, y) in enumerate(batches):
    loss = F.cross_entropy(model(tokens), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, round(loss.item(), 4))
