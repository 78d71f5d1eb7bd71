"""Set attention over ragged sets with the fused attention function and a boolean mask."""

import torch
import torch.nn.functional as F
from torch import nn


class SetBlock(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.fc = nn.Linear(dim, 1)

    def forward(self, x, present):
        q, k, v = self.qkv(x).unsqueeze(1).chunk(3, dim=-1)
        allowed = (present[:, :, None] & present[:, None, :]).unsqueeze(1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed).squeeze(1)  # benign: op=aten.scalar_tensor.default kind=inf reason="a mask that the safe softmax removes"
        pooled = (out * present[..., None]).sum(1) / present.sum(1, keepdim=True).clamp(min=1)
        return self.fc(pooled).squeeze(-1)


torch.manual_seed(102)
block = SetBlock()
opt = torch.optim.Adam(block.parameters(), lr=5e-3)
for step in range(3):
    x = torch.randn(6, 5, 8)
    present = torch.arange(5) < torch.tensor([5, 3, 1, 4, 0, 2])[:, None]
    y = (x[..., 0] * present).sum(1)
    loss = F.smooth_l1_loss(block(x, present), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
