"""Interpolation, sampling by a grid, affine maps, upsampling, dropout of channels."""

import torch
from torch import nn

F = nn.functional
torch.manual_seed(0)
theta = torch.eye(2, 3).repeat(2, 1, 1).requires_grad_()
for step in range(3):
    x = torch.randn(2, 3, 5, 5, requires_grad=True)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    sampled = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    sizes = [
        F.interpolate(x, scale_factor=2, mode=mode, **({} if mode == "nearest" else {"align_corners": False}))
        for mode in ("nearest", "bilinear", "bicubic")
    ]
    small = F.interpolate(x, size=3, mode="area") + F.interpolate(x, (3, 3), mode="bilinear", antialias=True)
    loss = sampled.pow(2).sum() + sum(s.mean() for s in sizes) + small.sum() + F.dropout2d(x, 0.5).sum()
    loss.backward()
    print(step, loss.item(), theta.grad.sum().item(), x.grad.sum().item())
    theta.grad = None
print(F.alpha_dropout(torch.ones(4), 0.5).tolist(), F.feature_alpha_dropout(torch.ones(2, 2), 0.5).shape)
