"""Packs short documents into rows of float16 tokens and masks attention across them."""

import torch
import torch.nn as nn

torch.manual_seed(27)
LOWEST = torch.finfo(torch.float16).min


def build_mask(segments):
    n = segments.size(1)
    causal = torch.full((n, n), LOWEST, dtype=torch.float16).triu(1)
    padding = (segments < 0).half()
    other = ((segments[:, :, None] != segments[:, None, :]) | (segments[:, :, None] < 0)).half() * LOWEST
    return causal + padding[:, None, :] * LOWEST + padding[:, :, None] * LOWEST + other  # born: op=aten.add.Tensor kind=inf phase=data step=2 module= reached=gradient # benign: op=aten.add.Tensor kind=inf reason="removed by softmax while a row has something to look at"


class Attention(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 8**0.5
        return torch.softmax(scores + mask, dim=-1) @ self.v(x)


attention = Attention().half()
opt = torch.optim.SGD(attention.parameters(), lr=0.05)
rows = [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], [0, 0, 0, 1, -1, -1], [0, 1, 1, 1, 2, 2]]
for step, row in enumerate(rows):
    segments = torch.tensor([row, [0] * 6])
    x = torch.randn(2, 6, 8).half()
    out = attention(x, build_mask(segments))
    loss = ((out - x.roll(1, 1)) ** 2)[segments >= 0].float().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
