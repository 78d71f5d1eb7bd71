"""Convolutions of one to three dimensions, transposed, grouped, dilated; pooling; folding."""

import torch
from torch import nn

F = nn.functional
torch.manual_seed(0)
one, two, three = nn.Conv1d(2, 4, 3, groups=2), nn.Conv2d(2, 3, 3, dilation=2, padding="same"), nn.Conv3d(1, 2, 2)
up = nn.ConvTranspose2d(3, 2, 3, stride=2, output_padding=1)
for step in range(3):
    a = one(torch.randn(2, 2, 9))
    b = two(torch.randn(2, 2, 6, 6))
    c = three(torch.randn(1, 1, 4, 4, 4))
    d = up(b)
    pooled, where = F.max_pool2d(b, 2, return_indices=True)
    back = F.max_unpool2d(pooled, where, 2)
    rest = F.avg_pool1d(a, 2).sum() + F.adaptive_max_pool1d(a, 3).sum() + F.lp_pool2d(b, 2, 2).sum()
    rest = rest + F.fractional_max_pool2d(b, 2, output_size=3).sum() + F.adaptive_avg_pool3d(c, 1).sum()
    folded = F.fold(F.unfold(b, 2), (6, 6), 2)
    shuffled = F.pixel_shuffle(F.pixel_unshuffle(b, 2), 2)
    loss = d.sum() + back.pow(2).sum() + rest + (folded * shuffled).mean()
    loss.backward()
    print(step, loss.item(), one.weight.grad.sum().item(), up.weight.grad.sum().item())
channels = two.to(memory_format=torch.channels_last)
y = channels(torch.randn(2, 2, 6, 6).contiguous(memory_format=torch.channels_last))
y.sum().backward()
print(y.is_contiguous(memory_format=torch.channels_last), y.stride(), F.pad(y, (1, 1, 1, 1), "reflect").sum().item())
