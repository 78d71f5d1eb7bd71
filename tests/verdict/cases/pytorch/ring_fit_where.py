"""Fits the radii of noisy rings, weighing points inside and outside differently."""

import torch

torch.manual_seed(0)
points = torch.randn(64, 2)
points[5] = 0.0
radius = torch.full((64,), 1.0)
center = torch.zeros(2, requires_grad=True)
opt = torch.optim.SGD([center], lr=0.1)

for step in range(4):
    sq = ((points - center) ** 2).sum(1)
    dist = torch.where(sq > 0, sq.sqrt(), torch.zeros_like(sq))  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten.sqrt.default
    loss = ((dist - radius) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"step {step}")
    print(f"  loss {loss.item():.4f} center {center.tolist()}")
