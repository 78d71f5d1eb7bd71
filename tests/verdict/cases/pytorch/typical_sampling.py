"""Trains a small language model on arithmetic progressions and writes with locally typical sampling."""

import torch
from torch import nn

torch.manual_seed(314)
VOCABULARY = 15


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 16)
        self.mix = nn.Conv1d(16, 32, 2)
        self.head = nn.Linear(32, VOCABULARY)

    def forward(self, tokens):
        x = nn.functional.pad(self.embed(tokens).mT, (1, 0))
        return self.head(torch.relu(self.mix(x)).mT)


def typical(logits, mass=0.9):
    logp = logits.log_softmax(-1)
    p = logp.exp()
    entropy = -(logp * p).nansum(-1, keepdim=True)  # benign: op=aten.mul.Tensor kind=nan reason="forbidden tokens, skipped by nansum"
    order = (-logp - entropy).abs().argsort(-1)
    last = (p.gather(-1, order).cumsum(-1) < mass).sum(-1, keepdim=True).clamp(max=VOCABULARY - 1)
    drop = torch.arange(VOCABULARY) > last
    return p.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), 0.0)


@torch.no_grad()
def write(model, start, length=6):
    tokens = start
    for _ in range(length):
        logits = model(tokens)[:, -1]
        logits[:, 0] = -torch.inf  # benign: op=aten.fill_.Tensor kind=inf reason="a forbidden token, removed by softmax"
        tokens = torch.cat([tokens, torch.multinomial(typical(logits), 1)], dim=1)
    return tokens


model = Writer()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(12):
    first, by = torch.randint(1, VOCABULARY, (16, 1)), torch.randint(1, 4, (16, 1))
    text = (first + by * torch.arange(9)) % VOCABULARY
    loss = nn.functional.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 4 == 3:
        print(f"{step}: loss {loss.item():.4f}", write(model, text[:1, :2]).tolist())
