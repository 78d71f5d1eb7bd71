"""Trains a token tagger that is one normalised feed-forward block."""

import torch
import torch.nn as nn

torch.manual_seed(49)
VOCAB = 16


class Tagger(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=0)
        self.norm = nn.LayerNorm(dim, eps=0.0)
        self.ff = nn.Sequential(nn.Linear(dim, 24), nn.GELU(), nn.Linear(24, 4))

    def forward(self, tokens):
        return self.ff(self.norm(self.embed(tokens)))  # born: op=aten.native_layer_norm.default kind=nan phase=forward step=1 module=norm reached=gradient


model = Tagger()
opt = torch.optim.Adagrad(model.parameters(), lr=0.01)
for step, pad in enumerate([0, 3, 0]):
    tokens = torch.randint(1, VOCAB, (4, 7))
    tags = torch.randint(0, 4, (4, 7))
    if pad:
        tokens[2, -pad:] = 0
        tags[2, -pad:] = -100
    loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), tags.flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
