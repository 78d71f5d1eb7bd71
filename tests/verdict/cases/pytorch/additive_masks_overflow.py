"""A one-layer decoder in bfloat16 that adds a causal mask and a padding mask to its scores."""

import torch
import torch.nn as nn

torch.manual_seed(19)
DTYPE = torch.bfloat16
LOWEST = torch.finfo(DTYPE).min


def causal_mask(n):
    return torch.triu(torch.full((n, n), LOWEST, dtype=DTYPE), diagonal=1)


def padding_mask(attention_mask):
    return (1.0 - attention_mask[:, None, :].to(DTYPE)) * LOWEST


class Decoder(nn.Module):
    def __init__(self, vocab=25, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, vocab)

    def forward(self, ids, attention_mask):
        q, k, v = self.qkv(self.embed(ids)).chunk(3, dim=-1)
        mask = causal_mask(ids.size(1)) + padding_mask(attention_mask)  # benign: op=aten.add.Tensor kind=inf reason="removed by softmax, the diagonal stays finite"
        weights = (q @ k.transpose(-1, -2) / 4.0 + mask).softmax(-1)
        return self.out(weights @ v)


model = Decoder().to(DTYPE)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step, left_padding in enumerate([0, 5, 0]):
    ids = torch.randint(0, 25, (4, 5))
    attention_mask = torch.ones_like(ids)
    attention_mask[0, :left_padding] = 0
    logits = model(ids, attention_mask).float()
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
