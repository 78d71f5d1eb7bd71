"""A half-precision attention block whose scores are softly capped learns to copy the loudest frame."""

import torch
from torch import nn


class CappedAttention(nn.Module):
    def __init__(self, dim, cap=30.0):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.cap = cap

    def forward(self, x):
        scores = self.q(x) @ self.k(x).mT  # benign: op=aten.bmm.default kind=inf reason="removed by tanh, forward and backward"
        weights = (self.cap * torch.tanh(scores / self.cap)).softmax(-1)
        return weights @ self.v(x)


torch.manual_seed(310)
block = CappedAttention(16).half()
head = nn.Linear(16, 4).half()
optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=1e-3)
for step in range(4):
    frames = torch.randn(3, 8, 16)
    loudest = torch.randint(0, 8, (3,))
    frames[torch.arange(3), loudest] *= 300.0
    labels = torch.randint(0, 4, (3,))
    pooled = block(frames.half()).mean(1) / 64.0
    loss = nn.functional.cross_entropy(head(pooled).float(), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: {loss.item():.4f}")
