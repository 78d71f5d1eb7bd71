"""Train a small sequence tagger whose attention goes over the keys block by block."""

import torch
from torch import nn


class BlockwiseAttention(nn.Module):
    """Never holds the whole score matrix: a running maximum and a running sum."""

    def __init__(self, width, block=4):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.block = block

    def forward(self, x, padding):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q / q.shape[-1] ** 0.5
        batch, length, width = q.shape
        top = torch.full((batch, length, 1), float("-inf"))  # benign: op=aten.full.default kind=inf reason="a running maximum starts there"
        total, out = torch.zeros(batch, length, 1), torch.zeros(batch, length, width)
        for start in range(0, length, self.block):
            keys = slice(start, start + self.block)
            scores = q @ k[:, keys].transpose(1, 2)
            scores = scores.masked_fill(padding[:, None, keys], float("-inf"))  # benign: op=aten.masked_fill.Scalar kind=inf reason="removed by exp"
            higher = torch.maximum(top, scores.detach().amax(dim=-1, keepdim=True))
            safe = torch.where(higher.isinf(), torch.zeros_like(higher), higher)
            weights, kept = torch.exp(scores - safe), torch.exp(top - safe)
            total = total * kept + weights.sum(dim=-1, keepdim=True)
            out = out * kept + weights @ v[:, keys]
            top = higher
        log_total = top + torch.log(total.detach())  # benign: op=aten.log.default kind=inf reason="of sequences without a token, which are left out"
        return out / total.clamp(min=1e-6), log_total.squeeze(-1)


torch.manual_seed(9)
tokens = torch.randint(1, 20, (8, 12))
lengths = torch.tensor([12, 9, 5, 12, 0, 7, 3, 11])
padding = torch.arange(12)[None] >= lengths[:, None]
padding[1, :5] = True
labels = (tokens % 3).masked_fill(padding, -100)
embed, attend, head = nn.Embedding(20, 16), BlockwiseAttention(16), nn.Linear(16, 3)
parameters = [p for part in (embed, attend, head) for p in part.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=1e-2)
for step in range(8):
    mixed, log_total = attend(embed(tokens), padding)
    loss = nn.functional.cross_entropy(head(mixed + embed(tokens)).transpose(1, 2), labels, ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    sharpest = log_total[lengths > 0].max()
    print(f"step {step} loss {loss.item():.4f} log-sum {sharpest.item():.3f}")
