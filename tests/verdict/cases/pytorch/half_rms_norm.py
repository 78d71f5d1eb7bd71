"""Trains a block in half precision with RMS norm and cosine scores for the output."""

import torch
import torch.nn as nn

torch.manual_seed(17)


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)  # born: op=aten.pow.Tensor_Scalar kind=inf phase=forward step=1 module=norm reached=loss


class Block(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.up = nn.Linear(dim, dim, bias=False)
        self.norm = RMSNorm(dim)
        self.prototypes = nn.Parameter(torch.randn(4, dim))

    def forward(self, x):
        h = self.norm(self.up(x))
        h = h / (h * h).sum(-1, keepdim=True).sqrt()
        return h @ self.prototypes.t()


model = Block().half()
opt = torch.optim.SGD(model.parameters(), lr=0.01)
scale = [1.0, 900.0, 1.0]
for step in range(3):
    x = (torch.randn(8, 16) * scale[step]).half()
    logits = model(x).float()
    loss = nn.functional.cross_entropy(logits, torch.randint(0, 4, (8,)))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("iter", step, "loss", loss.item())
