"""Trains a linear-chain CRF tagger with a start tag that nothing leads back to."""

import torch
from torch import nn

torch.manual_seed(66)
NEG_INF = float("-inf")


class CRF(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.trans = nn.Parameter(torch.randn(tags, tags) * 0.1)
        forbidden = torch.zeros(tags, tags, dtype=torch.bool)
        forbidden[:, 0] = True
        self.register_buffer("forbidden", forbidden)

    def forward(self, emissions, tags):
        trans = self.trans.masked_fill(self.forbidden, NEG_INF)
        alpha = emissions[0]
        for score in emissions[1:]:
            alpha = torch.logsumexp(alpha[:, None] + trans, dim=0) + score  # born: op=aten.sub.Tensor kind=nan phase=backward step=0 module=crf reached=gradient forward=aten.logsumexp.default
        gold = emissions.gather(1, tags[:, None]).sum() + trans[tags[:-1], tags[1:]].sum()
        return torch.logsumexp(alpha, 0) - gold


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emit = nn.Linear(5, 4)
        self.crf = CRF(4)

    def forward(self, words, tags):
        return self.crf(self.emit(words), tags)


tagger = Tagger()
opt = torch.optim.Adam(tagger.parameters(), lr=1e-2)
for step in range(3):
    loss = tagger(torch.randn(7, 5), torch.tensor([0, 1, 2, 3, 1, 2, 3]))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
