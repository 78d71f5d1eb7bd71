"""Trains a bigram model and samples from it with top-k and top-p filtering."""

import torch
from torch import nn

torch.manual_seed(115)
corpus = torch.tensor([0, 3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 7, 0, 3, 1, 4, 2, 6])


def filtered(logits, top_k=5, top_p=0.9):
    kth = logits.topk(top_k).values[-1]
    logits = torch.where(logits < kth, float("-inf"), logits)  # benign: op=aten.scalar_tensor.default kind=inf reason="removed by softmax before sampling"
    ordered, index = logits.sort(descending=True)
    cumulative = ordered.softmax(-1).cumsum(-1)
    remove = torch.zeros_like(logits, dtype=torch.bool)
    remove[index] = cumulative - ordered.softmax(-1) > top_p
    logits[remove] = -float("inf")  # benign: op=aten.index_put_.default kind=inf reason="removed by softmax before sampling"
    return logits.softmax(-1)


bigram = nn.Embedding(8, 8)
opt = torch.optim.SGD(bigram.parameters(), lr=1.0)
for step in range(5):
    loss = nn.functional.cross_entropy(bigram(corpus[:-1]), corpus[1:])
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        token, sample = torch.tensor(0), []
        for _ in range(6):
            token = torch.multinomial(filtered(bigram(token) / 0.8), 1).squeeze()
            sample.append(int(token))
    print(step, loss.item(), sample)
