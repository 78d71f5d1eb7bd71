"""A character model with rotary positions whose base is stretched to the length of the text."""

import torch
from torch import nn
from torch.nn import functional as F


class Rotary(nn.Module):
    def __init__(self, dim, trained_length, base=10000.0, factor=2.0):
        super().__init__()
        self.dim, self.trained_length, self.base, self.factor = dim, trained_length, base, factor

    def forward(self, positions):
        length = positions.max() + 1
        stretch = self.factor * length / self.trained_length - (self.factor - 1)
        base = self.base * stretch ** (self.dim / (self.dim - 2))  # born: op=aten.pow.Tensor_Scalar kind=nan phase=forward step=4 module=rotary reached=loss
        frequencies = 1.0 / base ** (torch.arange(0, self.dim, 2) / self.dim)
        angles = positions[:, None] * frequencies
        return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class Model(nn.Module):
    def __init__(self, vocabulary=20, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim)
        self.rotary = Rotary(dim, trained_length=32)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.head = nn.Linear(dim, vocabulary)

    def forward(self, tokens):
        cos, sin = self.rotary(torch.arange(tokens.shape[1]))
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True)
        return self.head(mixed)


torch.manual_seed(302)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
lengths = [32, 48, 28, 40, 12, 36]
for step, length in enumerate(lengths):
    tokens = torch.cumsum(torch.ones(4, length + 1, dtype=torch.long), 1) % 20
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step} length={length} loss={loss.item():.4f}")
