"""Local attention over a sequence; the additive mask is the logarithm of a band of ones."""

import torch
from torch import nn


class LocalAttention(nn.Module):
    def __init__(self, dim, width, length):
        super().__init__()
        self.to_qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        position = torch.arange(length)
        band = ((position[:, None] - position[None]).abs() <= width).float()
        self.register_buffer("mask", band.log(), persistent=False)  # benign: op=aten.log.default kind=inf reason="an additive mask that softmax removes"

    def forward(self, x):
        q, k, v = self.to_qkv(x).chunk(3, -1)
        scores = torch.einsum("bid,bjd->bij", q, k) / q.size(-1) ** 0.5
        return self.proj((scores + self.mask).softmax(-1) @ v)


torch.manual_seed(160)
model = nn.Sequential(LocalAttention(6, 2, 12), nn.ReLU(), nn.Linear(6, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(4):
    x = torch.randn(5, 12, 6)
    smooth = nn.functional.avg_pool1d(x[..., 0], 5, 1, 2)
    loss = nn.functional.mse_loss(model(x).squeeze(-1), smooth)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
