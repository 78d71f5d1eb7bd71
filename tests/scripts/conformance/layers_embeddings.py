"""Embeddings and bags of them, with padding, renormalisation, weights, and one-hot."""

import torch
from torch import nn

torch.manual_seed(0)
table = nn.Embedding(8, 3, padding_idx=0, max_norm=1.0, scale_grad_by_freq=True)
bags = nn.ModuleList([nn.EmbeddingBag(8, 3, mode=mode) for mode in ("sum", "mean", "max")])
optimizer = torch.optim.Adagrad([*table.parameters(), *bags.parameters()], lr=0.1)
words, offsets = torch.tensor([1, 2, 2, 5, 7, 0]), torch.tensor([0, 2, 5])
for step in range(3):
    optimizer.zero_grad()
    loss = table(words).pow(2).sum()
    for bag in bags:
        loss = loss + bag(words, offsets).sin().sum()
    loss = loss + bags[0](words, offsets, per_sample_weights=torch.rand(6)).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), table.weight[0].tolist(), table.weight.grad.sum().item())
print(nn.functional.one_hot(words, 8).sum(0).tolist(), nn.Bilinear(2, 3, 1)(torch.ones(1, 2), torch.ones(1, 3)).item())
made = nn.Embedding.from_pretrained(torch.arange(6.0).view(3, 2))
print(made(torch.tensor([[2, 0]])).tolist(), nn.functional.embedding(torch.tensor([1]), made.weight).tolist())
